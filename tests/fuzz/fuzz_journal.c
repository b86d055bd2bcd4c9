/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A cycle's journal: each journal that can be replayed gives a report. */

#include <stdint.h>
#include <stdlib.h>

#include "pmcoord/error.h"
#include "model/cycle.h"
#include "record/journal.h"
#include "record/report.h"
#include "tests/fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report *report = NULL;
	struct error error = { 0 };
	struct cycle cycle = { 0 };
	char blame[256];
	int r;

	fuzz_file("1", data, size);
	r = journal_read(fuzz_directory(), 1, &cycle, &error);
	if (r == 0 && report_new(&cycle, &report) == 0)
		report_explain(report, blame, sizeof(blame));
	report_free(report);
	cycle_done(&cycle);
	return 0;
}
