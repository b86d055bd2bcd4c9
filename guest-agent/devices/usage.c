/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices/usage.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "guest/class.h"
#include "devices/open-files.h"
#include "devices/storage.h"

static void set_unread(struct usage *usage, const char *what, int r)
{
	if (r < 0 && usage->unread[0] == '\0')
		snprintf(usage->unread, sizeof(usage->unread), "cannot read %s: %s", what,
			 strerror(-r));
}

/* ---- The kernel's tables ---- */

/*
 * Finds a mount of the disk `name` with the device number `number`. btrfs has device numbers
 * of its own, so a mount is also found by its source, /dev/`name`. The format of `mounts` is
 * in proc(5), under mountinfo.
 */
static bool find_mount(const char *mounts, const char *number, const char *name, char *ret,
		       size_t size)
{
	char source[80];

	snprintf(source, sizeof(source), "/dev/%s", name);
	for (const char *line = mounts; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		char found[32], where[80], from[80];

		if (sscanf(line, "%*s %*s %31s %*s %79s", found, where) != 2)
			continue;
		const char *end = strchr(line, '\n');
		const char *dash = strstr(line, " - ");

		from[0] = '\0';
		if (dash && (!end || dash < end))
			sscanf(dash, " - %*s %79s", from);
		if (strcmp(found, number) != 0 && strcmp(from, source) != 0)
			continue;
		snprintf(ret, size, "mounted on %s", where);
		return true;
	}
	return false;
}

static bool find_swap(const char *swaps, const char *name)
{
	char source[80];
	size_t length = (size_t)snprintf(source, sizeof(source), "/dev/%s", name);

	for (const char *line = swaps; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (strncmp(line, source, length) == 0 && isspace((unsigned char)line[length]))
			return true;
	return false;
}

/*
 * Reads a table in /proc. On failure, sets usage->unread and returns NULL. If an `optional`
 * table is absent, only returns NULL, because the kernel has no uses of this kind.
 */
static char *read_table(struct usage *usage, const char *name, bool optional)
{
	size_t length;
	char *text = NULL;
	int r = file_read_all(&text, &length, "%s/%s", usage->roots->proc, name);

	if (r < 0 && !(optional && r == -ENOENT))
		set_unread(usage, name, r);
	return text;
}

static int take_first(void *data, int directory, const char *name)
{
	(void)directory;
	snprintf(data, 64, "%.63s", name);
	return 1;
}

/*
 * Marks the disk as in use if another device is stacked on it. Every block device has a
 * directory "holders". If it cannot be read, the disk may be in use.
 */
static void find_holder(struct disk *disk)
{
	char path[FILE_PATH_MAX], holder[64];
	int r = file_path(path, "%s/holders", disk->directory);

	if (r == 0)
		r = directory_each(path, take_first, holder);
	if (r == 1)
		disk_set_use(disk, DISK_IN_USE, "part of %s", holder);
	else if (r < 0)
		disk_set_use(disk, DISK_UNKNOWN, "has unreadable holders: %s", strerror(-r));
}

static bool is_block_device(const struct disk *disk)
{
	return disk->number.block && disk->number.text[0] != '\0';
}

static void find_in_tables(struct usage *usage)
{
	_cleanup_(freep) char *mounts = read_table(usage, "self/mountinfo", false);
	_cleanup_(freep) char *swaps = read_table(usage, "swaps", true);
	char where[128];

	for (size_t i = 0; i < usage->list.n_disks; i++) {
		struct disk *disk = &usage->list.disks[i];

		if (!is_block_device(disk))
			continue;
		if (find_mount(mounts, disk->number.text, disk->name, where, sizeof(where)))
			disk_set_use(disk, DISK_IN_USE, "%s", where);
		if (find_swap(swaps, disk->name))
			disk_set_use(disk, DISK_IN_USE, "used as swap");
		find_holder(disk);
	}
}

/* ---- Users inside the kernel ---- */

/* Marks the disks with this device number as in use. Returns the number of such disks. */
static size_t set_by_number(struct usage *usage, const struct device_number *number,
			    const char *how, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < usage->list.n_disks; i++) {
		struct disk *disk = &usage->list.disks[i];

		if (!disk_has_number(disk, number))
			continue;
		disk_set_use(disk, DISK_IN_USE, "%s %.63s", how, name);
		n++;
	}
	return n;
}

