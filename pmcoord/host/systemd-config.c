/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/systemd-config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/ini-file.h"
#include "base/string-list.h"

/* Directories of NAME.conf and NAME.conf.d, in order of precedence. */
static const char *const directories[] = {
	"etc/systemd",
	"run/systemd",
	"usr/local/lib/systemd",
	"usr/lib/systemd",
};

struct reader {
	const char *section;
	systemd_config_fn handle;
	void *data;
};

static int take_key(void *data, const struct ini_position *position, const char *section,
		    const char *key, const char *value, struct error *error)
{
	const struct reader *reader = data;

	(void)error;
	if (strcmp(section, reader->section) == 0)
		reader->handle(reader->data, position->file, key, value);
	return 0;
}

static void ignore_problem(void *data, const char *problem)
{
	(void)data;
	(void)problem;
}

/* Returns whether the file is there. */
static bool read_file(const char *path, struct reader *reader)
{
	return ini_file_parse(path, take_key, ignore_problem, reader, NULL) != -ENOENT;
}

static int is_drop_in(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && strcmp(dot, ".conf") == 0;
}

static void read_drop_in(const char *root, const char *name, const char *drop_in,
			 struct reader *reader)
{
	char path[PATH_MAX];
	bool found = false;

	for (size_t i = 0; i < ELEMENTSOF(directories) && !found; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s.d/%s", root, directories[i], name, drop_in);
		found = read_file(path, reader);
	}
}

static int read_drop_ins(const char *root, const char *name, struct reader *reader)
{
	struct string_list names = { 0 };
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < ELEMENTSOF(directories) && r == 0; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s.d", root, directories[i], name);
		r = string_list_add_directory(&names, path, is_drop_in);
	}
	string_list_sort(&names);
	for (size_t i = 0; i < names.n && r == 0; i++)
		if (i == 0 || strcmp(names.texts[i], names.texts[i - 1]) != 0)
			read_drop_in(root, name, names.texts[i], reader);
	string_list_done(&names);
	return r;
}

int systemd_config_read(const char *root, const char *name, const char *section,
			systemd_config_fn handle, void *data)
{
	struct reader reader = { section, handle, data };
	char path[PATH_MAX];
	bool found = false;

	assert(root && name && section && handle);
	for (size_t i = 0; i < ELEMENTSOF(directories) && !found; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", root, directories[i], name);
		found = read_file(path, &reader);
	}
	return read_drop_ins(root, name, &reader);
}
