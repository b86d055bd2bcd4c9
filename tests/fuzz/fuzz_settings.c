/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* agent.conf: any input gives usable settings or an error text. */

#include <stdint.h>
#include <stdlib.h>

#include "pmcoord/error.h"
#include "guest/settings.h"
#include "tests/fuzz/file.h"

static void ignore_problem(void *data, const char *problem)
{
	(void)data;
	(void)problem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings settings = { 0 };
	struct error error = { 0 };

	if (settings_read(&settings, fuzz_file("agent.conf", data, size), ignore_problem, NULL,
			  &error) >= 0)
		settings_find_rule(&settings, "0000:00:04.0", "e1000e", "8086:10d3");
	settings_done(&settings);
	return 0;
}
