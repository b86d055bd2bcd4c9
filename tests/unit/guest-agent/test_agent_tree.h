/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_TEST_AGENT_TREE_H
#define TESTS_UNIT_TEST_AGENT_TREE_H

/*
 * A guest's /sys, /proc, /run and /etc in a temporary directory, with a simulated kernel
 * that binds and unbinds drivers. The simulated kernel keeps its state in files, because it
 * runs in the agent's child processes. umockdev is not used, because its devices do not
 * react to writes, so they cannot refuse, hang, or appear late. Files that control a PCI
 * function:
 *
 *   <function>/hang-unbind, hang-bind   the unbind hangs until the file is removed; the bind hangs
 *   <function>/refuse-bind              the number of binds that will fail
 *   <function>/was-reset                exists if the function was reset
 */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "guest/files.h"
#include "net/netlink.h"
#include "devices/device.h"

#define UNUSED __attribute__((unused))

struct tree {
	char base[64];
	char sys[80], proc[80], run[80], etc[80], dev[80], services[80];
	struct roots roots;
};

static UNUSED void tree_path(const struct tree *tree, char *ret, const char *name)
{
	assert_int_equal(file_path(ret, "%s/%s", tree->base, name), 0);
}

/* Makes the directories that the path `name` below the tree's base needs. */
static UNUSED void tree_parents(const struct tree *tree, const char *name)
{
	char path[FILE_PATH_MAX];

	tree_path(tree, path, name);
	for (char *slash = path + strlen(tree->base) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

static UNUSED void tree_write(const struct tree *tree, const char *name, const char *text)
{
	char path[FILE_PATH_MAX];
	FILE *file;

	tree_parents(tree, name);
	tree_path(tree, path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static UNUSED void tree_link(const struct tree *tree, const char *name, const char *target)
{
	char path[FILE_PATH_MAX], to[FILE_PATH_MAX];

	tree_parents(tree, name);
	tree_path(tree, path, name);
	tree_path(tree, to, target);
	assert_int_equal(symlink(to, path), 0);
}

static UNUSED const char *tree_read(const struct tree *tree, const char *name)
{
	static char text[4096];

	if (file_read(text, sizeof(text), "%s/%s", tree->base, name) < 0)
		return "(none)";
	return text;
}

static UNUSED void tree_new(struct tree *ret)
{
	strcpy(ret->base, "/tmp/pmcoord-agent-XXXXXX");
	assert_non_null(mkdtemp(ret->base));
	snprintf(ret->sys, sizeof(ret->sys), "%s/sys", ret->base);
	snprintf(ret->proc, sizeof(ret->proc), "%s/proc", ret->base);
	snprintf(ret->run, sizeof(ret->run), "%s/run", ret->base);
	snprintf(ret->etc, sizeof(ret->etc), "%s/etc", ret->base);
	snprintf(ret->dev, sizeof(ret->dev), "%s/dev", ret->base);
	snprintf(ret->services, sizeof(ret->services), "%s/services", ret->base);
	ret->roots = (struct roots){
		.sys = ret->sys,
		.proc = ret->proc,
		.run = ret->run,
		.etc = ret->etc,
		.dev = ret->dev,
		.services = ret->services,
	};
	tree_write(ret, "proc/self/cgroup", "0::/system.slice/pmcoord-agent.service\n");
	tree_write(ret, "proc/self/mountinfo", "");
	tree_write(ret, "proc/swaps", "");
	tree_write(ret, "sys/class/block/.keep", "");
	tree_write(ret, "sys/power/pm_freeze_timeout", "20000\n");
	tree_write(ret, "run/.keep", "");
}

static UNUSED int tree_remove(const char *path, const struct stat *status, int type,
			      struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static UNUSED void tree_free(struct tree *tree)
{
	nftw(tree->base, tree_remove, 16, FTW_DEPTH | FTW_PHYS);
}

#define TREE_DEVICES "sys/devices/pci0000:00/"

/* Adds a PCI function. `ids` is "<vendor> <device> <class>", each as in sysfs. */
static UNUSED void tree_add_function(const struct tree *tree, const char *address,
				     const char *driver, const char *ids)
{
	char vendor[16], device[16], class[16], name[200], target[200];

	assert_int_equal(sscanf(ids, "%15s %15s %15s", vendor, device, class), 3);
	snprintf(name, sizeof(name), TREE_DEVICES "%s/vendor", address);
	tree_write(tree, name, vendor);
	snprintf(name, sizeof(name), TREE_DEVICES "%s/device", address);
	tree_write(tree, name, device);
	snprintf(name, sizeof(name), TREE_DEVICES "%s/class", address);
	tree_write(tree, name, class);
	snprintf(name, sizeof(name), "sys/bus/pci/devices/%s", address);
	snprintf(target, sizeof(target), TREE_DEVICES "%s", address);
	tree_link(tree, name, target);
	if (!driver)
		return;
	snprintf(target, sizeof(target), "sys/bus/pci/drivers/%s/bind", driver);
	tree_write(tree, target, "");
	*strrchr(target, '/') = '\0';
	snprintf(name, sizeof(name), TREE_DEVICES "%s/driver", address);
	tree_link(tree, name, target);
}

/* Writes a file that controls how the simulated kernel treats the function. */
static UNUSED void tree_teach(const struct tree *tree, const char *address, const char *what,
			      const char *value)
{
	char name[200];

	snprintf(name, sizeof(name), TREE_DEVICES "%s/%s", address, what);
	tree_write(tree, name, value);
}

static UNUSED bool tree_is_bound(const struct tree *tree, const char *address)
{
	return file_exists("%s/" TREE_DEVICES "%s/driver", tree->base, address);
}

/* Adds a device to `directory` and to its class. A block device gets no holders. */
static UNUSED void tree_add_node(const struct tree *tree, const char *class, const char *name,
				 const char *directory, const char *number)
{
	char path[FILE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev", directory);
	if (number)
		tree_write(tree, path, number);
	snprintf(path, sizeof(path), "%s/holders/.keep", directory);
	if (strcmp(class, "block") == 0)
		tree_write(tree, path, "");
	snprintf(path, sizeof(path), "%s/uevent", directory);
	tree_write(tree, path, "");
	snprintf(path, sizeof(path), "sys/class/%s/%s", class, name);
	tree_link(tree, path, directory);
}

/* Adds a disk or a partition beneath a PCI function. */
static UNUSED void tree_add_disk(const struct tree *tree, const char *address, const char *disk,
				 const char *number)
{
	char directory[190];

	snprintf(directory, sizeof(directory), TREE_DEVICES "%s/block/%s", address, disk);
	tree_add_node(tree, "block", disk, directory, number);
}

/* Adds a stacked or loop device, which is beneath no PCI function. */
static UNUSED void tree_add_virtual_disk(const struct tree *tree, const char *disk,
					 const char *number)
{
	char directory[100];

	snprintf(directory, sizeof(directory), "sys/devices/virtual/block/%s", disk);
	tree_add_node(tree, "block", disk, directory, number);
}

#define TREE_SUBSYSTEM "sys/devices/virtual/nvme-subsystem/nvme-subsys0"

/* Adds an NVMe controller (nvme0, …) without disks to the only subsystem. */
static UNUSED void tree_add_nvme(const struct tree *tree, const char *address,
				 const char *controller)
{
	char directory[100], path[140];

	snprintf(directory, sizeof(directory), TREE_DEVICES "%s/nvme/%s", address, controller);
	tree_add_node(tree, "nvme", controller, directory, "238:0");
	snprintf(path, sizeof(path), "%s/state", directory);
	tree_write(tree, path, "live\n");
	snprintf(path, sizeof(path), TREE_SUBSYSTEM "/%s", controller);
	tree_link(tree, path, directory);
	if (!file_exists("%s/sys/class/nvme-subsystem", tree->base))
		tree_link(tree, "sys/class/nvme-subsystem/nvme-subsys0", TREE_SUBSYSTEM);
}

/* Adds an NVMe namespace with a single path, or a partition of one. */
static UNUSED void tree_add_namespace(const struct tree *tree, const char *address,
				      const char *disk, const char *number)
{
	char directory[140];

	snprintf(directory, sizeof(directory), TREE_DEVICES "%s/nvme/nvme0/%s", address, disk);
	tree_add_node(tree, "block", disk, directory, number);
}

/* Adds an NVMe disk with several paths, which belongs to the subsystem. */
static UNUSED void tree_add_multipath_disk(const struct tree *tree, const char *disk,
					   const char *number)
{
	char directory[140];

	snprintf(directory, sizeof(directory), TREE_SUBSYSTEM "/%s", disk);
	tree_add_node(tree, "block", disk, directory, number);
}

/* Adds a hidden path by a controller to an NVMe disk with several paths. */
static UNUSED void tree_add_hidden_path(const struct tree *tree, const char *address,
					const char *controller, const char *path)
{
	char directory[140], name[160];

	snprintf(directory, sizeof(directory), TREE_DEVICES "%s/nvme/%s/%s", address, controller,
		 path);
	tree_add_node(tree, "block", path, directory, NULL);
	snprintf(name, sizeof(name), "%s/hidden", directory);
	tree_write(tree, name, "1\n");
}

/* Adds port `n` to an ATA controller. `class` is the class of the port's drive: "none", "ata", … */
static UNUSED void tree_add_ata_port(const struct tree *tree, const char *address, int n,
				     const char *class)
{
	char directory[140], name[20];

	snprintf(directory, sizeof(directory), TREE_DEVICES "%s/ata%d/ata_port/ata%d", address, n,
		 n);
	snprintf(name, sizeof(name), "ata%d", n);
	tree_add_node(tree, "ata_port", name, directory, NULL);
	snprintf(directory, sizeof(directory), TREE_DEVICES "%s/ata%d/host%d/scsi_host/host%d",
		 address, n, n, n);
	snprintf(name, sizeof(name), "host%d", n);
	tree_add_node(tree, "scsi_host", name, directory, NULL);
	snprintf(directory, sizeof(directory),
		 TREE_DEVICES "%s/ata%d/link%d/dev%d.0/ata_device/dev%d.0", address, n, n, n, n);
	snprintf(name, sizeof(name), "dev%d.0", n);
	tree_add_node(tree, "ata_device", name, directory, NULL);
	strcat(directory, "/class");
	tree_write(tree, directory, class);
}

/* Adds the SCSI device of the drive at port `n`. If `disk` is NULL, the drive is no disk. */
static UNUSED void tree_add_ata_disk(const struct tree *tree, const char *address, int n,
				     const char *disk, const char *number)
{
	char device[140], directory[200], name[20];

	snprintf(device, sizeof(device), TREE_DEVICES "%s/ata%d/host%d/target%d:0:0/%d:0:0:0",
		 address, n, n, n, n);
	snprintf(name, sizeof(name), "%d:0:0:0", n);
	snprintf(directory, sizeof(directory), "%s/scsi_device/%s", device, name);
	tree_add_node(tree, "scsi_device", name, directory, NULL);
	strcat(directory, "/device");
	tree_link(tree, directory, device);
	if (!disk)
		return;
	snprintf(directory, sizeof(directory), "%s/block/%s", device, disk);
	tree_add_node(tree, "block", disk, directory, number);
}

/* ---- The simulated kernel, in the agent's child processes ---- */

static UNUSED int tree_unbind(const char *function)
{
	char path[FILE_PATH_MAX];

	/* Not pause(): a test can end the hang. */
	while (file_exists("%s/hang-unbind", function))
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	if (file_path(path, "%s/driver", function) < 0 || unlink(path) < 0)
		return -ENODEV;
	return 0;
}

static UNUSED int tree_bind(const char *driver, const char *function)
{
	char path[FILE_PATH_MAX], text[32];
	uint64_t refusals;

	while (file_exists("%s/hang-bind", function))
		usleep(10000);
	if (file_read_number(&refusals, "%s/refuse-bind", function) == 0 && refusals > 0) {
		snprintf(text, sizeof(text), "%d", (int)refusals - 1);
		file_write_at(text, "%s/refuse-bind", function);
		return -EIO;
	}
	if (file_path(path, "%s/driver", function) < 0 || symlink(driver, path) < 0)
		return -EBUSY;
	return 0;
}

static UNUSED int tree_kernel_write(const char *path, const char *text)
{
	char base[FILE_PATH_MAX], function[FILE_PATH_MAX];
	char *found;

	strcpy(base, path);
	if ((found = strstr(base, "/driver/unbind"))) {
		*found = '\0';
		return tree_unbind(base);
	}
	if ((found = strstr(base, "/drivers/")) && strstr(base, "/bind")) {
		if (!file_exists("%s", path))
			return -ENOENT;
		*found = '\0';
		if (file_path(function, "%s/devices/%s", base, text) < 0)
			return -EINVAL;
		*found = '/';
		*strrchr(base, '/') = '\0';
		return tree_bind(base, function);
	}
	if ((found = strstr(base, "/reset"))) {
		int fd;

		strcpy(found, "/was-reset");
		fd = open(base, O_CREAT | O_WRONLY, 0600);
		close(fd);
		return 0;
	}
	return file_write(path, text);
}

static UNUSED int tree_links_list(const struct roots *roots, const char *address, char *ret_names,
				  size_t size)
{
	return file_read(ret_names, size, "%s/bus/pci/devices/%s/links", roots->sys, address);
}

static UNUSED int tree_links_save(const struct roots *roots, const char *address)
{
	(void)roots;
	(void)address;
	return 0;
}

static UNUSED void tree_links_down(const struct roots *roots, const char *address)
{
	(void)roots;
	(void)address;
}

static UNUSED int tree_links_restore(const struct roots *roots, const char *address,
				     struct netlink *monitor, uint64_t deadline_us, char *ret_text,
				     size_t size)
{
	(void)monitor;
	(void)deadline_us;
	if (file_exists("%s/bus/pci/devices/%s/refuse-links", roots->sys, address))
		return -ENODEV;
	(void)file_read(ret_text, size, "%s/bus/pci/devices/%s/links-complaint", roots->sys,
			address);
	return 0;
}

static UNUSED const struct device_ops tree_device_ops = {
	.write = tree_kernel_write,
	.links_list = tree_links_list,
	.links_save = tree_links_save,
	.links_down = tree_links_down,
	.links_restore = tree_links_restore,
};

static UNUSED int tree_nothing_claimed(const struct roots *roots, const char *number)
{
	(void)roots;
	(void)number;
	return 0;
}

/* ---- A cgroup that freezes and thaws as requested ---- */

static UNUSED int tree_obey(sd_event_source *source, const struct inotify_event *event,
			    void *userdata)
{
	const char *directory = userdata;
	char told[8];

	(void)source;
	(void)event;
	if (file_read(told, sizeof(told), "%s/cgroup.freeze", directory) > 0)
		file_write_at(strcmp(told, "1") == 0 ? "populated 1\nfrozen 1\n"
						     : "populated 1\nfrozen 0\n",
			      "%s/cgroup.events", directory);
	return 0;
}

/* Makes the event loop simulate the kernel's freezer for an existing cgroup. */
static UNUSED void tree_watch_cgroup(const struct tree *tree, const char *cgroup, sd_event *event)
{
	char name[200], path[FILE_PATH_MAX], *directory;
	sd_event_source *source;

	snprintf(name, sizeof(name), "sys/fs/cgroup/%s", cgroup);
	tree_path(tree, path, name);
	directory = strdup(path);
	strcat(path, "/cgroup.freeze");
	assert_true(sd_event_add_inotify(event, &source, path, IN_CLOSE_WRITE, tree_obey,
					 directory) >= 0);
	sd_event_source_set_destroy_callback(source, free);
	sd_event_source_set_floating(source, 1);
	sd_event_source_unref(source);
}

/* Adds a cgroup. If `event` is NULL, the cgroup does not react to cgroup.freeze. */
static UNUSED void tree_add_cgroup(const struct tree *tree, const char *cgroup, sd_event *event)
{
	char name[200];

	snprintf(name, sizeof(name), "sys/fs/cgroup/%s/cgroup.freeze", cgroup);
	tree_write(tree, name, "0");
	snprintf(name, sizeof(name), "sys/fs/cgroup/%s/cgroup.events", cgroup);
	tree_write(tree, name, "populated 1\nfrozen 0\n");
	snprintf(name, sizeof(name), "sys/fs/cgroup/%s/cgroup.procs", cgroup);
	tree_write(tree, name, "");
	if (event)
		tree_watch_cgroup(tree, cgroup, event);
}

#endif
