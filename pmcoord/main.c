/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/cli.h"
#include "pmcoord/parse.h"

struct command {
	const char *name;
	const char *arguments; /* for the help text */
	const char *summary; /* NULL: not for people, not in the help */
	enum exit_code (*run)(struct cli *cli);
	size_t min_arguments, max_arguments;
	const char *options; /* the short names of those it takes, see below */
};

static const struct command commands[] = {
	{ "suspend-all", "",
	  "all guests down, the host asleep; after the wake all guests back",
	  command_suspend_all, 0, 0, "gD" },
	{ "resume-all", "", "bring back every guest that pmcoord holds",
	  command_resume_all, 0, 0, "" },
	{ "suspend", "GUEST...",
	  "the named guests down, and those that need them", command_suspend, 1,
	  SIZE_MAX, "Df" },
	{ "resume", "GUEST...", "the named guests back, and those they need",
	  command_resume, 1, SIZE_MAX, "f" },
	{ "list", "", "the guests, who needs whom, and how each will suspend",
	  command_list, 0, 0, "" },
	{ "plan", "", "what suspend-all would do now, step by step, and back",
	  command_plan, 0, 0, "ds" },
	{ "report", "[N]", "the last cycle, or the N-th: who took how long",
	  command_report, 0, 1, "s" },
	{ "status", "",
	  "what goes on now, who is held, how the last cycle went",
	  command_status, 0, 0, "" },
	{ "monitor", "", "every cycle as it happens, until interrupted",
	  command_monitor, 0, 0, "" },
	{ "cycle", "", "rehearses: all guests down and back, -n times",
	  command_cycle, 0, 0, "nS" },
	{ "bench", "", "how long each way of suspending takes on this host",
	  command_bench, 0, 0, "n" },
	{ "sleep-unit", "", NULL, command_sleep_unit, 0, 0, "" },
	{ "recover", "", NULL, command_recover, 0, 0, "" },
};

/* More cycles than anybody waits for. */
#define COUNT_MAX 100000

struct option_help {
	const char *text;
	const char *help;
};

static const struct option_help option_helps[] = {
	{ "--guests-only",
	  "suspend-all: leave the host awake until resume-all" },
	{ "--dry-run", "suspend-all, suspend: only show the plan" },
	{ "--force", "suspend, resume: exactly the named guests" },
	{ "-n, --count N", "cycle, bench: so many times (10)" },
	{ "--sleep", "cycle: with the host asleep, until its clock wakes it" },
	{ "--dot FILE", "plan: write the graph for graphviz ('-': stdout)" },
	{ "--svg FILE", "plan, report: draw a picture" },
	{ "--json", "one JSON object on standard output" },
	{ "--config FILE",
	  "instead of " PMCOORD_SYSCONFDIR "/pmcoord/pmcoord.conf" },
	{ "--hypervisor WHAT", "xen, or sim:FILE to rehearse on a scenario" },
	{ "--timeout TIME", "all guests down by then (30s, 500ms), instead of "
			    "Deadline=" },
	{ "-v, --verbose", "say more" },
	{ "-q, --quiet", "say nothing but errors" },
	{ "-h, --help", "this text" },
	{ "--version", "the version" },
};

static void print_help(FILE *out)
{
	fprintf(out, "Usage: pmcoord COMMAND [OPTION...]\n\n"
		     "Puts a Xen host to sleep with every guest alive, and "
		     "wakes it again.\n\nCommands:\n");
	for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
		char left[64];

		if (!commands[i].summary)
			continue;
		snprintf(left, sizeof(left), "%s %s", commands[i].name,
			 commands[i].arguments);
		fprintf(out, "  %-18s %s\n", left, commands[i].summary);
	}
	fprintf(out, "\nOptions:\n");
	for (size_t i = 0; i < ELEMENTSOF(option_helps); i++)
		fprintf(out, "  %-18s %s\n", option_helps[i].text,
			option_helps[i].help);
	fprintf(out, "\nExit: 0 as planned, 1 failed and undone, 2 usage or "
		     "configuration, 3 degraded,\n4 not possible here, 5 "
		     "another is at work, 6 something could not be undone.\n"
		     "See pmcoord(8).\n");
}

