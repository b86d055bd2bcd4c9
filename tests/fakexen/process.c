/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/store-client.h"
#include "tests/fakexen/toolstacks.h"
#include "tests/fakexen/virtual-time.h"
#include "tests/fakexen/wakeup-fd.h"

#define CAPABILITIES "/proc/xen/capabilities"

static bool is_privileged;
static bool is_elsewhere; /* not on Xen */
static bool is_user; /* not root */

/* The program of process_run. */
static struct {
	jmp_buf end;
	bool was_open[WAKEUP_FD_MIN]; /* descriptors that are not the program's own */
} running;

/* With 64-bit file offsets the C library's fopen() is named fopen64(). */
FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);

/*
 * The command line of this process in /proc: that of the helper of a save, if there is one,
 * because no process of its own does what toolstacks.c does.
 */
static FILE *open_command_line(const char *path, const char *mode)
{
	static char text[128];
	size_t length = toolstack_command_line(text, sizeof(text));

	return length > 0 ? fmemopen(text, length, "r") : __real_fopen64(path, mode);
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
	static char control[] = "control_d\n", nothing[] = "\n";
	char own[64];

	snprintf(own, sizeof(own), "/proc/%d/cmdline", getpid());
	if (strcmp(path, own) == 0)
		return open_command_line(path, mode);
	if (strcmp(path, CAPABILITIES) != 0)
		return __real_fopen64(path, mode);
	if (is_elsewhere) {
		errno = ENOENT;
		return NULL;
	}
	return is_privileged ? fmemopen(control, strlen(control), "r")
			     : fmemopen(nothing, strlen(nothing), "r");
}

uid_t geteuid(void)
{
	if (!virtual_time_is_started())
		return (uid_t)syscall(SYS_geteuid);
	return is_user ? 1000 : 0;
}

void process_set_on_xen(bool is_on_xen)
{
	is_elsewhere = !is_on_xen;
}

void process_set_root(bool is_root)
{
	is_user = !is_root;
}

void process_set_privileged(bool is_dom0)
{
	is_privileged = is_dom0;
}

void process_disconnect(void)
{
	store_client_kill();
	event_channels_kill();
}

/* ---- programs that are killed -------------------------------------------- */

/* Of the leak detector; not there without it. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void note_open_fds(bool *is_open)
{
	for (int fd = 0; fd < WAKEUP_FD_MIN; fd++)
		is_open[fd] = fcntl(fd, F_GETFD) >= 0;
}

bool process_run(void (*program)(void *data), void *data)
{
	bool was_killed;

	note_open_fds(running.was_open);
	if (__lsan_disable)
		__lsan_disable();
	was_killed = setjmp(running.end) != 0;
	if (!was_killed)
		program(data);
	if (__lsan_enable)
		__lsan_enable();
	return !was_killed;
}

void process_kill(void)
{
	process_disconnect();
	for (int fd = 3; fd < WAKEUP_FD_MIN; fd++)
		if (!running.was_open[fd])
			close(fd);
	virtual_time_leave_handler();
	longjmp(running.end, 1);
}

void process_act_as(uint32_t domid)
{
	store_client_act_as(domid);
	event_channels_act_as(domid);
}
