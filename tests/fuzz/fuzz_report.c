/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A report's JSON: each report that can be loaded can be printed and drawn. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pmcoord/error.h"
#include "record/report-file.h"
#include "record/report.h"
#include "view/report-text.h"
#include "view/timeline.h"
#include "tests/fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report *report = NULL;
	struct error error = { 0 };
	char blame[256];
	FILE *out;

	fuzz_file("1.json", data, size);
	if (report_load(fuzz_directory(), 1, &report, &error) < 0) {
		if (error.text[0] == '\0')
			abort();
		return 0;
	}
	report_explain(report, blame, sizeof(blame));
	out = fopen("/dev/null", "we");
	if (out) {
		report_print(report, fuzz_directory(), out);
		fclose(out);
	}
	timeline_write(report, "/dev/null", &error);
	report_free(report);
	return 0;
}
