/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/wakeup-fd.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned long inode_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) ? status.st_ino : 0;
}

int wakeup_fd_open(struct wakeup_fd *ret)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	*ret = (struct wakeup_fd){
		.write_fd = fcntl(fds[1], F_DUPFD_CLOEXEC, WAKEUP_FD_MIN),
		.inode = inode_of(fds[0]),
	};
	close(fds[1]);
	return fds[0];
}

void wakeup_fd_close(struct wakeup_fd *wakeup)
{
	close(wakeup->write_fd);
	*wakeup = (struct wakeup_fd){ .write_fd = -1 };
}

bool wakeup_fd_is(const struct wakeup_fd *wakeup, int fd)
{
	return wakeup->inode != 0 && inode_of(fd) == wakeup->inode;
}

bool wakeup_fd_is_released(const struct wakeup_fd *wakeup)
{
	struct pollfd poll_fd = { .fd = wakeup->write_fd };

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLERR);
}

void wakeup_fd_set(struct wakeup_fd *wakeup, int fd, bool readable, size_t size)
{
	char bytes[sizeof(uint64_t)] = { 0 };

	if (readable == wakeup->readable || wakeup_fd_is_released(wakeup))
		return;
	if (readable)
		wakeup->readable = write(wakeup->write_fd, bytes, size) > 0;
	else
		while (wakeup_fd_is(wakeup, fd) && read(fd, bytes, sizeof(bytes)) > 0)
			;
	wakeup->readable = readable;
}
