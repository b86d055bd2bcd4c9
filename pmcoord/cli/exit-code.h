/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_EXIT_CODE_H
#define PMCOORD_CLI_EXIT_CODE_H

#include <json-c/json.h>

#include "pmcoord/error.h"
#include "pmcoord/exit.h"

/* The code that goes with an error that stopped a command. */
enum exit_code exit_code_of_error(const struct error *error);

/* The code that goes with a finished cycle. */
enum exit_code exit_code_of_report(struct json_object *report);

#endif
