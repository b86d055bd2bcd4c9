/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* main: parses the command line, finds the command and runs it. */

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/exit-code.h"
#include "pmcoord/parse.h"
#include "pmcoord/write.h"
#include "cli/cli.h"
#include "cli/commands.h"

/* Size of the table for getopt, with its terminator. */
#define OPTIONS_MAX 32

/* The largest number that -n accepts; a larger one is a usage error. */
#define COUNT_MAX 100000

static int usage_error(const char *what, const char *name)
{
	fprintf(stderr, "pmcoord: %s%s%s; see 'pmcoord --help'\n", what, name ? " " : "",
		name ? name : "");
	return EXIT_USAGE;
}

static int parse_hypervisor(const char *value, struct options *options)
{
	if (strcmp(value, "xen") == 0)
		options->scenario = NULL;
	else if (strncmp(value, "sim:", 4) == 0 && value[4] != '\0')
		options->scenario = value + 4;
	else
		return usage_error("--hypervisor must be xen or sim:FILE, not", value);
	return EXIT_AS_PLANNED;
}

/* Stores one option. Returns EXIT_AS_PLANNED or EXIT_USAGE. */
static int parse_option(int option, const char *value, struct options *options)
{
	switch (option) {
	case 'g':
		options->guests_only = true;
		break;
	case 'D':
		options->dry_run = true;
		break;
	case 'n':
		if (parse_u64(value, COUNT_MAX, &options->count) < 0 || options->count == 0)
			return usage_error("-n must be a number from 1 to 100000, not", value);
		break;
	case 'S':
		options->with_sleep = true;
		break;
	case 'f':
		options->force = true;
		break;
	case 'd':
		options->dot_path = value;
		break;
	case 's':
		options->svg_path = value;
		break;
	case 'j':
		options->json = true;
		break;
	case 'c':
		options->config_path = value;
		break;
	case 'H':
		return parse_hypervisor(value, options);
	case 't':
		if (parse_duration(value, &options->timeout_us) < 0 || options->timeout_us == 0 ||
		    options->timeout_us > 3600000000ull)
			return usage_error("--timeout must be a time up to 1h (e.g. 30s), not",
					   value);
		break;
	case 'v':
		options->verbose = true;
		break;
	case 'q':
		options->quiet = true;
		break;
	default:
		return EXIT_USAGE;
	}
	return EXIT_AS_PLANNED;
}

/* The parsed command line. */
struct line {
	struct options options;
	char seen[64]; /* letters of the given options */
	bool wants_help, wants_version;
	bool changes_guests; /* set by run(); false for a read-only command */
};

/* Rejects specific options that the command does not accept. */
static int check_options(const struct command *command, const char *letters)
{
	char text[64];

	for (; *letters; letters++) {
		const struct option_info *info = option_find(*letters);

		if (!info || !info->is_specific || strchr(command->options, *letters))
			continue;
		snprintf(text, sizeof(text), "'%s' has no option --%s", command->name, info->name);
		return usage_error(text, NULL);
	}
	return EXIT_AS_PLANNED;
}

static int check_arguments(const struct command *command, const struct options *options)
{
	char text[64];

	snprintf(text, sizeof(text), "no guest given: usage: pmcoord %s", command->name);
	if (options->n_arguments < command->min_arguments)
		return usage_error(text, command->arguments);
	if (options->n_arguments > command->max_arguments)
		return usage_error("too many arguments:",
				   options->arguments[command->max_arguments]);
	return EXIT_AS_PLANNED;
}

/* Reports an option that getopt rejected with `code`. Returns EXIT_USAGE. */
static int option_error(char **argv, int code)
{
	const struct option_info *info = option_find(optopt);
	char text[64];

	if (code == ':' && info) {
		snprintf(text, sizeof(text), "--%s needs a value: %s", info->name, info->argument);
		return usage_error(text, NULL);
	}
	if (info && !info->argument) {
		snprintf(text, sizeof(text), "--%s takes no value", info->name);
		return usage_error(text, NULL);
	}
	return usage_error("unknown or ambiguous option", argv[optind - 1]);
}

