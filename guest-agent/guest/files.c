/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/write.h"

const struct roots roots_of_system = {
	.sys = "/sys",
	.proc = "/proc",
	.run = "/run/pmcoord-agent",
	.etc = PMCOORD_SYSCONFDIR "/pmcoord",
	.dev = "/dev",
	.services = "/run",
};

static int format_path(char *ret, const char *format, va_list arguments)
{
	int n = vsnprintf(ret, FILE_PATH_MAX, format, arguments);

	return n < 0 || n >= FILE_PATH_MAX ? -ENAMETOOLONG : 0;
}

/*
 * Formats `format` with the arguments of the calling variadic function into `path`. Sets `r`
 * to 0 or negative errno.
 */
#define PATH_FROM_ARGUMENTS(path, r, format)                                                       \
	do {                                                                                       \
		va_list arguments_;                                                                \
                                                                                                   \
		va_start(arguments_, format);                                                      \
		r = format_path(path, format, arguments_);                                         \
		va_end(arguments_);                                                                \
	} while (0)

int file_path(char *ret, const char *format, ...)
{
	int r;

	PATH_FROM_ARGUMENTS(ret, r, format);
	return r;
}

/* Reads `size` bytes, or fewer if the file ends. Returns the number read, or negative errno. */
static int read_fully(int fd, char *ret, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, ret + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (int)used;
}

static int read_attribute(const char *path, char *ret, size_t size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int n;

	ret[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read_fully(fd, ret, size - 1);
	if (n < 0) {
		ret[0] = '\0';
		return n;
	}
	while (n > 0 && (ret[n - 1] == '\n' || ret[n - 1] == ' '))
		n--;
	ret[n] = '\0';
	return n;
}

int file_read(char *ret, size_t size, const char *format, ...)
{
	char path[FILE_PATH_MAX];
	int r;

	assert(size > 0);
	ret[0] = '\0';
	PATH_FROM_ARGUMENTS(path, r, format);
	return r < 0 ? r : read_attribute(path, ret, size);
}

int file_read_all(char **ret, size_t *ret_length, const char *format, ...)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(freep) char *text = NULL;
	size_t used = 0, size = 4096;
	char path[FILE_PATH_MAX];
	int r;

	assert(ret && ret_length);
	PATH_FROM_ARGUMENTS(path, r, format);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (;;) {
		char *grown = realloc(text, size + 1);

		if (!grown)
			return -ENOMEM;
		text = grown;
		r = read_fully(fd, text + used, size - used);
		if (r < 0)
			return r;
		used += (size_t)r;
		if (used < size)
			break;
		size *= 2;
	}
	text[used] = '\0';
	*ret = TAKE_PTR(text);
	*ret_length = used;
	return 0;
}

int file_read_number(uint64_t *ret, const char *format, ...)
{
	char path[FILE_PATH_MAX], text[40], *end;
	unsigned long long value;
	int r;

	PATH_FROM_ARGUMENTS(path, r, format);
	if (r < 0)
		return r;
	r = read_attribute(path, text, sizeof(text));
	if (r < 0)
		return r;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0')
		return -EINVAL;
	*ret = value;
	return 0;
}

int file_write(const char *path, const char *text)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	size_t length = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, length);
	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -EIO;
}

int file_write_at(const char *text, const char *format, ...)
{
	char path[FILE_PATH_MAX];
	int r;

	PATH_FROM_ARGUMENTS(path, r, format);
	return r < 0 ? r : file_write(path, text);
}

int file_link_name(char *ret, size_t size, const char *format, ...)
{
	char path[FILE_PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t n;
	int r;

	assert(size > 0);
	PATH_FROM_ARGUMENTS(path, r, format);
	if (r < 0)
		return r;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	strcpy(ret, name);
	return 0;
}

bool file_exists(const char *format, ...)
{
	char path[FILE_PATH_MAX];
	int r;

	PATH_FROM_ARGUMENTS(path, r, format);
	return r == 0 && access(path, F_OK) == 0;
}

int file_device(int directory, const char *path, struct device_number *ret)
{
	struct statx status;

	assert(path && ret);
	/*
	 * AT_STATX_DONT_SYNC: a network file system that does not respond cannot block this
	 * call. The empty mask requests no attributes, so that the call also succeeds on
	 * another user's FUSE file system. The kernel always returns the type and the device
	 * number of a device node.
	 */
	if (statx(directory, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &status) < 0)
		return -errno;
	if (!S_ISBLK(status.stx_mode) && !S_ISCHR(status.stx_mode))
		return 0;
	ret->block = S_ISBLK(status.stx_mode);
	snprintf(ret->text, sizeof(ret->text), "%u:%u", status.stx_rdev_major,
		 status.stx_rdev_minor);
	return 1;
}

int directory_each(const char *path, directory_fn take, void *data)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int r = 0;

	assert(path && take);
	if (!directory)
		return -errno;
	while (r == 0) {
		errno = 0;
		entry = readdir(directory);
		if (!entry) {
			r = -errno;
			break;
		}
		if (entry->d_name[0] != '.')
			r = take(data, dirfd(directory), entry->d_name);
	}
	closedir(directory);
	return r;
}

int file_replace(const char *path, const void *data, size_t length)
{
	_cleanup_(closep) int fd = -1;
	char temporary[FILE_PATH_MAX];
	int r = file_path(temporary, "%s.new", path);

	if (r < 0)
		return r;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, length);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}
