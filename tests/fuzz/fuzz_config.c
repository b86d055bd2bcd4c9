/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* pmcoord.conf: any input gives a usable configuration or an error text. */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "pmcoord/error.h"
#include "model/config.h"
#include "record/config-file.h"
#include "tests/fuzz/file.h"

static void ignore_warning(void *data, bool is_problem, const char *warning)
{
	(void)data;
	(void)is_problem;
	(void)warning;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = { 0 };
	struct config config;
	int r;

	config_init(&config);
	r = config_load(&config, fuzz_file("pmcoord.conf", data, size), ignore_warning, NULL,
			&error);
	if (r < 0 && error.text[0] == '\0')
		abort();
	config_for_guest(&config, "web");
	config_done(&config);
	return 0;
}
