/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/inhibitors.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"

/*
 * Finds the line "`key`=…" in `text`, the contents of a state file of logind, and copies the
 * value to `ret`; "" if there is no such line.
 */
static void get_value(const char *text, const char *key, char *ret, size_t size)
{
	size_t length = strlen(key);

	ret[0] = '\0';
	for (const char *line = text; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (strncmp(line, key, length) == 0 && line[length] == '=') {
			snprintf(ret, size, "%.*s", (int)strcspn(line + length + 1, "\n"),
				 line + length + 1);
			return;
		}
}

/* Whether `item` is in a list such as "shutdown:sleep". */
static bool list_contains(const char *list, const char *item)
{
	size_t length = strlen(item);

	for (const char *start = list; start;
	     start = strchr(start, ':'), start = start ? start + 1 : NULL)
		if (strncmp(start, item, length) == 0 &&
		    (start[length] == ':' || start[length] == '\0'))
			return true;
	return false;
}

static bool blocks_sleep(const char *text, char *ret, size_t size)
{
	char what[128], mode[32], who[64], why[160];

	get_value(text, "WHAT", what, sizeof(what));
	get_value(text, "MODE", mode, sizeof(mode));
	/* The mode block-weak (since systemd 257) does not count: it is meant to be overridden. */
	if (!list_contains(what, "sleep") || strcmp(mode, "block") != 0)
		return false;
	get_value(text, "WHO", who, sizeof(who));
	get_value(text, "WHY", why, sizeof(why));
	snprintf(ret, size, "'%s' blocks sleep in this guest: %s", who, why);
	return true;
}

bool inhibitors_find(const struct roots *roots, char *ret, size_t size)
{
	char path[FILE_PATH_MAX];
	struct dirent *entry;
	bool found = false;
	_cleanup_(closedirp) DIR *directory = NULL;

	assert(roots);
	assert(size > 0);
	if (file_path(path, "%s/systemd/inhibit", roots->services) < 0)
		return false;
	directory = opendir(path);
	while (directory && !found && (entry = readdir(directory))) {
		char text[1024];

		/* Skip ".", ".." and FIFOs: the file "7" has a FIFO "7.ref". */
		if (strchr(entry->d_name, '.'))
			continue;
		found = file_read(text, sizeof(text), "%s/%s", path, entry->d_name) > 0 &&
			blocks_sleep(text, ret, size);
	}
	return found;
}
