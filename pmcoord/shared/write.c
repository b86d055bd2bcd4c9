/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/write.h"

#include <errno.h>
#include <unistd.h>

int write_all(int fd, const char *data, size_t length)
{
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
