/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/class.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

bool path_is_beneath(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && path[length] == '/';
}

int class_directory(const struct roots *roots, const char *class, const char *name, char *ret)
{
	char path[FILE_PATH_MAX];
	int r = file_path(path, "%s/class/%s/%s", roots->sys, class, name);

	if (r < 0)
		return r;
	return realpath(path, ret) ? 0 : -errno;
}

struct walk {
	const struct roots *roots;
	const char *class;
	const char *directory;
	class_fn take;
	void *data;
};

static int take_entry(void *data, int list, const char *name)
{
	const struct walk *walk = data;
	char target[PATH_MAX];
	int r = class_directory(walk->roots, walk->class, name, target);

	(void)list;
	/* ENOENT: the device was removed since it was listed. */
	if (r == -ENOENT)
		return 0;
	if (r < 0 || !path_is_beneath(target, walk->directory))
		return r;
	return walk->take(walk->data, name);
}

int class_each_in(const struct roots *roots, const char *class, const char *directory,
		  class_fn take, void *data)
{
	struct walk walk = { roots, class, directory, take, data };
	char path[FILE_PATH_MAX];
	int r;

	assert(roots && class && directory && take);
	r = file_path(path, "%s/class/%s", roots->sys, class);
	if (r == 0)
		r = directory_each(path, take_entry, &walk);
	/* An absent class is not a failure: the kernel has no such devices. */
	return r == -ENOENT && !file_exists("%s", path) ? 0 : r;
}

int class_each(const struct roots *roots, const char *class, const char *address, class_fn take,
	       void *data)
{
	char path[FILE_PATH_MAX], directory[PATH_MAX];
	int r = file_path(path, "%s/bus/pci/devices/%s", roots->sys, address);

	if (r < 0)
		return r;
	if (!realpath(path, directory))
		return -errno;
	return class_each_in(roots, class, directory, take, data);
}