/*
 * Marks the disk that a Xen block backend exports as in use. `physical_device` contains the
 * disk's number in hexadecimal: "fe:10".
 */
static int take_backend(void *data, int directory, const char *name)
{
	struct usage *usage = data;
	struct device_number number = { .block = true };
	unsigned int major, minor;
	char text[32];
	int r = file_read(text, sizeof(text), "%s/bus/xen-backend/devices/%s/physical_device",
			  usage->roots->sys, name);

	(void)directory;
	/* ENOENT: the backend does not export a disk, or has not opened its disk. */
	if (r == -ENOENT)
		return 0;
	if (r < 0 || sscanf(text, "%x:%x", &major, &minor) != 2)
		return r < 0 ? r : -EINVAL;
	snprintf(number.text, sizeof(number.text), "%u:%u", major, minor);
	(void)set_by_number(usage, &number, "exported by", name);
	return 0;
}

static void find_exports(struct usage *usage)
{
	char path[FILE_PATH_MAX];
	int r = file_path(path, "%s/bus/xen-backend/devices", usage->roots->sys);

	if (r == 0)
		r = directory_each(path, take_backend, usage);
	/* ENOENT is no failure: this kernel has no backends. */
	if (r != -ENOENT)
		set_unread(usage, "Xen backends", r);
	/*
	 * nvmet opens disks without claiming them, and does not list them in sysfs. So while
	 * nvmet is loaded, any disk may be in use.
	 */
	if (file_exists("%s/module/nvmet", usage->roots->sys))
		set_unread(usage, "what nvmet exports", -EOPNOTSUPP);
}

/*
 * Marks the disk that backs a loop device as in use. find_claims() would miss this use, because
 * a loop device does not claim its disk. If a file backs the loop device, the mount of the
 * file's file system shows the use.
 */
static int take_loop(void *data, int directory, const char *name)
{
	struct usage *usage = data;
	struct device_number number;
	char file[PATH_MAX];
	int r = file_read(file, sizeof(file), "%s/class/block/%s/loop/backing_file",
			  usage->roots->sys, name);

	(void)directory;
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	for (size_t i = 0; r >= 0 && i < usage->list.n_disks; i++) {
		struct disk *disk = &usage->list.disks[i];

		if (strncmp(file, "/dev/", 5) == 0 && strcmp(file + 5, disk->name) == 0)
			disk_set_use(disk, DISK_IN_USE, "backs %.63s", name);
	}
	if (r >= 0)
		r = file_device(AT_FDCWD, file, &number);
	if (r == 1)
		(void)set_by_number(usage, &number, "backs", name);
	return r < 0 ? r : 0;
}

static void find_loops(struct usage *usage)
{
	char path[FILE_PATH_MAX];
	int r = file_path(path, "%s/class/block", usage->roots->sys);

	if (r == 0)
		r = directory_each(path, take_loop, usage);
	set_unread(usage, "the backing files of loop devices", r);
}

int usage_claimed(const struct roots *roots, const char *device_number)
{
	char path[FILE_PATH_MAX];
	int r = file_path(path, "%s/block/%s", roots->dev, device_number);
	int fd;

	if (r < 0)
		return r;
	/* O_NONBLOCK: the open does not wait for a medium, and does not close a tray. */
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	/* ENOMEDIUM: not claimed, because the kernel checks the claim before the medium. */
	return errno == EBUSY ? 1 : errno == ENOMEDIUM ? 0 : -errno;
}

static void find_claims(struct usage *usage, usage_claimed_fn claimed)
{
	for (size_t i = 0; i < usage->list.n_disks; i++) {
		struct disk *disk = &usage->list.disks[i];
		int r;

		if (!is_block_device(disk) || disk->use == DISK_IN_USE)
			continue;
		r = claimed(usage->roots, disk->number.text);
		if (r == 1)
			disk_set_use(disk, DISK_IN_USE, "held by the kernel");
		else if (r < 0)
			disk_set_use(disk, DISK_UNKNOWN, "cannot be opened: %s", strerror(-r));
	}
}

/* ---- Processes ---- */

static void format_process(const struct roots *roots, const char *pid, char *ret, size_t size)
{
	char name[32];

	if (file_read(name, sizeof(name), "%s/%s/comm", roots->proc, pid) <= 0)
		strcpy(name, "?");
	snprintf(ret, size, "'%s' (%.16s)", name, pid);
}

