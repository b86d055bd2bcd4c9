/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/class.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

bool path_is_beneath(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && path[length] == '/';
}

int class_each_in(const struct roots *roots, const char *class, const char *directory,
		  class_fn take, void *data)
{
	char path[FILE_PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	_cleanup_(closedirp) DIR *list = NULL;
	int r = file_path(path, "%s/class/%s", roots->sys, class);

	if (r < 0)
		return r;
	list = opendir(path);
	while (list && r == 0 && (entry = readdir(list))) {
		if (entry->d_name[0] == '.' ||
		    file_path(path, "%s/class/%s/%s", roots->sys, class, entry->d_name) < 0 ||
		    !realpath(path, target))
			continue;
		if (path_is_beneath(target, directory))
			r = take(data, entry->d_name);
	}
	return r;
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