/* Converts option_infos for getopt_long. */
static void fill_getopt(struct option long_options[OPTIONS_MAX],
			char short_options[2 * OPTIONS_MAX])
{
	*short_options++ = ':'; /* getopt returns ':' for a missing value, and prints nothing */
	for (const struct option_info *info = option_infos; info->name; info++) {
		*long_options++ = (struct option){
			.name = info->name,
			.has_arg = info->argument ? required_argument : no_argument,
			.val = info->letter,
		};
		if (info->has_short)
			*short_options++ = (char)info->letter;
		if (info->has_short && info->argument)
			*short_options++ = ':';
	}
	*long_options = (struct option){ 0 };
	*short_options = '\0';
}

static int parse_line(int argc, char **argv, struct line *line)
{
	struct option long_options[OPTIONS_MAX];
	char short_options[2 * OPTIONS_MAX];
	size_t n_seen = 0;
	int option;

	fill_getopt(long_options, short_options);
	opterr = 0;
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return option_error(argv, option);
		if (option == 'h')
			line->wants_help = true;
		else if (option == 'V')
			line->wants_version = true;
		else if (parse_option(option, optarg, &line->options) != EXIT_AS_PLANNED)
			return EXIT_USAGE;
		if (n_seen + 1 < sizeof(line->seen))
			line->seen[n_seen++] = (char)option;
	}
	line->options.arguments = argv + optind;
	line->options.n_arguments = (size_t)(argc - optind);
	return EXIT_AS_PLANNED;
}

/* Runs `pmcoord help [COMMAND]` and `pmcoord [COMMAND] --help`. */
static int help(const char *name)
{
	const struct command *command = name ? command_find(name) : NULL;

	if (name && !command)
		return usage_error("unknown command", name);
	if (command)
		help_print_command(command);
	else
		help_print();
	return EXIT_AS_PLANNED;
}

static int run_command(const struct command *command, struct cli *cli)
{
	int code = command->reports_bad_config ? EXIT_AS_PLANNED : cli_load(cli);

	if (code == EXIT_AS_PLANNED)
		code = command->run(cli);
	cli_done(cli);
	return code;
}

static int run(struct line *line)
{
	struct cli cli = { .options = line->options };
	struct options *options = &cli.options;
	const struct command *command;

	if (options->n_arguments == 0)
		return line->wants_help ? help(NULL) : usage_error("no command given", NULL);
	command = command_find(options->arguments[0]);
	if (!command)
		return usage_error("unknown command", options->arguments[0]);
	options->arguments++;
	options->n_arguments--;
	if (line->wants_help)
		return help(command->name);
	if (check_options(command, line->seen) != EXIT_AS_PLANNED ||
	    check_arguments(command, options) != EXIT_AS_PLANNED)
		return EXIT_USAGE;
	if (!command->run)
		return help(options->n_arguments ? options->arguments[0] : NULL);
	line->changes_guests = !command->is_read_only;
	cli.needs_config = command->suspends;
	/* A closed pipe must not end the program while guests are suspended. */
	if (line->changes_guests)
		signal(SIGPIPE, SIG_IGN);
	return run_command(command, &cli);
}

int main(int argc, char **argv)
{
	struct line line = { 0 };
	int code = EXIT_AS_PLANNED;

	if (parse_line(argc, argv, &line) != EXIT_AS_PLANNED)
		return EXIT_USAGE;
	if (line.wants_version)
		printf("pmcoord %s\n", PMCOORD_VERSION);
	else
		code = run(&line);
	/* A command that changes guests keeps its exit code even if its output was lost. */
	if (output_was_lost("pmcoord") && !line.changes_guests && code == EXIT_AS_PLANNED)
		return EXIT_ROLLED_BACK;
	return code;
}
