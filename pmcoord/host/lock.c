/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "base/directory.h"
#include "pmcoord/parse.h"
#include "pmcoord/stop-signals.h"

static void on_alarm(int signal)
{
	(void)signal; /* only to interrupt flock() */
}

/* Likewise; and once more in a second, if it came right before flock(). */
static void on_stop(int signal)
{
	(void)signal;
	alarm(1);
}

/*
 * Blocks in flock() until it is ours, the alarm comes, or we are told to stop.
 * Whoever uses a loop has blocked the signals that say so.
 */
static int wait_for_lock(int fd, const struct timespec *deadline)
{
	struct sigaction action = { .sa_handler = on_stop };
	struct sigaction actions_before[STOP_SIGNALS_MAX];
	const struct stop_signals signals = stop_signals_get();
	sigset_t stops, before;
	struct timespec now;
	bool locked;

	sigemptyset(&stops);
	for (size_t i = 0; i < signals.n; i++) {
		sigaddset(&stops, signals.numbers[i]);
		sigaction(signals.numbers[i], &action, &actions_before[i]);
	}
	sigprocmask(SIG_UNBLOCK, &stops, &before);
	locked = flock(fd, LOCK_EX) == 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	for (size_t i = 0; i < signals.n; i++)
		sigaction(signals.numbers[i], &actions_before[i], NULL);
	if (locked)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > deadline->tv_sec ||
	    (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec))
		return -EBUSY;
	/* The loop, or the one who started us, is to see it too. */
	raise(SIGTERM);
	return -EINTR;
}

static int lock_within(int fd, uint64_t patience_us)
{
	struct sigaction action = { .sa_handler = on_alarm }, before;
	/* Repeated, so that one that comes before flock() is not the last. */
	struct itimerval timer = {
		.it_value = { .tv_sec = (time_t)(patience_us / 1000000),
			      .tv_usec = (suseconds_t)(patience_us % 1000000) },
		.it_interval = { .tv_usec = 10000 },
	};
	struct timespec deadline;
	int r;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK || patience_us == 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)(patience_us / 1000000);
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &timer, NULL);
	r = wait_for_lock(fd, &deadline);
	timer = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &timer, NULL);
	sigaction(SIGALRM, &before, NULL);
	return r;
}

static void read_holder(int fd, char *ret, size_t size)
{
	char text[128];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	text_sanitize(text, n > 0 ? (size_t)n : 0, ret, size);
}

int lock_describe_holder(const char *holder, struct error *error)
{
	return error_set(
		error, -EBUSY,
		"another pmcoord is at work (%s): wait for it, or look at 'pmcoord status'",
		holder[0] ? holder : "it has not said which");
}

int lock_take(const char *run_directory, const char *purpose, uint64_t patience_us,
	      struct error *error)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int fd = -EBADF;
	char text[128], holder[128];
	int r = directory_make(run_directory), length;

	if (r == 0 && asprintf(&path, "%s/lock", run_directory) < 0)
		r = -ENOMEM;
	if (r < 0)
		return error_set(error, r, "cannot make %s: %s", run_directory, strerror(-r));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(error, -errno, "cannot open %s: %s", path, strerror(errno));
	r = lock_within(fd, patience_us);
	if (r == -EBUSY) {
		read_holder(fd, holder, sizeof(holder));
		return lock_describe_holder(holder, error);
	}
	if (r == -EINTR)
		return error_set(
			error, r,
			"told to stop while another pmcoord was at work; nothing was begun");
	if (r < 0)
		return error_set(error, r, "cannot lock %s: %s", path, strerror(-r));
	length = snprintf(text, sizeof(text), "%s, process %d", purpose, (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
		return error_set(error, -errno, "cannot write %s: %s", path, strerror(errno));
	r = fd;
	fd = -EBADF;
	return r;
}

/*
 * Whether the kernel lists a flock(2) on this file. To try the lock instead
 * would take it, and turn away whoever comes at that moment.
 */
static int file_is_locked(const struct stat *file)
{
	_cleanup_(fclosep) FILE *locks = fopen("/proc/locks", "re");
	char line[256];

	if (!locks)
		return -errno;
	while (fgets(line, sizeof(line), locks)) {
		unsigned int major, minor;
		unsigned long inode;

		/* "7: FLOCK  ADVISORY  WRITE 812 00:1a:1234 0 EOF" */
		if (sscanf(line, "%*d: FLOCK %*s %*s %*d %x:%x:%lu", &major, &minor, &inode) == 3 &&
		    makedev(major, minor) == file->st_dev && inode == file->st_ino)
			return 1;
	}
	return 0;
}

int lock_holder(const char *run_directory, char *ret, size_t size)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int fd = -EBADF;
	struct stat st;
	int r;

	if (asprintf(&path, "%s/lock", run_directory) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = file_is_locked(&st);
	if (r > 0)
		read_holder(fd, ret, size);
	return r;
}
