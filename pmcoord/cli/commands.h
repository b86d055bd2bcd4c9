/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_COMMANDS_H
#define PMCOORD_CLI_COMMANDS_H

/* The subcommands and options, as tables, and the help that is made of them. */

#include "cli/cli.h"

struct command {
	const char *name;
	const char *arguments; /* "GUEST..."; NULL: it takes none */
	const char *summary; /* NULL: not for people, in no help */
	const char *description; /* NULL: the summary says it all */
	const char *examples; /* a line each */
	enum exit_code (*run)(struct cli *cli);
	size_t min_arguments, max_arguments;
	const char *options; /* letters of those that not all commands take */
	bool only_tells; /* what it prints is all that it does */
	bool loads_itself; /* it tells of a bad configuration in its own way */
};

struct option_info {
	const char *name; /* without its dashes */
	int letter; /* what getopt says; printable ones of `has_short` */
	bool has_short;
	const char *argument; /* NULL: it takes none */
	const char *help;
	bool is_special; /* only some commands take it */
};

/* Both end with an entry without a name. */
extern const struct command commands[];
extern const struct option_info option_infos[];

/* NULL if there is none. */
const struct command *command_find(const char *name);
const struct option_info *option_find(int letter);

/* What all commands do, or this one, to standard output. */
void help_print(void);
void help_print_command(const struct command *command);

#endif
