/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices/usage.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/class.h"
#include "devices/open-files.h"

static DIR *open_directory(const char *root, const char *name)
{
	char path[FILE_PATH_MAX];

	return file_path(path, "%s/%s", root, name) < 0 ? NULL : opendir(path);
}

/* ---- Block devices ---- */

static bool is_empty(const struct roots *roots, const char *name, const char *inside,
		     char *ret_first, size_t size)
{
	_cleanup_(closedirp) DIR *directory = NULL;
	char path[FILE_PATH_MAX];
	struct dirent *entry;

	if (file_path(path, "class/block/%s/%s", name, inside) == 0)
		directory = open_directory(roots->sys, path);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(ret_first, size, "%.63s", entry->d_name);
		return false;
	}
	return true;
}

/*
 * A mount is found by its device number, or where a file system has a number
 * of its own (btrfs) by its source. Fields as in proc(5).
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

/* blkback names the device it exports by its number in hex, "fe:10". */
static bool find_export(const struct roots *roots, const char *number, char *ret, size_t size)
{
	_cleanup_(closedirp) DIR *directory = open_directory(roots->sys, "bus/xen-backend/devices");
	unsigned int major, minor, his_major, his_minor;
	struct dirent *entry;

	if (sscanf(number, "%u:%u", &major, &minor) != 2)
		return false;
	while (directory && (entry = readdir(directory))) {
		char text[32];

		if (entry->d_name[0] == '.' ||
		    file_read(text, sizeof(text), "%s/bus/xen-backend/devices/%s/physical_device",
			      roots->sys, entry->d_name) <= 0 ||
		    sscanf(text, "%x:%x", &his_major, &his_minor) != 2)
			continue;
		if (his_major == major && his_minor == minor) {
			snprintf(ret, size, "exported by %.63s", entry->d_name);
			return true;
		}
	}
	return false;
}

bool usage_claimed(const struct roots *roots, const char *device_number)
{
	char path[FILE_PATH_MAX];
	int fd;

	if (file_path(path, "%s/block/%s", roots->dev, device_number) < 0)
		return true;
	/* O_NONBLOCK: do not wait for a medium or pull a tray in. */
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

struct tables {
	char *mounts;
	char *swaps;
	usage_claimed_fn claimed;
};

static void find_use(const struct roots *roots, const struct tables *tables,
		     struct usage_disk *disk)
{
	char number[32], holder[64];

	if (file_read(number, sizeof(number), "%s/class/block/%s/dev", roots->sys, disk->name) <= 0)
		return;
	if (find_mount(tables->mounts, number, disk->name, disk->use, sizeof(disk->use)))
		return;
	if (find_swap(tables->swaps, disk->name))
		snprintf(disk->use, sizeof(disk->use), "used as swap");
	else if (!is_empty(roots, disk->name, "holders", holder, sizeof(holder)))
		snprintf(disk->use, sizeof(disk->use), "part of %s", holder);
	else if (!find_export(roots, number, disk->use, sizeof(disk->use)) &&
		 tables->claimed(roots, number))
		snprintf(disk->use, sizeof(disk->use), "held by the kernel");
}

static int add_disk(struct usage *usage, const struct tables *tables, const char *name)
{
	struct usage_disk *disks, *disk;
	char path[FILE_PATH_MAX], directory[PATH_MAX];
	size_t n = usage->n_disks + 1;

	if (file_path(path, "%s/class/block/%s", usage->roots->sys, name) < 0 ||
	    !realpath(path, directory) || strlen(directory) >= FILE_PATH_MAX ||
	    strlen(name) >= sizeof(disk->name))
		return 0;
	/* Virtual ones (loop, dm) are beneath no PCI function. */
	if (!strstr(directory, "/pci"))
		return 0;
	disks = realloc(usage->disks, n * sizeof(*disks));
	if (!disks)
		return -ENOMEM;
	usage->disks = disks;
	usage->n_disks = n;
	disk = &disks[n - 1];
	*disk = (struct usage_disk){ 0 };
	strcpy(disk->name, name);
	strcpy(disk->directory, directory);
	find_use(usage->roots, tables, disk);
	return 0;
}

static int read_table(const struct roots *roots, const char *name, char **ret)
{
	size_t length;
	int r = file_read_all(ret, &length, "%s/%s", roots->proc, name);

	if (r == -ENOENT) {
		*ret = strdup("");
		r = *ret ? 0 : -ENOMEM;
	}
	return r;
}

int usage_read(struct usage *ret, const struct roots *roots, usage_claimed_fn claimed)
{
	_cleanup_(closedirp) DIR *directory = open_directory(roots->sys, "class/block");
	_cleanup_(freep) char *mounts = NULL;
	_cleanup_(freep) char *swaps = NULL;
	struct tables tables;
	struct dirent *entry;
	int r;

	*ret = (struct usage){ .roots = roots };
	r = read_table(roots, "self/mountinfo", &mounts);
	if (r == 0)
		r = read_table(roots, "swaps", &swaps);
	tables = (struct tables){ mounts, swaps, claimed };
	while (r == 0 && directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			r = add_disk(ret, &tables, entry->d_name);
	if (r < 0)
		usage_done(ret);
	return r;
}

bool usage_find_disk(const struct usage *usage, const char *directory, char *ret, size_t size)
{
	for (size_t i = 0; i < usage->n_disks; i++) {
		const struct usage_disk *disk = &usage->disks[i];

		if (disk->use[0] == '\0' || !path_is_beneath(disk->directory, directory))
			continue;
		snprintf(ret, size, "%s %s", disk->name, disk->use);
		return true;
	}
	return false;
}

void usage_done(struct usage *usage)
{
	free(usage->disks);
	usage->disks = NULL;
	usage->n_disks = 0;
}

/* ---- Display nodes ---- */

static void format_process(const struct roots *roots, const char *pid, char *ret, size_t size)
{
	char name[32];

	if (file_read(name, sizeof(name), "%s/%s/comm", roots->proc, pid) <= 0)
		strcpy(name, "?");
	snprintf(ret, size, "'%s' (%.16s)", name, pid);
}

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

/* A framebuffer console draws on whatever has a framebuffer. */
static int take_framebuffer(void *data, const char *name)
{
	struct display *display = data;

	snprintf(display->text, display->size, "in use for the console (%s)", name);
	return 1;
}

/* card0 and renderD128 are nodes; card0-HDMI-A-1 is a connector. */
static int take_node(void *data, const char *name)
{
	struct display *display = data;
	char node[FILE_PATH_MAX];
	struct display_node look;

	if (strchr(name, '-') || file_path(node, "/dev/dri/%s", name) < 0)
		return 0;
	look = (struct display_node){ display->roots, node, display->text, display->size };
	return open_files_each(display->roots, take_open_display, &look) == 1;
}

bool usage_display_is_open(const struct usage *usage, const char *directory, char *ret, size_t size)
{
	struct display display = { usage->roots, ret, size };

	return class_each_in(usage->roots, "graphics", directory, take_framebuffer, &display) ==
		       1 ||
	       class_each_in(usage->roots, "drm", directory, take_node, &display) == 1;
}
