/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_COMMANDS_H
#define PMCOORD_CLI_COMMANDS_H

/* The tables of commands and options, and the help texts made from them. */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/exit-code.h"
#include "cli/cli.h"

struct command {
	const char *name;
	const char *arguments; /* such as "GUEST..."; NULL: none */
	const char *summary; /* NULL: internal, not in the help */
	const char *description; /* NULL: only the summary */
	const char *examples; /* one per line */
	enum exit_code (*run)(struct cli *cli);
	size_t min_arguments, max_arguments;
	const char *options; /* letters of the specific options that it accepts; "": none */
	bool suspends; /* suspends guests, so the file that --config names must be readable */
	bool is_read_only; /* changes no guest, so the command fails if its output is lost */
	bool reports_bad_config; /* loads the configuration itself, and reports errors in it */
};

struct option_info {
	const char *name; /* without dashes */
	int letter; /* what getopt returns; also the short option if has_short */
	bool has_short;
	const char *argument; /* NULL: none */
	const char *help;
	bool is_specific; /* only some commands accept it */
};

/* Each table ends with an entry whose name is NULL. */
extern const struct command commands[];
extern const struct option_info option_infos[];

/* Returns the command with this name, or NULL if there is none. */
const struct command *command_find(const char *name);
/* Returns the option with this letter, or NULL if there is none. */
const struct option_info *option_find(int letter);

/* Prints the general help to standard output. */
void help_print(void);
/* Prints the help of one command to standard output. */
void help_print_command(const struct command *command);

#endif
