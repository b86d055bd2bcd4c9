/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/attribute.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

int attribute_read(int fd, char *ret, size_t size)
{
	ssize_t n;

	assert(ret && size > 0);
	n = pread(fd, ret, size - 1, 0);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

void attribute_read_at(int directory_fd, const char *path, char *ret, size_t size)
{
	_cleanup_(closep) int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);

	assert(ret && size > 0);
	ret[0] = '\0';
	if (fd >= 0)
		attribute_read(fd, ret, size);
}

int attribute_read_number(int fd, uint64_t *ret)
{
	char text[32];
	int r = attribute_read(fd, text, sizeof(text));

	return r < 0 ? r : parse_u64(text, UINT64_MAX, ret);
}
