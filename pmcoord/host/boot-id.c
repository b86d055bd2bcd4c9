/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/boot-id.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"

int boot_id_read(char ret[BOOT_ID_SIZE])
{
	_cleanup_(closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, BOOT_ID_SIZE - 1);

	if (n <= 0)
		return -EIO;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}