/* Whether the open file is a node of the disk, whatever the node's path is. */
static bool is_node_of(const struct open_file *file, const struct disk *disk)
{
	if (file->is_device && disk_has_number(disk, &file->device))
		return true;
	return strncmp(file->target, "/dev/", 5) == 0 && strcmp(file->target + 5, disk->name) == 0;
}

static int take_open_disk(void *data, const struct open_file *file)
{
	struct usage *usage = data;
	char process[64];

	for (size_t i = 0; i < usage->list.n_disks; i++) {
		struct disk *disk = &usage->list.disks[i];

		if (disk->use == DISK_IN_USE || !is_node_of(file, disk))
			continue;
		format_process(usage->roots, file->pid, process, sizeof(process));
		disk_set_use(disk, DISK_IN_USE, "held open by %s", process);
	}
	return 0;
}

/* ---- All uses ---- */

static void drop_others(struct disk_list *list, const char *directory)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n_disks; i++)
		if (storage_leads_to(directory, list->disks[i].directory))
			list->disks[n++] = list->disks[i];
	list->n_disks = n;
}

int usage_read(struct usage *ret, const struct roots *roots, const char *directory,
	       usage_claimed_fn claimed)
{
	int r;

	assert(ret && roots && claimed);
	*ret = (struct usage){ .roots = roots };
	r = disk_list_read(&ret->list, roots);
	if (r < 0)
		return r;
	if (directory)
		drop_others(&ret->list, directory);
	if (ret->list.n_disks == 0)
		return 0;
	find_in_tables(ret);
	find_exports(ret);
	find_loops(ret);
	set_unread(ret, "open files of a process", open_files_each(roots, take_open_disk, ret));
	find_claims(ret, claimed);
	return 0;
}

enum disk_use usage_find_disk(const struct usage *usage, const char *directory, char *ret,
			      size_t size)
{
	const char *why = usage->list.incomplete;
	enum disk_use found = why[0] ? DISK_UNKNOWN : DISK_UNUSED;

	assert(directory);
	assert(size > 0);
	snprintf(ret, size, "%s", why);
	for (size_t i = 0; i < usage->list.n_disks; i++) {
		const struct disk *disk = &usage->list.disks[i];

		if (!storage_leads_to(directory, disk->directory))
			continue;
		if (usage->unread[0] && found == DISK_UNUSED) {
			found = DISK_UNKNOWN;
			snprintf(ret, size, "%s", usage->unread);
		}
		if (disk->use <= found)
			continue;
		found = disk->use;
		snprintf(ret, size, "%s %s", disk->name, disk->text);
	}
	return found;
}

void usage_done(struct usage *usage)
{
	disk_list_done(&usage->list);
}

/* ---- Display nodes ---- */

struct display_node {
	const struct roots *roots;
	const char *path; /* "/dev/dri/card0" */
	char *text;
	size_t size;
};

static int take_open_display(void *data, const struct open_file *file)
{
	struct display_node *node = data;
	char process[64];

	if (strcmp(file->target, node->path) != 0)
		return 0;
	format_process(node->roots, file->pid, process, sizeof(process));
	snprintf(node->text, node->size, "in use by %s", process);
	return 1;
}

struct display {
	const struct roots *roots;
	char *text;
	size_t size;
};

/* Counts a framebuffer as in use, because the console may be on any framebuffer. */
static int take_framebuffer(void *data, const char *name)
{
	struct display *display = data;

	snprintf(display->text, display->size, "in use by the console (%s)", name);
	return 1;
}

/* Finds a user of a DRM node (card0, renderD128). Skips connectors (card0-HDMI-A-1). */
static int take_node(void *data, const char *name)
{
	struct display *display = data;
	char node[FILE_PATH_MAX];
	struct display_node display_node;

	if (strchr(name, '-') || file_path(node, "/dev/dri/%s", name) < 0)
		return 0;
	display_node = (struct display_node){ display->roots, node, display->text, display->size };
	return open_files_each(display->roots, take_open_display, &display_node) == 1;
}

bool usage_display_is_open(const struct usage *usage, const char *directory, char *ret, size_t size)
{
	struct display display = { usage->roots, ret, size };

	assert(directory);
	assert(size > 0);
	return class_each_in(usage->roots, "graphics", directory, take_framebuffer, &display) ==
		       1 ||
	       class_each_in(usage->roots, "drm", directory, take_node, &display) == 1;
}
