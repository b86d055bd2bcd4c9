/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices/disks.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "guest/class.h"

static const char *const classes[] = {
	"block", "nvme", "nvme-generic", "scsi_generic", "bsg", "scsi_tape", "scsi_changer",
};

/* The index of "block" in classes[]. */
#define CLASS_BLOCK 0

struct reader {
	const struct roots *roots;
	struct disk_list *list;
	size_t class;
	int failure; /* -ENOMEM if the list could not be extended */
};

bool disk_has_number(const struct disk *disk, const struct device_number *number)
{
	return disk->number.block == number->block && strcmp(disk->number.text, number->text) == 0;
}

void disk_set_use(struct disk *disk, enum disk_use use, const char *format, ...)
{
	va_list arguments;

	assert(use != DISK_UNUSED);
	if (use <= disk->use)
		return;
	disk->use = use;
	va_start(arguments, format);
	vsnprintf(disk->text, sizeof(disk->text), format, arguments);
	va_end(arguments);
}

static void set_incomplete(struct disk_list *list, const char *what, int r)
{
	if (list->incomplete[0] == '\0')
		snprintf(list->incomplete, sizeof(list->incomplete),
			 "cannot read %.60s in sysfs: %s", what, strerror(-r));
}

static bool is_hidden(const struct reader *reader, const struct disk *disk)
{
	uint64_t hidden;

	return reader->class == CLASS_BLOCK &&
	       file_read_number(&hidden, "%s/hidden", disk->directory) == 0 && hidden == 1;
}

/* Appends an empty entry. Returns NULL if out of memory. */
static struct disk *append(struct disk_list *list)
{
	struct disk *disks = realloc(list->disks, (list->n_disks + 1) * sizeof(*disks));

	if (!disks)
		return NULL;
	list->disks = disks;
	disks[list->n_disks] = (struct disk){ 0 };
	return &disks[list->n_disks++];
}

static int add_disk(struct reader *reader, const char *name, const char *directory)
{
	struct disk *disk = append(reader->list);
	int r;

	if (!disk)
		return -ENOMEM;
	strcpy(disk->name, name);
	strcpy(disk->directory, directory);
	disk->number.block = reader->class == CLASS_BLOCK;
	r = file_read(disk->number.text, sizeof(disk->number.text), "%s/dev", directory);
	if (r > 0 || is_hidden(reader, disk))
		return 0;
	/* If the directory is gone, the disk was removed since it was listed. */
	if (!file_exists("%s", directory))
		reader->list->n_disks--;
	else
		disk_set_use(disk, DISK_UNKNOWN, "has no device number: %s",
			     strerror(r < 0 ? -r : EINVAL));
	return 0;
}

static int take_entry(void *data, int list, const char *name)
{
	struct reader *reader = data;
	char directory[PATH_MAX];
	struct disk *disk;
	int r = class_directory(reader->roots, classes[reader->class], name, directory);

	(void)list;
	if (r == 0 &&
	    (strlen(name) >= sizeof(disk->name) || strlen(directory) >= sizeof(disk->directory)))
		r = -ENAMETOOLONG;
	/* ENOENT: the disk was removed since it was listed. */
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		set_incomplete(reader->list, name, r);
		return 0;
	}
	if (!strstr(directory, "/pci") && !strstr(directory, "/nvme-subsystem/"))
		return 0;
	reader->failure = add_disk(reader, name, directory);
	return reader->failure;
}

static bool has_name(const struct disk_list *list, const char *name)
{
	for (size_t i = 0; i < list->n_disks; i++)
		if (strcmp(list->disks[i].name, name) == 0)
			return true;
	return false;
}

/*
 * Sets a path of NVMe multipath to DISK_UNKNOWN if its disk is not in the list. Example:
 * nvme0c1n2 is the path through controller 1 to disk nvme0n2 of subsystem 0.
 */
static void check_path(const struct disk_list *list, struct disk *disk)
{
	unsigned int subsystem, controller, number;
	char name[64];

	if (sscanf(disk->name, "nvme%uc%un%u", &subsystem, &controller, &number) == 3) {
		snprintf(name, sizeof(name), "nvme%un%u", subsystem, number);
		if (has_name(list, name))
			return;
	}
	disk_set_use(disk, DISK_UNKNOWN, "leads to a disk that is not visible");
}

int disk_list_read(struct disk_list *ret, const struct roots *roots)
{
	struct reader reader = { .roots = roots, .list = ret };
	char path[FILE_PATH_MAX];
	int r;

	assert(ret && roots);
	*ret = (struct disk_list){ 0 };
	for (; reader.class < ELEMENTSOF(classes); reader.class ++) {
		r = file_path(path, "%s/class/%s", roots->sys, classes[reader.class]);
		if (r == 0)
			r = directory_each(path, take_entry, &reader);
		if (reader.failure < 0) {
			disk_list_done(ret);
			return reader.failure;
		}
		/* Every kernel has the class of block devices; the other classes may be absent. */
		if (r < 0 && (r != -ENOENT || reader.class == CLASS_BLOCK))
			set_incomplete(ret, classes[reader.class], r);
	}
	for (size_t i = 0; i < ret->n_disks; i++)
		if (ret->disks[i].number.text[0] == '\0')
			check_path(ret, &ret->disks[i]);
	return 0;
}

void disk_list_done(struct disk_list *list)
{
	free(list->disks);
	*list = (struct disk_list){ 0 };
}
