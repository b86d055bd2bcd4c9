/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/damage.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"

static void write_text(const char *path, const char *mode, const char *text)
{
	_cleanup_(fclosep) FILE *file = fopen(path, mode);

	if (file)
		fputs(text, file);
}

/* Moves the reports away; they stay readable for those who look for them there. */
static void move_reports(const char *directory, char path[static PATH_MAX])
{
	char away[PATH_MAX];

	snprintf(path, PATH_MAX, "%s/reports", directory);
	snprintf(away, sizeof(away), "%s/reports.away", directory);
	if (rename(path, away) < 0)
		unlink(path);
}

/* A file in place of the directory. */
static void reports_file(const char *directory)
{
	char path[PATH_MAX];

	move_reports(directory, path);
	write_text(path, "we", "");
}

/* A file system in which nobody can make a file, not even root. */
static void reports_readonly(const char *directory)
{
	char path[PATH_MAX];

	move_reports(directory, path);
	if (symlink("/sys/kernel", path) < 0)
		write_text(path, "we", "");
}

/* A disk that is full at the next report. */
static void reports_full(const char *directory)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/reports", directory);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/reports/.new", directory);
	unlink(path);
	/* Fails if there is no such directory, after another damage. */
	(void)!symlink("/dev/full", path);
}

static void reports_garbage(const char *directory)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/reports", directory);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/reports/7.json", directory);
	write_text(path, "we", "{ \"cycle\": 7, \"resu");
}

static void reports_repaired(const char *directory)
{
	char path[PATH_MAX], away[PATH_MAX];

	snprintf(path, sizeof(path), "%s/reports", directory);
	snprintf(away, sizeof(away), "%s/reports.away", directory);
	unlink(path);
	rename(away, path);
}

/* ---- journals ----------------------------------------------------------- */

/* Finds the journal of the last cycle. Returns false if there is none. */
static bool newest_journal(const char *directory, char path[static PATH_MAX])
{
	_cleanup_(closedirp) DIR *journals = NULL;
	unsigned long newest = 0, number;
	struct dirent *entry;
	char *end;

	snprintf(path, PATH_MAX, "%s/cycles", directory);
	journals = opendir(path);
	while (journals && (entry = readdir(journals))) {
		number = strtoul(entry->d_name, &end, 10);
		if (number > newest && *end == '\0')
			newest = number;
	}
	snprintf(path, PATH_MAX, "%s/cycles/%lu", directory, newest);
	return newest > 0;
}

static void append_to_journal(const char *directory, const char *text)
{
	char path[PATH_MAX];

	if (newest_journal(directory, path))
		write_text(path, "ae", text);
}

/* A kill in the middle of a write leaves half of a record. */
static void journal_half(const char *directory)
{
	append_to_journal(directory, "1234567 unsub");
}

/* What a later version might record: about the cycle, and about a guest. */
static void journal_unknown(const char *directory)
{
	append_to_journal(directory, "1234567 colour green\n");
}

static void journal_unknown_guest(const char *directory)
{
	append_to_journal(directory, "1234567 unsubscribed 0\n");
}

static void journal_stray(const char *directory)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/cycles", directory);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/cycles/README", directory);
	write_text(path, "we", "nothing\n");
}

static void id_garbage(const char *directory)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/last-cycle", directory);
	write_text(path, "we", "12x\n");
}

/* ---- all ---------------------------------------------------------------- */

static void (*const damages[])(const char *directory) = {
	reports_file, reports_readonly, reports_full,	       reports_garbage, reports_repaired,
	journal_half, journal_unknown,	journal_unknown_guest, journal_stray,	id_garbage,
};

const char *const damage_names[] = {
	"reports-file",
	"reports-readonly",
	"reports-full",
	"reports-garbage",
	"reports-repaired",
	"journal-half",
	"journal-unknown",
	"journal-unknown-guest",
	"journal-stray",
	"id-garbage",
	NULL,
};

int damage_make(const char *directory, const char *name)
{
	for (size_t i = 0; i < ELEMENTSOF(damages); i++) {
		if (strcmp(damage_names[i], name) != 0)
			continue;
		damages[i](directory);
		return 0;
	}
	fprintf(stderr, "'%s' is no damage\n", name);
	return -1;
}
