/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_EXIT_CODE_H
#define PMCOORD_CLI_EXIT_CODE_H

#include <json-c/json.h>

#include "pmcoord/error.h"

/* The documented exit codes (pmcoord(8)). */
enum exit_code {
	EXIT_AS_PLANNED = 0,
	EXIT_ROLLED_BACK = 1,
	EXIT_USAGE = 2,
	EXIT_DEGRADED = 3,
	EXIT_UNSUPPORTED = 4,
	EXIT_BUSY = 5,
	EXIT_STRANDED = 6,
};

/* The code that goes with an error that stopped a command. */
enum exit_code exit_code_of_error(const struct error *error);

/* The code that goes with a finished cycle. */
enum exit_code exit_code_of_report(struct json_object *report);

#endif
