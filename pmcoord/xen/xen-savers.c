/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-savers.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

#define HELPER "libxl-save-helper"

/* Arguments of libxl-save-helper, see run_helper() in libxl's libxl_save_callout.c. */
enum argument {
	ARGUMENT_PROGRAM,
	ARGUMENT_MODE, /* "--save-domain" or "--restore-domain" */
	ARGUMENT_STREAM,
	ARGUMENT_BACK_CHANNEL,
	ARGUMENT_DOMID,
	N_ARGUMENTS,
};

/* Splits a command line at its NULs. Returns false if it has too few arguments. */
static bool split(const char *text, size_t length, const char *arguments[N_ARGUMENTS])
{
	const char *end = text + length;
	size_t n = 0;

	for (; n < N_ARGUMENTS && text < end; text += strlen(text) + 1)
		arguments[n++] = text;
	return n == N_ARGUMENTS;
}

static bool is_saver(const char *const arguments[N_ARGUMENTS], uint32_t domid)
{
	const char *slash = strrchr(arguments[ARGUMENT_PROGRAM], '/');
	const char *program = slash ? slash + 1 : arguments[ARGUMENT_PROGRAM];
	uint64_t number;

	return strcmp(program, HELPER) == 0 &&
	       strcmp(arguments[ARGUMENT_MODE], "--save-domain") == 0 &&
	       parse_u64(arguments[ARGUMENT_DOMID], UINT32_MAX, &number) == 0 && number == domid;
}

/* Whether the process saves this domain. `process` is a name in /proc. */
static bool process_saves(const char *process, uint32_t domid)
{
	const char *arguments[N_ARGUMENTS];
	_cleanup_(fclosep) FILE *file = NULL;
	char path[64], text[512];
	size_t length;

	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", process);
	file = fopen(path, "re");
	length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[length] = '\0';
	return split(text, length, arguments) && is_saver(arguments, domid);
}

bool xen_savers_has(uint32_t domid)
{
	DIR *directory = opendir("/proc");
	const struct dirent *entry;
	uint64_t number;
	bool found = false;

	while (directory && !found && (entry = readdir(directory)))
		if (parse_u64(entry->d_name, UINT32_MAX, &number) == 0)
			found = process_saves(entry->d_name, domid);
	if (directory)
		closedir(directory);
	return found;
}
