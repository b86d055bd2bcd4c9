/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

const struct command commands[] = {
	{
		.name = "suspend-all",
		.summary = "all guests down, host asleep; all back after the wake",
		.description =
			"Guests that need others go before them; who does not depend on each\n"
			"other goes at the same time. Where logind runs and pmcoord-sleep.service\n"
			"is enabled, logind is asked for sleep and the service does the work.\n"
			"Prints the report of the cycle.",
		.examples = "pmcoord suspend-all\n"
			    "pmcoord suspend-all --guests-only && pmcoord "
			    "resume-all\n"
			    "pmcoord suspend-all --timeout 10s",
		.run = command_suspend_all,
		.options = "gD",
	},
	{
		.name = "resume-all",
		.summary = "bring back every guest that pmcoord holds",
		.description =
			"Also what a crash has left behind. Guests that somebody else suspended or\n"
			"paused stay as they are. Doing it twice is harmless.",
		.examples = "pmcoord resume-all",
		.run = command_resume_all,
		.options = "",
	},
	{
		.name = "suspend",
		.arguments = "GUEST...",
		.summary = "the named guests down, and those that need them",
		.description =
			"They stay down until they are resumed. A guest is named by its name or\n"
			"domain id.",
		.examples = "pmcoord suspend web mail\n"
			    "pmcoord suspend netvm --dry-run",
		.run = command_suspend,
		.min_arguments = 1,
		.max_arguments = SIZE_MAX,
		.options = "Df",
	},
	{
		.name = "resume",
		.arguments = "GUEST...",
		.summary = "the named guests back, and those they need",
		.examples = "pmcoord resume web",
		.run = command_resume,
		.min_arguments = 1,
		.max_arguments = SIZE_MAX,
		.options = "f",
	},
	{
		.name = "list",
		.summary = "the guests, who needs whom, and how each will suspend",
		.examples = "pmcoord list\n"
			    "pmcoord list --json | jq '.guests[].name'",
		.run = command_list,
		.only_tells = true,
		.options = "",
	},
	{
		.name = "plan",
		.summary = "what suspend-all would do now, step by step, and back",
		.examples = "pmcoord plan\n"
			    "pmcoord plan --svg plan.svg\n"
			    "pmcoord plan --dot - | dot -Tpdf > plan.pdf",
		.run = command_plan,
		.only_tells = true,
		.options = "ds",
	},
	{
		.name = "check",
		.summary = "what would go wrong, on host and guests, and what to do",
		.description =
			"Looks at Xen, S3, systemd's units, the configuration, and each guest's way\n"
			"down and its risks, and changes nothing. Exits with 0 if there is no error,\n"
			"1 if there is, 2 if the configuration is broken, 4 if this is no Xen host.",
		.examples = "pmcoord check\n"
			    "pmcoord check --quiet",
		.run = command_check,
		.only_tells = true,
		.options = "",
		.loads_itself = true,
	},
	{
		.name = "report",
		.arguments = "[N]",
		.summary = "the last cycle, or the N-th: who took how long",
		.examples = "pmcoord report\n"
			    "pmcoord report 12 --svg 12.svg",
		.run = command_report,
		.only_tells = true,
		.max_arguments = 1,
		.options = "s",
	},
	{
		.name = "status",
		.summary = "what goes on now, who is held, how the last cycle went",
		.description =
			"Exits as the last cycle did (0, 1, 3 or 6), with 0 while one is under way or\n"
			"guests are held, and with 6 if one was abandoned.",
		.examples = "pmcoord status",
		.run = command_status,
		.only_tells = true,
		.options = "",
	},
	{
		.name = "monitor",
		.summary = "every cycle as it happens, and guests that come and go",
		.description =
			"Whoever runs it: the lid, a command, a rehearsal. With --json an object a line.",
		.examples = "pmcoord monitor\n"
			    "pmcoord monitor --json | jq -c 'select(.event == "
			    "\"down\")'",
		.run = command_monitor,
		.only_tells = true,
		.options = "",
	},
	{
		.name = "cycle",
		.summary = "rehearses: all guests down and back, -n times",
		.examples = "pmcoord cycle -n 20\n"
			    "pmcoord cycle -n 3 --sleep",
		.run = command_cycle,
		.options = "nS",
	},
	{
		.name = "bench",
		.summary = "how long each way of suspending takes on this host",
		.examples = "pmcoord bench -n 20",
		.run = command_bench,
		.options = "n",
	},
	{
		.name = "help",
		.arguments = "[COMMAND]",
		.summary = "this text, or more about a command",
		.examples = "pmcoord help suspend-all",
		.max_arguments = 1,
		.options = "",
	},
	{
		.name = "daemon",
		.summary = "stay, and keep everything ready for the next sleep",
		.description =
			"This is pmcoord.service: 'systemctl enable --now pmcoord'. While it runs, the\n"
			"commands that change guests have it do the work.",
		.examples = "systemctl enable --now pmcoord",
		.run = command_daemon,
		.options = "",
	},
	{ .name = "sleep-unit", .run = command_sleep_unit, .options = "" },
	{ .name = "notify", .run = command_notify, .options = "" },
	{ .name = "recover", .run = command_recover, .options = "" },
	{ .name = NULL },
};

