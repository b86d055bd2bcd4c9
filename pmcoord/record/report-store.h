/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_REPORT_STORE_H
#define PMCOORD_RECORD_REPORT_STORE_H

/*
 * The host's reports, wherever they are: on a disk (roots.reports), or on /run
 * (roots.unsaved_reports) as long as they cannot be written to the disk. A disk that is
 * full or read-only keeps no host from sleeping.
 */

#include <stdint.h>

#include "pmcoord/error.h"
#include "host/roots.h"
#include "record/report.h"

/* report_store_save: the report is on /run only */
#define REPORT_UNSAVED 1

/*
 * Writes the report to the disk, and then those that are still on /run. If that fails,
 * writes it to /run. Keeps the newest `keep` reports and this one. Returns 0;
 * REPORT_UNSAVED with the reason in `error`; or a negative errno with `error` set if it
 * could not be written anywhere.
 */
int report_store_save(const struct roots *roots, const struct report *report, uint64_t keep,
		      struct error *error);

/* Writes the reports that are still on /run to the disk, if that is possible now. */
void report_store_flush(const struct roots *roots, uint64_t keep);

/* As report_load, from the disk or /run. */
int report_store_load(const struct roots *roots, uint64_t number, struct report **ret_report,
		      struct error *error);

/* As report_last_number, of the disk and /run. */
uint64_t report_store_last_number(const struct roots *roots);

#endif
