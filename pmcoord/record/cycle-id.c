/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/cycle-id.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "base/numbered-files.h"
#include "record/report-store.h"

/*
 * Returns the number of the last cycle as stored on /run, or 0 if it is unknown.
 * The newest report does not always have this number, because the report of the
 * last cycle may be missing, e.g. after a write error. No number may be used
 * twice, because agents remember the last cycle that they handled.
 */
static uint64_t last_number_on_run(const struct roots *roots)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(fclosep) FILE *file = NULL;
	char text[24];
	uint64_t number = 0;

	if (asprintf(&path, "%s/last-cycle", roots->run) < 0)
		return 0;
	file = fopen(path, "re");
	if (file && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		if (parse_u64(text, UINT64_MAX - 2, &number) < 0)
			number = 0;
	}
	return number;
}

/*
 * Returns the largest number of a journal on /run, or 0. The file with the last number
 * may be damaged.
 */
static uint64_t last_journal(const struct roots *roots)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = numbered_files_list(roots->journals, "", INT64_MAX - 1, &numbers);

	return n > 0 ? numbers[n - 1] : 0;
}

int cycle_id_store(const struct roots *roots, uint64_t number)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int fd = -EBADF;
	char text[24];
	int length = snprintf(text, sizeof(text), "%" PRIu64 "\n", number);

	if (asprintf(&path, "%s/last-cycle", roots->run) < 0)
		return -ENOMEM;
	/* Written over the old number, which takes no space: a full /run must not lose it. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0 || pwrite(fd, text, (size_t)length, 0) != length || ftruncate(fd, length) < 0)
		return -errno;
	return 0;
}

uint64_t cycle_id_next(const struct roots *roots, const struct inventory *inventory)
{
	uint64_t reported = report_store_last_number(roots);
	uint64_t run = last_number_on_run(roots);
	uint64_t journalled = last_journal(roots);
	uint64_t last = reported > run ? reported : run;
	uint64_t next = (last > journalled ? last : journalled) + 1;

	for (size_t i = 0; i < inventory->n_guests; i++) {
		uint64_t requested = inventory->guests[i].agent.request.cycle;

		/*
		 * A request for `next` itself does not count: it was written
		 * ahead of time for the cycle that now gets this number.
		 */
		if (requested > next && requested < UINT64_MAX)
			next = requested + 1;
	}
	return next;
}