const struct option_info option_infos[] = {
	{ "guests-only", 'g', false, NULL,
	  "leave the host awake, and the guests down until resume-all", true },
	{ "dry-run", 'D', false, NULL, "only show the plan", true },
	{ "force", 'f', false, NULL, "exactly the named guests, in any order", true },
	{ "count", 'n', true, "N", "so many times (10)", true },
	{ "sleep", 'S', false, NULL, "with the host asleep, until its clock wakes it", true },
	{ "dot", 'd', false, "FILE", "write the graph for graphviz ('-': standard output)", true },
	{ "svg", 's', false, "FILE", "draw a picture", true },
	{ "json", 'j', false, NULL, "JSON on standard output", false },
	{ "config", 'c', false, "FILE", "instead of " PMCOORD_SYSCONFDIR "/pmcoord/pmcoord.conf",
	  false },
	{ "hypervisor", 'H', false, "WHAT", "xen, or sim:FILE to rehearse on a scenario", false },
	{ "timeout", 't', false, "TIME",
	  "all guests down by then (30s, 500ms), not Deadline=", false },
	{ "verbose", 'v', true, NULL, "say more", false },
	{ "quiet", 'q', true, NULL, "say nothing but errors", false },
	{ "help", 'h', true, NULL, "this text, or more about a command", false },
	{ "version", 'V', false, NULL, "the version", false },
	{ .name = NULL },
};

const struct command *command_find(const char *name)
{
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
		if (!info->is_special)
			print_option(info);
}

/* "suspend GUEST..." */
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
	       "Puts a Xen host to sleep with every guest alive, and wakes it "
	       "again.\n\nCommands:\n");
	for (const struct command *command = commands; command->name; command++)
		if (command->summary)
			print_command(command);
	printf("\nOptions of every command:\n");
	print_common_options();
	printf("\nExit: 0 as planned, 1 failed and undone, 2 usage or configuration, 3 degraded,\n4 not possible here, 5 another is at work, 6 something could not be undone.\n"
	       "'pmcoord help COMMAND' tells of a command's own options; see also pmcoord(8).\n");
}

/* Each line of a text, indented. */
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
	printf("Usage: pmcoord %s%s%s [OPTION...]\n\n", command->name,
	       command->arguments ? " " : "", command->arguments ? command->arguments : "");
	if (command->summary)
		printf("%c%s.\n", command->summary[0] & ~0x20, command->summary + 1);
	if (command->description)
		printf("%s\n", command->description);
	printf("\nOptions:\n");
	for (const struct option_info *info = option_infos; info->name; info++)
		if (info->is_special && strchr(command->options, info->letter))
			print_option(info);
	print_common_options();
	if (command->examples) {
		printf("\nExamples:\n");
		print_lines(command->examples);
	}
}
