/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/battery.h"

#include <assert.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "host/attribute.h"

struct supply {
	unsigned int low_percent;
	bool mains_online;
	bool battery_discharges;
	bool battery_is_fine;
	unsigned int n_batteries; /* those with a known charge */
	uint64_t percents; /* the sum of their charges */
};

/* Reads an attribute of a supply; "" if it cannot be read. */
static void read_attribute(int directory_fd, const char *supply, const char *name, char *ret,
			   size_t size)
{
	char path[700];

	snprintf(path, sizeof(path), "%s/%s", supply, name);
	attribute_read_at(directory_fd, path, ret, size);
}

/* Some batteries publish only a level, and some a charge that is wrong when they are empty. */
static bool is_critical(int directory_fd, const char *name)
{
	char text[32];

	read_attribute(directory_fd, name, "capacity_level", text, sizeof(text));
	return strcmp(text, "Critical") == 0;
}

static void add_battery(int directory_fd, const char *name, struct supply *all)
{
	bool critical = is_critical(directory_fd, name);
	char text[32];
	uint64_t percent = 0;
	bool is_known;

	read_attribute(directory_fd, name, "capacity", text, sizeof(text));
	is_known = parse_u64(text, 100, &percent) == 0;
	if (!is_known && !critical)
		return;
	if (is_known) {
		all->n_batteries++;
		all->percents += percent;
	}
	all->battery_is_fine |= !critical && percent > all->low_percent;
	read_attribute(directory_fd, name, "status", text, sizeof(text));
	all->battery_discharges |= strcmp(text, "Discharging") == 0;
}

static int is_port(const struct dirent *entry)
{
	return strncmp(entry->d_name, "port", 4) == 0 && !strchr(entry->d_name, '-');
}

/*
 * Whether the supply's USB-C ports all give power, e.g. to a telephone: such a supply is online,
 * too. A supply without such ports takes power.
 */
static bool gives_power(int directory_fd, const char *name)
{
	struct dirent **ports;
	char path[600], text[64];
	bool takes = false;
	int n;

	snprintf(path, sizeof(path), "%s/device/typec", name);
	n = scandirat(directory_fd, path, &ports, is_port, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/device/typec/%s", name, ports[i]->d_name);
		read_attribute(directory_fd, path, "power_role", text, sizeof(text));
		/* "[source] sink", or just "sink" where it cannot be chosen. */
		takes |= strstr(text, "[sink]") || strcmp(text, "sink") == 0;
		free(ports[i]);
	}
	if (n >= 0)
		free(ports);
	return n > 0 && !takes;
}

static void add_mains(int directory_fd, const char *name, struct supply *all)
{
	char text[32];

	read_attribute(directory_fd, name, "online", text, sizeof(text));
	all->mains_online |= strcmp(text, "1") == 0 && !gives_power(directory_fd, name);
}

static void add_supply(int directory_fd, const char *name, struct supply *all)
{
	char text[32];

	/* Supplies and batteries of devices, such as a mouse or a headset. */
	read_attribute(directory_fd, name, "scope", text, sizeof(text));
	if (strcmp(text, "Device") == 0)
		return;
	read_attribute(directory_fd, name, "type", text, sizeof(text));
	if (strcmp(text, "Battery") == 0)
		add_battery(directory_fd, name, all);
	else if (strcmp(text, "Mains") == 0 || strcmp(text, "USB") == 0)
		add_mains(directory_fd, name, all);
}

static struct supply read_supplies(const char *sys, unsigned int low_percent)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closedirp) DIR *directory = NULL;
	struct supply all = { .low_percent = low_percent };
	struct dirent *entry;

	if (asprintf(&path, "%s/class/power_supply", sys) < 0)
		return all;
	directory = opendir(path);
	if (!directory)
		return all;
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			add_supply(dirfd(directory), entry->d_name, &all);
	return all;
}

bool battery_is_low(const char *sys, unsigned int low_percent)
{
	struct supply all;

	assert(sys);
	all = read_supplies(sys, low_percent);
	return all.battery_discharges && !all.battery_is_fine && !all.mains_online;
}

int battery_percent(const char *sys)
{
	struct supply all;

	assert(sys);
	all = read_supplies(sys, 0);
	return all.n_batteries ? (int)(all.percents / all.n_batteries) : -1;
}