static const struct option long_options[] = {
	{ "guests-only", no_argument, NULL, 'g' },
	{ "dry-run", no_argument, NULL, 'D' },
	{ "force", no_argument, NULL, 'f' },
	{ "count", required_argument, NULL, 'n' },
	{ "sleep", no_argument, NULL, 'S' },
	{ "dot", required_argument, NULL, 'd' },
	{ "svg", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "config", required_argument, NULL, 'c' },
	{ "hypervisor", required_argument, NULL, 'H' },
	{ "timeout", required_argument, NULL, 't' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int usage_error(const char *what, const char *name)
{
	fprintf(stderr, "pmcoord: %s%s%s; see 'pmcoord --help'\n", what,
		name ? " " : "", name ? name : "");
	return EXIT_USAGE;
}

static int take_hypervisor(const char *value, struct options *options)
{
	if (strcmp(value, "xen") == 0)
		options->scenario = NULL;
	else if (strncmp(value, "sim:", 4) == 0 && value[4] != '\0')
		options->scenario = value + 4;
	else
		return usage_error("--hypervisor is xen or sim:FILE, not",
				   value);
	return EXIT_AS_PLANNED;
}

/* Takes one option. Returns EXIT_AS_PLANNED or EXIT_USAGE. */
static int take_option(int option, const char *value, struct options *options)
{
	switch (option) {
	case 'g':
		options->guests_only = true;
		break;
	case 'D':
		options->dry_run = true;
		break;
	case 'n':
		if (parse_u64(value, COUNT_MAX, &options->count) < 0 ||
		    options->count == 0)
			return usage_error("-n is a number from 1 to 100000, "
					   "not",
					   value);
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
		return take_hypervisor(value, options);
	case 't':
		if (parse_duration(value, &options->timeout_us) < 0 ||
		    options->timeout_us == 0 ||
		    options->timeout_us > 3600000000ull)
			return usage_error(
				"--timeout is a time such as 30s, not", value);
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

static const char *long_name(int option)
{
	for (size_t i = 0; long_options[i].name; i++)
		if (long_options[i].val == option)
			return long_options[i].name;
	return "?";
}

/* The options of which only some commands make sense. */
static int check_option(const struct command *command, int option)
{
	char text[64];

	if (!strchr("gDfnSds", option) || strchr(command->options, option))
		return EXIT_AS_PLANNED;
	snprintf(text, sizeof(text), "'%s' takes no option", command->name);
	return usage_error(text, long_name(option));
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ELEMENTSOF(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int run_command(const struct command *command, struct cli *cli)
{
	int code;

	if (cli->options.n_arguments < command->min_arguments)
		return usage_error("which guest? usage: pmcoord",
				   command->min_arguments ? command->name
							  : NULL);
	if (cli->options.n_arguments > command->max_arguments)
		return usage_error(
			"too many arguments:",
			cli->options.arguments[command->max_arguments]);
	code = cli_load(cli);
	if (code == EXIT_AS_PLANNED)
		code = command->run(cli);
	cli_done(cli);
	return code;
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	const struct command *command;
	char seen[64] = "";
	int option;

	/* For tables with names that are not ASCII; numbers stay in C. */
	setlocale(LC_CTYPE, "");
	while ((option = getopt_long(argc, argv, "vqhn:", long_options,
				     NULL)) != -1) {
		size_t n = strlen(seen);

		if (option == 'h') {
			print_help(stdout);
			return EXIT_AS_PLANNED;
		}
		if (option == 'V') {
			printf("pmcoord %s\n", PMCOORD_VERSION);
			return EXIT_AS_PLANNED;
		}
		if (take_option(option, optarg, &cli.options) !=
		    EXIT_AS_PLANNED)
			return EXIT_USAGE;
		if (n + 1 < sizeof(seen))
			seen[n] = (char)option;
	}
	if (optind == argc)
		return usage_error("which command?", NULL);
	command = find_command(argv[optind]);
	if (!command)
		return usage_error("there is no command", argv[optind]);
	for (const char *c = seen; *c; c++)
		if (check_option(command, *c) != EXIT_AS_PLANNED)
			return EXIT_USAGE;
	cli.options.arguments = argv + optind + 1;
	cli.options.n_arguments = (size_t)(argc - optind - 1);
	return run_command(command, &cli);
}
