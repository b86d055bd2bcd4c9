/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/simulator-trace.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "pmcoord/write.h"

int sim_trace_open(const char *path)
{
	int fd;

	assert(path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

void sim_trace_write(int fd, uint64_t now_us, const char *word, const char *name)
{
	char line[256];
	int length;

	if (fd < 0)
		return;
	length = snprintf(line, sizeof(line), "%" PRIu64 " %s %s\n", now_us, word, name);
	if (length > 0 && (size_t)length < sizeof(line))
		write_all(fd, line, (size_t)length);
}
