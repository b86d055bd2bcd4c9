/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/battery.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

/* The highest charge of a low battery, in percent: systemd's BATTERY_LOW_CAPACITY_LEVEL. */
#define LOW_PERCENT 5

struct supply {
	bool mains_online;
	bool battery_discharges;
	bool battery_is_fine;
};

/* Reads an attribute without its newline; "" if it cannot be read. */
static void read_attribute(int directory_fd, const char *supply, const char *name, char *ret,
			   size_t size)
{
	_cleanup_(closep) int fd = -EBADF;
	char path[300];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", supply, name);
	fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static void add_battery(int directory_fd, const char *name, struct supply *all)
{
	char text[32];
	uint64_t percent;

	read_attribute(directory_fd, name, "scope", text, sizeof(text));
	if (strcmp(text, "Device") == 0)
		return;
	read_attribute(directory_fd, name, "capacity", text, sizeof(text));
	if (parse_u64(text, 100, &percent) < 0)
		return;
	all->battery_is_fine |= percent > LOW_PERCENT;
	read_attribute(directory_fd, name, "status", text, sizeof(text));
	all->battery_discharges |= strcmp(text, "Discharging") == 0;
}

static void add_supply(int directory_fd, const char *name, struct supply *all)
{
	char text[32];

	read_attribute(directory_fd, name, "type", text, sizeof(text));
	if (strcmp(text, "Battery") == 0) {
		add_battery(directory_fd, name, all);
	} else if (strcmp(text, "Mains") == 0 || strcmp(text, "USB") == 0) {
		read_attribute(directory_fd, name, "online", text, sizeof(text));
		all->mains_online |= strcmp(text, "1") == 0;
	}
}

bool battery_is_low(const char *sys)
{
	_cleanup_(freep) char *path = NULL;
	struct supply all = { 0 };
	struct dirent *entry;
	_cleanup_(closedirp) DIR *directory = NULL;

	assert(sys);
	if (asprintf(&path, "%s/class/power_supply", sys) < 0)
		return false;
	directory = opendir(path);
	if (!directory)
		return false;
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			add_supply(dirfd(directory), entry->d_name, &all);
	return all.battery_discharges && !all.battery_is_fine && !all.mains_online;
}
