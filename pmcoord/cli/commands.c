/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/commands.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const struct command commands[] = {
	{
		.name = "suspend-all",
		.summary = "suspend all guests and the host; resume all after the wake",
		.description =
			"Guests are suspended in the order of their dependencies. Independent guests\n"
			"are suspended at the same time. Where logind runs and pmcoord-sleep.service is\n"
			"enabled, logind puts the host to sleep, and the service suspends and resumes\n"
			"the guests. Prints the report of the cycle.",
		.examples = "pmcoord suspend-all\n"
			    "pmcoord suspend-all --guests-only && pmcoord resume-all\n"
			    "pmcoord suspend-all --timeout 10s",
		.run = command_suspend_all,
		.suspends = true,
		.options = "gD",
	},
	{
		.name = "resume-all",
		.summary = "resume every guest that pmcoord suspended or paused",
		.description =
			"Also resumes guests after a crash of pmcoord. Guests that another program\n"
			"suspended or paused are not changed. Does nothing if pmcoord keeps no guest\n"
			"suspended.",
		.examples = "pmcoord resume-all",
		.run = command_resume_all,
		.options = "",
	},
	{
		.name = "suspend",
		.arguments = "GUEST...",
		.summary = "suspend the named guests and those that need them",
		.description =
			"The guests are kept suspended until 'pmcoord resume' or 'pmcoord resume-all'.\n"
			"GUEST is a name or a domain ID.",
		.examples = "pmcoord suspend web mail\n"
			    "pmcoord suspend netvm --dry-run",
		.run = command_suspend,
		.suspends = true,
		.min_arguments = 1,
		.max_arguments = SIZE_MAX,
		.options = "Df",
	},
	{
		.name = "resume",
		.arguments = "GUEST...",
		.summary = "resume the named guests and those that they need",
		.description =
			"GUEST is a name or a domain ID. Guests that pmcoord has not suspended or paused\n"
			"are not changed.",
		.examples = "pmcoord resume web",
		.run = command_resume,
		.min_arguments = 1,
		.max_arguments = SIZE_MAX,
		.options = "f",
	},
	{
		.name = "list",
		.summary = "list guests with state, mechanism and dependencies",
		.examples = "pmcoord list\n"
			    "pmcoord list --json | jq '.guests[].name'",
		.run = command_list,
		.is_read_only = true,
		.options = "",
	},
	{
		.name = "plan",
		.summary = "print the steps that suspend-all and the resume would take",
		.description =
			"Changes nothing. With --dot or --svg, writes the guests' dependencies to FILE\n"
			"instead of printing the steps.",
		.examples = "pmcoord plan\n"
			    "pmcoord plan --svg plan.svg\n"
			    "pmcoord plan --dot - | dot -Tpdf > plan.pdf",
		.run = command_plan,
		.is_read_only = true,
		.options = "ds",
	},
	{
		.name = "check",
		.summary = "find problems of the host and its guests, with advice",
		.description =
			"Checks Xen, S3, systemd's units and the configuration. Checks how each guest\n"
			"would be suspended and what this may break. Changes nothing. With --quiet,\n"
			"prints only errors and warnings. Exit status: 0 no errors, 1 errors, 2 the\n"
			"configuration is broken, 4 this is not a Xen host.",
		.examples = "pmcoord check\n"
			    "pmcoord check --quiet",
		.run = command_check,
		.is_read_only = true,
		.options = "",
		.reports_bad_config = true,
	},
	{
		.name = "report",
		.arguments = "[N]",
		.summary = "print the report of the last cycle, or of cycle N",
		.description =
			"The report shows the result of the cycle and of each guest. With --svg, writes\n"
			"a timeline of the cycle to FILE instead.",
		.examples = "pmcoord report\n"
			    "pmcoord report 12 --svg 12.svg",
		.run = command_report,
		.is_read_only = true,
		.max_arguments = 1,
		.options = "s",
	},
	{
		.name = "status",
		.summary = "print the running cycle, suspended guests and last result",
		.description =
			"The exit status is that of the last cycle: 0, 1, 3 or 6. It is 0 while a cycle\n"
			"runs or guests are kept suspended, and 6 if a cycle was interrupted.",
		.examples = "pmcoord status",
		.run = command_status,
		.is_read_only = true,
		.options = "",
	},
	{
		.name = "monitor",
		.summary = "print cycles as they run, and guests added or removed",
		.description =
			"Shows every cycle, whether the lid or a command has started it. Ends at Ctrl-C.\n"
			"With --json, prints one JSON object per line.",
		.examples = "pmcoord monitor\n"
			    "pmcoord monitor --json | jq -c 'select(.event == \"down\")'",
		.run = command_monitor,
		.is_read_only = true,
		.options = "",
	},
	{
		.name = "cycle",
		.summary = "run test cycles: suspend and resume all guests, -n times",
		.description =
			"The host stays awake unless --sleep is given. Prints how long it took until the\n"
			"guests were suspended, running and ready.",
		.examples = "pmcoord cycle -n 20\n"
			    "pmcoord cycle -n 3 --sleep",
		.run = command_cycle,
		.suspends = true,
		.options = "nS",
	},
	{
		.name = "bench",
		.summary = "suspend and resume each guest alone, measure the times",
		.description =
			"Suspends one guest at a time and resumes it immediately. Guests that need the\n"
			"measured guest are suspended first, but not measured. Each of the -n rounds\n"
			"measures all guests except those that can only be paused. Prints how long each\n"
			"mechanism takes on this host. The host stays awake.",
		.examples = "pmcoord bench -n 20",
		.run = command_bench,
		.suspends = true,
		.options = "n",
	},
	{
		.name = "help",
		.arguments = "[COMMAND]",
		.summary = "show the list of commands, or the help of COMMAND",
		.examples = "pmcoord help suspend-all",
		.max_arguments = 1,
		.options = "",
	},
	{
		.name = "daemon",
		.summary = "run the resident service, pmcoord.service",
		.description =
			"Keeps event channels bound and requests prepared, so that guests suspend\n"
			"sooner. While the daemon runs, commands that change guests are sent to it.",
		.examples = "systemctl enable --now pmcoord",
		.run = command_daemon,
		.options = "",
	},
	{ .name = "sleep-unit", .run = command_sleep_unit, .suspends = true, .options = "" },
	{ .name = "notify", .run = command_notify, .options = "" },
	{ .name = "recover", .run = command_recover, .options = "" },
	{ .name = NULL },
};

