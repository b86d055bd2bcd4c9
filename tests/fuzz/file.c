/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static void remove_directory(void)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(directory);
}

const char *fuzz_directory(void)
{
	struct stat st;

	if (directory[0])
		return directory;
	strcpy(directory, stat("/dev/shm", &st) == 0 ? "/dev/shm/pmcoord-fuzz-XXXXXX"
						     : "/tmp/pmcoord-fuzz-XXXXXX");
	if (!mkdtemp(directory))
		abort();
	atexit(remove_directory);
	return directory;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fuzz_directory(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	return path;
}
