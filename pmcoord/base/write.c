/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/write.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int write_all(int fd, const char *data, size_t length)
{
	assert(data || length == 0);
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Whether `fd` is a pipe whose reading end is closed (POLLERR, see poll(2)). */
static bool is_closed_pipe(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLERR;
}

/* Flushes `out`. Returns 0, or a positive errno if output was lost. */
static int flush_all(FILE *out)
{
	if (fflush(out) != 0)
		return errno;
	if (!ferror(out))
		return 0;
	/* An earlier write has failed, and stdio does not keep its errno. */
	return is_closed_pipe(fileno(out)) ? EPIPE : EIO;
}

bool output_was_lost(const char *program)
{
	int why = flush_all(stdout);

	assert(program);
	if (why == 0 || why == EPIPE)
		return false;
	fprintf(stderr, "%s: cannot write the output: %s\n", program, strerror(why));
	return true;
}