const struct option_info option_infos[] = {
	{ "guests-only", 'g', false, NULL,
	  "keep the host awake; suspend the guests until resume-all", true },
	{ "dry-run", 'D', false, NULL, "print the plan, change nothing", true },
	{ "force", 'f', false, NULL, "change only the named guests, ignore dependencies", true },
	{ "count", 'n', true, "N", "number of cycles or rounds (default: 10)", true },
	{ "sleep", 'S', false, NULL, "also put the host to sleep; an RTC alarm wakes it", true },
	{ "dot", 'd', false, "FILE", "write the graph for graphviz ('-': to standard output)",
	  true },
	{ "svg", 's', false, "FILE", "write an SVG picture ('-': to standard output)", true },
	{ "json", 'j', false, NULL, "print JSON instead of text", false },
	{ "config", 'c', false, "FILE",
	  "read FILE instead of " PMCOORD_SYSCONFDIR "/pmcoord/pmcoord.conf", false },
	{ "hypervisor", 'H', false, "WHAT",
	  "xen (default), or sim:FILE to simulate the host in FILE", false },
	{ "timeout", 't', false, "TIME", "deadline for all guests, e.g. 30s (overrides Deadline=)",
	  false },
	{ "verbose", 'v', true, NULL, "print every step of every guest", false },
	{ "quiet", 'q', true, NULL, "print only errors (with check: errors and warnings)", false },
	{ "help", 'h', true, NULL, "show this help, or the help of a command", false },
	{ "version", 'V', false, NULL, "print the version", false },
	{ .name = NULL },
};

const struct command *command_find(const char *name)
{
	assert(name);
	for (const struct command *command = commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

const struct option_info *option_find(int letter)
{
	for (const struct option_info *info = option_infos; info->name; info++)
		if (info->letter == letter)
			return info;
	return NULL;
}

/* ---- help ---------------------------------------------------------------- */

static void print_option(const struct option_info *info)
{
	char left[48], short_name[8] = "";

	if (info->has_short)
		snprintf(short_name, sizeof(short_name), "-%c, ", info->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", short_name, info->name,
		 info->argument ? " " : "", info->argument ? info->argument : "");
	printf("  %-18s %s\n", left, info->help);
}

static void print_common_options(void)
{
	for (const struct option_info *info = option_infos; info->name; info++)
		if (!info->is_specific)
			print_option(info);
}

/* Prints a line: the command with its arguments, and its summary. */
static void print_command(const struct command *command)
{
	char left[48];

	snprintf(left, sizeof(left), "%s%s%s", command->name, command->arguments ? " " : "",
		 command->arguments ? command->arguments : "");
	printf("  %-18s %s\n", left, command->summary);
}

void help_print(void)
{
	printf("Usage: pmcoord COMMAND [OPTION...]\n\n"
	       "Suspends a Xen host with all its guests and resumes them after the wake.\n\n"
	       "Commands:\n");
	for (const struct command *command = commands; command->name; command++)
		if (command->summary)
			print_command(command);
	printf("\nOptions of every command:\n");
	print_common_options();
	printf("\nExit status: 0 as planned, 1 failed and rolled back, 2 wrong usage or\n"
	       "configuration, 3 degraded, 4 not possible here, 5 another cycle is running,\n"
	       "6 rollback failed.\n"
	       "'pmcoord help COMMAND' shows the options of a command; see also pmcoord(8).\n");
}

/* Prints each line of a text, indented. */
static void print_lines(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		printf("  %.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

void help_print_command(const struct command *command)
{
	assert(command);
	printf("Usage: pmcoord %s%s%s [OPTION...]\n\n", command->name,
	       command->arguments ? " " : "", command->arguments ? command->arguments : "");
	if (command->summary)
		printf("%c%s.\n", command->summary[0] & ~0x20, command->summary + 1);
	if (command->description)
		printf("%s\n", command->description);
	printf("\nOptions:\n");
	for (const struct option_info *info = option_infos; info->name; info++)
		if (info->is_specific && strchr(command->options, info->letter))
			print_option(info);
	print_common_options();
	if (command->examples) {
		printf("\nExamples:\n");
		print_lines(command->examples);
	}
}
