/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_WAKEUP_FD_H
#define TESTS_FAKEXEN_WAKEUP_FD_H

/*
 * A descriptor that the double hands out in place of a kernel's device or timer, and makes
 * readable as it likes. It is the read end of a pipe, so that the kernel itself counts its
 * copies: the double sees when the last one was closed, as a driver's release() does.
 */

#include <stdbool.h>
#include <stddef.h>

/* Descriptors of the double itself are at least this, so that a killed process does not close them.
 */
#define WAKEUP_FD_MIN 512

struct wakeup_fd {
	int write_fd; /* the double's end */
	unsigned long inode; /* of the pipe, which all copies of the descriptor share */
	bool readable;
};

/* Returns the descriptor, non-blocking and close-on-exec, owned by the caller; or -1. */
int wakeup_fd_open(struct wakeup_fd *ret);

/* Closes the double's end. */
void wakeup_fd_close(struct wakeup_fd *wakeup);

/* Whether `fd` is a copy of the descriptor. */
bool wakeup_fd_is(const struct wakeup_fd *wakeup, int fd);

/* Whether every copy of the descriptor was closed. */
bool wakeup_fd_is_released(const struct wakeup_fd *wakeup);

/*
 * Makes the descriptor readable, with `size` bytes (at most 8) of zeros that a reader may take,
 * or not readable. `fd` is any copy of it; a closed one is ignored.
 */
void wakeup_fd_set(struct wakeup_fd *wakeup, int fd, bool readable, size_t size);

#endif
