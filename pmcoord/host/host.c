/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

/* The most layers of stacked block devices (LUKS on LVM on RAID) that are searched. */
#define STACK_MAX 8

/* Reads the first line of a small file. Returns 0, or a negative errno with `ret` "". */
static int read_text(const char *directory, const char *name, char *ret, size_t size)
{
	char path[PATH_MAX];
	_cleanup_(closep) int fd = -EBADF;
	ssize_t n;

	ret[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, ret, size - 1);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

/* ---- sleep --------------------------------------------------------------- */

static enum host_sleep read_sleep(const char *sys, char *ret, size_t size)
{
	if (read_text(sys, "power/state", ret, size) < 0)
		return HOST_SLEEP_UNKNOWN;
	if (!strstr(ret, "mem"))
		return HOST_SLEEP_NONE;
	/* Without mem_sleep, "mem" in /sys/power/state is S3. */
	if (read_text(sys, "power/mem_sleep", ret, size) < 0 || strstr(ret, "[deep]"))
		return HOST_SLEEP_S3;
	return strstr(ret, "deep") ? HOST_SLEEP_S3_NOT_CHOSEN : HOST_SLEEP_S2IDLE;
}

static unsigned int read_xen_version(const char *sys, const char *part)
{
	char name[64], text[16];
	uint64_t number;

	snprintf(name, sizeof(name), "hypervisor/version/%s", part);
	if (read_text(sys, name, text, sizeof(text)) < 0 || parse_u64(text, 1000, &number) < 0)
		return 0;
	return (unsigned int)number;
}

/* ---- disks --------------------------------------------------------------- */

/*
 * Whether the block device in this sysfs directory is a Xen frontend, or is stacked on
 * a Xen frontend (LUKS, LVM, RAID). If so, sets `ret` to the name of the frontend.
 */
static bool is_xen_disk(const char *directory, unsigned int depth, char *ret, size_t size)
{
	char slaves[PATH_MAX + sizeof("/slaves")];
	bool found = false;
	struct dirent *entry;
	_cleanup_(closedirp) DIR *dir = NULL;

	if (strstr(directory, "/vbd-")) {
		text_sanitize(strrchr(directory, '/') + 1, strlen(strrchr(directory, '/') + 1), ret,
			      size);
		return true;
	}
	snprintf(slaves, sizeof(slaves), "%s/slaves", directory);
	dir = depth < STACK_MAX ? opendir(slaves) : NULL;
	while (dir && !found && (entry = readdir(dir))) {
		char path[sizeof(slaves) + NAME_MAX + 1], real[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", slaves, entry->d_name);
		found = entry->d_name[0] != '.' && realpath(path, real) &&
			is_xen_disk(real, depth + 1, ret, size);
	}
	return found;
}

/*
 * Whether a line of mountinfo, e.g. "21 1 202:1 / /mnt rw … - ext4 /dev/xvda1 rw", is
 * a mount of a Xen disk. If so, sets guest_disk and guest_disk_mount.
 */
static bool is_on_xen_disk(const char *sys, const char *line, struct host *host)
{
	char device[32], mounted[sizeof(host->guest_disk_mount)];
	char path[PATH_MAX], real[PATH_MAX];

	if (sscanf(line, "%*s %*s %31s %*s %127s", device, mounted) != 2)
		return false;
	snprintf(path, sizeof(path), "%s/dev/block/%s", sys, device);
	if (!realpath(path, real) ||
	    !is_xen_disk(real, 0, host->guest_disk, sizeof(host->guest_disk)))
		return false;
	strcpy(host->guest_disk_mount, mounted);
	return true;
}

void host_read_disks(const char *root, const char *sys, struct host *host)
{
	_cleanup_(fclosep) FILE *mounts = NULL;
	_cleanup_(freep) char *line = NULL;
	char path[PATH_MAX];
	size_t size = 0;

	assert(root && sys && host);
	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root);
	mounts = fopen(path, "re");
	while (mounts && getline(&line, &size, mounts) > 0)
		if (is_on_xen_disk(sys, line, host))
			return;
}

/* ---- reports ------------------------------------------------------------- */

/*
 * Sets reports_error and reports_free from the directory `reports`. Before the first
 * report, this directory does not exist, and the nearest ancestor that exists is used.
 */
static void read_reports(const char *reports, struct host *host)
{
	char path[PATH_MAX], *slash;
	struct statvfs fs;

	snprintf(path, sizeof(path), "%s", reports);
	while (access(path, F_OK) < 0 && errno == ENOENT && (slash = strrchr(path, '/')) &&
	       slash != path)
		*slash = '\0';
	if (access(path, W_OK | X_OK) < 0 || statvfs(path, &fs) < 0) {
		host->reports_error = errno;
		return;
	}
	host->reports_free = (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* ---- all ----------------------------------------------------------------- */

int host_read(const char *root, const struct roots *roots, struct host *ret_host)
{
	struct host host = { 0 };
	int r;

	assert(root && roots && ret_host);
	host.sleep = read_sleep(roots->sys, host.sleep_text, sizeof(host.sleep_text));
	host.xen_major = read_xen_version(roots->sys, "major");
	host.xen_minor = read_xen_version(roots->sys, "minor");
	host_read_disks(root, roots->sys, &host);
	read_reports(roots->reports, &host);
	r = host_read_systemd(root, &host.systemd);
	if (r < 0)
		return r;
	*ret_host = host;
	return 0;
}

void host_done(struct host *host)
{
	if (host)
		host_systemd_done(&host->systemd);
}

int host_read_pci_class(const char *sys, const char *address, uint32_t *ret_class)
{
	char name[96], text[16], *end;
	unsigned long class_code;
	int r;

	assert(sys && address && ret_class);
	snprintf(name, sizeof(name), "bus/pci/devices/%s/class", address);
	r = read_text(sys, name, text, sizeof(text));
	if (r < 0)
		return r;
	class_code = strtoul(text, &end, 16);
	if (end == text || *end != '\0' || class_code > 0xffffff)
		return -EBADMSG;
	*ret_class = (uint32_t)class_code;
	return 0;
}
