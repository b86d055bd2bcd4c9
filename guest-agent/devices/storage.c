/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices/storage.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "guest/class.h"

/*
 * Returned by refuse(): the controller is not understood. Not 0, so that it ends the walk of
 * class_each_in().
 */
#define REFUSED 1

struct survey {
	const struct roots *roots;
	const char *directory;
	size_t controllers; /* the number of NVMe controllers */
	size_t ports; /* the number of ATA ports */
	size_t drives; /* the number of drives at these ports */
	size_t devices; /* the number of SCSI devices, one for each drive if all are visible */
	char *why; /* why the controller is not understood */
	size_t size;
};

static _printf_(2, 3) int refuse(struct survey *survey, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(survey->why, survey->size, format, arguments);
	va_end(arguments);
	return REFUSED;
}

/* ---- NVMe ---- */

#define SUBSYSTEMS "/nvme-subsystem/"

struct reach {
	const char *subsystem; /* the directory of an NVMe subsystem, or of all subsystems */
	const char *function; /* the directory of a PCI function or of an NVMe controller */
};

/*
 * Whether the entry `name` of the subsystem's directory is a link to reach->function, or to a
 * controller beneath it. Returns 1 if so, 0 if not, or negative errno.
 */
static int take_member(void *data, int directory, const char *name)
{
	const struct reach *reach = data;
	char path[FILE_PATH_MAX], target[PATH_MAX];
	int r = file_path(path, "%s/%s", reach->subsystem, name);

	(void)directory;
	if (r < 0)
		return r;
	/* ENOENT: the entry was removed since it was listed. */
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

	assert(directory);
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

/* Whether the subsystem `name` contains the controller in reach->function. */
static int take_subsystem(void *data, int directory, const char *name)
{
	struct reach *reach = data;
	char path[FILE_PATH_MAX];
	struct reach inside = { path, reach->function };
	int r = file_path(path, "%s/%s", reach->subsystem, name);

	(void)directory;
	if (r == 0)
		r = directory_each(path, take_member, &inside);
	return r == -ENOENT ? 0 : r;
}

static int take_controller(void *data, const char *name)
{
	struct survey *survey = data;
	char state[32], controller[PATH_MAX], subsystems[FILE_PATH_MAX];
	struct reach reach = { subsystems, controller };
	int r = file_read(state, sizeof(state), "%s/class/nvme/%s/state", survey->roots->sys, name);

	survey->controllers++;
	if (r < 0)
		return r;
	if (strcmp(state, "live") != 0)
		return refuse(survey, "%s is '%s', not 'live'", name, state);
	r = class_directory(survey->roots, "nvme", name, controller);
	if (r == 0)
		r = file_path(subsystems, "%s/class/nvme-subsystem", survey->roots->sys);
	if (r == 0)
		r = directory_each(subsystems, take_subsystem, &reach);
	if (r == 0 || r == -ENOENT)
		return refuse(survey, "%s belongs to no subsystem", name);
	return r < 0 ? r : 0;
}

/* ---- ATA ---- */

static int take_port(void *data, const char *name)
{
	struct survey *survey = data;

	(void)name;
	survey->ports++;
	return 0;
}

static int take_drive(void *data, const char *name)
{
	struct survey *survey = data;
	char class[16];
	int r = file_read(class, sizeof(class), "%s/class/ata_device/%s/class", survey->roots->sys,
			  name);

	if (r < 0)
		return r;
	if (strcmp(class, "ata") == 0 || strcmp(class, "atapi") == 0)
		survey->drives++;
	/*
	 * Class "none": there is no drive. Class "unknown": the port does not exist or was not
	 * probed, which counts as no drive. Drives of other classes are not understood.
	 */
	else if (strcmp(class, "none") != 0 && strcmp(class, "unknown") != 0)
		return refuse(survey, "drive %s is of class '%s'", name, class);
	return 0;
}

/* Accepts only SCSI hosts of ATA ports. Their paths are like <function>/ata1/host0. */
static int take_host(void *data, const char *name)
{
	struct survey *survey = data;
	char host[PATH_MAX];
	unsigned int port, number;
	int r = class_directory(survey->roots, "scsi_host", name, host);

	if (r < 0)
		return r;
	if (sscanf(host + strlen(survey->directory), "/ata%u/host%u/", &port, &number) != 2)
		return refuse(survey, "SCSI host %s belongs to no ATA port", name);
	return 0;
}

static int take_first(void *data, int directory, const char *name)
{
	(void)data;
	(void)directory;
	(void)name;
	return 1;
}

static int take_device(void *data, const char *name)
{
	struct survey *survey = data;
	char path[FILE_PATH_MAX];
	int r = file_path(path, "%s/class/scsi_device/%s/device/block", survey->roots->sys, name);

	survey->devices++;
	if (r == 0)
		r = directory_each(path, take_first, NULL);
	if (r == 0 || r == -ENOENT)
		return refuse(survey, "SCSI device %s is not a block device", name);
	return r < 0 ? r : 0;
}

int storage_is_understood(const struct roots *roots, const char *directory, char *ret, size_t size)
{
	static const struct {
		const char *class;
		class_fn take;
	} surveys[] = {
		{ "nvme", take_controller },	{ "ata_port", take_port },
		{ "ata_device", take_drive },	{ "scsi_host", take_host },
		{ "scsi_device", take_device },
	};
	struct survey survey = { .roots = roots, .directory = directory, .why = ret, .size = size };
	int r = 0;

	assert(roots && directory);
	assert(size > 0);
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(surveys); i++)
		r = class_each_in(roots, surveys[i].class, directory, surveys[i].take, &survey);
	if (r == 0 && survey.controllers == 0 && survey.ports == 0)
		r = refuse(&survey, "the function has neither NVMe nor ATA devices");
	if (r == 0 && survey.drives != survey.devices)
		r = refuse(&survey, "the numbers of ATA drives (%zu) and SCSI devices (%zu) differ",
			   survey.drives, survey.devices);
	return r < 0 ? r : r == 0;
}
