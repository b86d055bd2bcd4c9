/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/report-store.h"

#include <assert.h>
#include <errno.h>

#include "pmcoord/cleanup.h"
#include "record/report-file.h"

/* Moves a report from /run to the disk. Returns 0 or a negative errno. */
static int move(const struct roots *roots, uint64_t number, uint64_t keep)
{
	_cleanup_(report_freep) struct report *report = NULL;
	int r = report_load(roots->unsaved_reports, number, &report, NULL);

	if (r == 0)
		r = report_save(roots->reports, report, keep, NULL);
	/* What is no report cannot be kept as one. */
	if (r < 0 && r != -EBADMSG)
		return r;
	return report_remove(roots->unsaved_reports, number);
}

void report_store_flush(const struct roots *roots, uint64_t keep)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = report_list(roots->unsaved_reports, &numbers);

	for (int i = 0; i < n; i++)
		if (move(roots, numbers[i], keep) < 0)
			return;
}

int report_store_save(const struct roots *roots, const struct report *report, uint64_t keep,
		      struct error *error)
{
	int r;

	assert(roots && report);
	r = report_save(roots->reports, report, keep, error);
	if (r == 0)
		report_store_flush(roots, keep);
	else if (report_save(roots->unsaved_reports, report, keep, NULL) == 0)
		r = REPORT_UNSAVED;
	return r;
}

int report_store_load(const struct roots *roots, uint64_t number, struct report **ret_report,
		      struct error *error)
{
	uint64_t wanted = number ? number : report_store_last_number(roots);

	assert(roots && ret_report);
	if (wanted != 0 && report_load(roots->unsaved_reports, wanted, ret_report, NULL) == 0)
		return 0;
	return report_load(roots->reports, number, ret_report, error);
}

uint64_t report_store_last_number(const struct roots *roots)
{
	uint64_t saved = report_last_number(roots->reports);
	uint64_t unsaved = report_last_number(roots->unsaved_reports);

	return saved > unsaved ? saved : unsaved;
}
