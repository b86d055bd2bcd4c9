/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/backoff.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

#define FIRST_DELAY_US 30000000ull
#define LONGEST_DELAY_US (15 * 60 * 1000000ull)

struct failures {
	uint64_t count; /* since the last backoff_forget */
	uint64_t last_us; /* CLOCK_BOOTTIME of the last failure */
	char reason[512]; /* of the last failure */
};

static int path_of(const char *run_directory, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%s/failed-sleeps", run_directory);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int read_line(FILE *file, char *ret, int size)
{
	if (!fgets(ret, size, file))
		return -EBADMSG;
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static int read_number(FILE *file, uint64_t *ret)
{
	char text[24];
	int r = read_line(file, text, sizeof(text));

	return r < 0 ? r : parse_u64(text, INT64_MAX, ret);
}

/* Reads the file; *ret has no failures if the file is missing or damaged. */
static void read_failures(const char *run_directory, struct failures *ret)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[PATH_MAX];

	*ret = (struct failures){ 0 };
	if (path_of(run_directory, path, sizeof(path)) < 0)
		return;
	file = fopen(path, "re");
	if (!file)
		return;
	if (read_number(file, &ret->count) < 0 || read_number(file, &ret->last_us) < 0 ||
	    read_line(file, ret->reason, sizeof(ret->reason)) < 0)
		*ret = (struct failures){ 0 };
}

static uint64_t delay_us_after(uint64_t n_failures)
{
	uint64_t delay_us = FIRST_DELAY_US;

	while (n_failures-- > 1 && delay_us < LONGEST_DELAY_US)
		delay_us *= 2;
	return delay_us < LONGEST_DELAY_US ? delay_us : LONGEST_DELAY_US;
}

int backoff_check(const char *run_directory, uint64_t now_us, struct error *error)
{
	struct failures failures;
	uint64_t due_us;

	assert(run_directory);
	read_failures(run_directory, &failures);
	due_us = failures.last_us + delay_us_after(failures.count);
	/*
	 * CLOCK_BOOTTIME starts at zero at each boot, so a recorded time in
	 * the future is from an earlier boot. Such a failure does not count.
	 */
	if (failures.count == 0 || failures.last_us > now_us || due_us <= now_us)
		return 0;
	return error_set(
		error, -EAGAIN,
		"not sleeping: the last %s failed (%s), and the lid is still closed; the next attempt is due in %" PRIu64
		" s, or when the lid is opened",
		failures.count == 1 ? "attempt" : "attempts", failures.reason,
		(due_us - now_us + 999999) / 1000000);
}

int backoff_note_failure(const char *run_directory, uint64_t now_us, const char *reason)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[PATH_MAX], fresh[PATH_MAX + 4];
	struct failures failures;
	int r;

	assert(run_directory && reason);
	r = path_of(run_directory, path, sizeof(path));
	if (r < 0)
		return r;
	read_failures(run_directory, &failures);
	text_sanitize(reason, strlen(reason), failures.reason, sizeof(failures.reason));
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	if (!file)
		return -errno;
	if (fprintf(file, "%" PRIu64 "\n%" PRIu64 "\n%s\n", failures.count + 1, now_us,
		    failures.reason) < 0 ||
	    fflush(file) != 0 || rename(fresh, path) < 0) {
		r = -errno;
		unlink(fresh);
	}
	return r;
}

void backoff_forget(const char *run_directory)
{
	char path[PATH_MAX];

	assert(run_directory);
	if (path_of(run_directory, path, sizeof(path)) == 0)
		unlink(path);
}
