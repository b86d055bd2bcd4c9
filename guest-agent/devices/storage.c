/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices/storage.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "guest/class.h"

#define SUBSYSTEMS "/nvme-subsystem/"

struct reach {
	const char *subsystem; /* directories, both */
	const char *function;
};

/* A subsystem's directory has links to its controllers. */
static int take_member(void *data, int directory, const char *name)
{
	const struct reach *reach = data;
	char path[FILE_PATH_MAX], target[PATH_MAX];
	int r = file_path(path, "%s/%s", reach->subsystem, name);

	(void)directory;
	if (r < 0)
		return r;
	/* Removed meanwhile. */
	if (!realpath(path, target))
		return errno == ENOENT ? 0 : -errno;
	return strcmp(target, reach->function) == 0 || path_is_beneath(target, reach->function);
}

bool storage_leads_to(const char *directory, const char *disk)
{
	struct reach reach = { .function = directory };
	const char *name = strstr(disk, SUBSYSTEMS);
	char subsystem[FILE_PATH_MAX];
	size_t length;

	if (path_is_beneath(disk, directory))
		return true;
	if (!name)
		return false;
	name += strlen(SUBSYSTEMS);
	length = (size_t)(name - disk) + strcspn(name, "/");
	if (length >= sizeof(subsystem))
		return true;
	memcpy(subsystem, disk, length);
	subsystem[length] = '\0';
	reach.subsystem = subsystem;
	return directory_each(subsystem, take_member, &reach) != 0;
}
