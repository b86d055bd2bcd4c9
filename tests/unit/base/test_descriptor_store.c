/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/descriptor-store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST 3 /* the first passed descriptor: sd_listen_fds(3) */

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Prepares the process as systemd does when it passes three descriptors. */
static void pass_descriptors(const char *names)
{
	char pid[16];

	for (int fd = FIRST; fd < FIRST + 3; fd++)
		if (dup2(STDERR_FILENO, fd) != fd)
			_exit(10);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "3", 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

/* Runs in the child; its exit status is 0 if it succeeds. */
static int take(const char *names)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd;

		pass_descriptors(names);
		fd = descriptor_store_take("channel");
		for (int i = FIRST; i < FIRST + 3; i++)
			if (is_open(i) != (i == fd))
				_exit(11);
		if (descriptor_store_take("channel") != -ENOENT)
			_exit(12);
		_exit(fd < 0 ? 0 : fd);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void takes_the_first_of_its_name_and_closes_the_others(void **state)
{
	(void)state;
	assert_int_equal(take("channel:channel:other"), FIRST);
	assert_int_equal(take("other:channels:channel"), FIRST + 2);
	assert_int_equal(take("other:channels:chan"), 0);
}

static void returns_no_descriptor_if_none_is_stored(void **state)
{
	(void)state;
	unsetenv("LISTEN_FDS");
	assert_int_equal(descriptor_store_take("channel"), -ENOENT);
}

/* Receives one message of the service; returns its descriptor, or -1. */
static int receive(int fd, char *ret_text, size_t size)
{
	union {
		char bytes[256];
		struct cmsghdr header;
	} control;
	struct iovec text = { .iov_base = ret_text, .iov_len = size - 1 };
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
	int passed = -1;

	assert_true(n >= 0);
	ret_text[n] = '\0';
	for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part;
	     part = CMSG_NXTHDR(&message, part))
		if (part->cmsg_type == SCM_RIGHTS)
			memcpy(&passed, CMSG_DATA(part), sizeof(passed));
	return passed;
}

static void replaces_the_stored_descriptor(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);
	struct stat own, passed;
	char name[128], text[128];
	int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int stored = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;

	(void)state;
	/* The kernel chooses an abstract name. */
	assert_int_equal(bind(manager, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(manager, (struct sockaddr *)&address, &size), 0);
	snprintf(name, sizeof(name), "@%.*s",
		 (int)(size - offsetof(struct sockaddr_un, sun_path) - 1), address.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_true(descriptor_store_put("channel", stored) > 0);
	unsetenv("NOTIFY_SOCKET");

	assert_int_equal(receive(manager, text, sizeof(text)), -1);
	assert_string_equal(text, "FDSTOREREMOVE=1\nFDNAME=channel");
	fd = receive(manager, text, sizeof(text));
	assert_string_equal(text, "FDSTORE=1\nFDPOLL=0\nFDNAME=channel");
	assert_int_equal(fstat(stored, &own), 0);
	assert_int_equal(fstat(fd, &passed), 0);
	assert_int_equal(own.st_rdev, passed.st_rdev);
	close(fd);
	close(stored);
	close(manager);
}

static void does_nothing_without_a_service_manager(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(descriptor_store_put("channel", STDERR_FILENO), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_first_of_its_name_and_closes_the_others),
		cmocka_unit_test(returns_no_descriptor_if_none_is_stored),
		cmocka_unit_test(replaces_the_stored_descriptor),
		cmocka_unit_test(does_nothing_without_a_service_manager),
	};

	return cmocka_run_group_tests_name("descriptor store", tests, NULL, NULL);
}
