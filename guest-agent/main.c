/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "pmcoord/descriptor-store.h"
#include "pmcoord/error.h"
#include "pmcoord/exit-code.h"
#include "pmcoord/stop-signals.h"
#include "pmcoord/write.h"
#include "guest/files.h"
#include "guest/log.h"
#include "guest/memory.h"
#include "guest/settings.h"
#include "devices/device.h"
#include "devices/usage.h"
#include "agent.h"
#include "channel.h"
#include "report.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "engine/self-test.h"

/* The name of the event channel in systemd's file descriptor store. */
#define STORED_NAME "evtchn"

/* The file in the agent's directory on /run that contains the port of the event channel. */
#define PORT_FILE "port"

struct program {
	const struct roots *roots;
	struct settings settings;
	struct journal journal;
	struct log log;
	sd_event *event;
	struct engine *engine;
	struct engine_setup setup;
	const char *config;
	bool json;
	bool settings_are_bad; /* print_problem has printed why */
};

static const char usage[] =
	"Usage: pmcoord-agent [OPTION…]\n"
	"Quiesces the processes and PCI devices of this Xen guest when dom0 suspends\n"
	"the host, and restores them on resume. Normally run by systemd, without\n"
	"options: the agent then serves dom0's requests until it is stopped.\n"
	"\n"
	"      --dry-run      show what a suspend would stop or keep, and why\n"
	"      --test         quiesce and restore this guest without suspending it, and\n"
	"                     show how long each step took\n"
	"      --status       show the state that the running agent has published to\n"
	"                     dom0, and how the last cycle ended\n"
	"      --restore      restore what an agent that died has stopped or frozen\n"
	"      --json         print the output of --dry-run, --test or --status as JSON\n"
	"      --config FILE  read the settings from FILE, not from\n"
	"                     " PMCOORD_SYSCONFDIR "/pmcoord/agent.conf\n"
	"  -v, --verbose      also log each state that is published to dom0\n"
	"  -h, --help         show this text\n"
	"      --version      show the version\n";

static void print_problem(void *data, const char *problem)
{
	struct program *program = data;

	log_line(&program->log, LOG_LEVEL_WARNING, "%s", problem);
}

/* ---- The service ---- */

/* Implements agent_setup.notify_systemd. NOTIFY_SOCKET stays set, for later calls. */
static void notify_systemd(const char *state)
{
	(void)sd_notify(0, state);
}

/*
 * Stores the event channel with systemd and its port on /run, so that both survive a
 * restart of the agent. A failure is ignored: the next agent then binds a new port.
 */
static void store_channel(const struct channel *channel, const struct roots *roots)
{
	char path[FILE_PATH_MAX], text[24];

	snprintf(text, sizeof(text), "%u\n", channel->port);
	if (file_path(path, "%s/" PORT_FILE, roots->run) < 0 ||
	    file_replace(path, text, strlen(text)) < 0)
		return;
	(void)descriptor_store_put(STORED_NAME, channel->event_fd);
}

/* Returns the event channel that an earlier agent has stored; `fd` is -1 if there is none. */
static struct channel_past find_channel(const struct roots *roots)
{
	_cleanup_(closep) int fd = descriptor_store_take(STORED_NAME);
	struct channel_past past = { .fd = -1 };
	uint64_t port;

	if (fd < 0 || file_read_number(&port, "%s/" PORT_FILE, roots->run) < 0 || port > INT32_MAX)
		return past;
	past.fd = fd;
	past.port = (unsigned int)port;
	fd = -EBADF;
	return past;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)source;
	(void)info;
	sd_notify(0, "STOPPING=1");
	agent_stop(userdata);
	return 0;
}

static void lock_memory(struct program *program)
{
	int r = memory_lock(program->event);

	if (r < 0)
		log_line(&program->log, LOG_LEVEL_WARNING,
			 "cannot lock memory: %s; a cycle may have to read from a disk",
			 strerror(-r));
}

static int serve_channel(struct program *program, struct channel *channel, struct error *error)
{
	struct agent_setup setup = {
		.event = program->event,
		.roots = program->roots,
		.settings = &program->settings,
		.channel = channel,
		.journal = &program->journal,
		.engine = program->engine,
		.log = &program->log,
		.suspended_us = clock_suspended_us,
		.notify_systemd = notify_systemd,
		.store_channel = store_channel,
	};
	struct agent *agent;
	int r;

	if (!channel->kept)
		store_channel(channel, program->roots);
	lock_memory(program);
	r = agent_start(&setup, &agent, error);
	if (r < 0)
		return r;
	r = stop_signals_watch(program->event, SD_EVENT_PRIORITY_NORMAL, on_signal, agent);
	sd_notify(0, "READY=1");
	if (r >= 0)
		r = sd_event_loop(program->event);
	agent_free(agent);
	return r < 0 ? error_set(error, r, "the event loop failed: %s", strerror(-r)) : 0;
}

static int serve(struct program *program, struct error *error)
{
	struct channel_past past = find_channel(program->roots);
	struct channel *channel;
	int r = channel_open_xen(&past, &channel, error);

	if (r < 0)
		return EXIT_UNSUPPORTED;
	r = serve_channel(program, channel, error);
	channel_close(channel);
	return r < 0 ? EXIT_ROLLED_BACK : EXIT_AS_PLANNED;
}

/* ---- The other modes ---- */

static int show_plan(struct program *program, struct error *error)
{
	if (report_plan(&program->setup, program->json, error) < 0)
		return EXIT_ROLLED_BACK;
	return program->settings_are_bad ? EXIT_USAGE : EXIT_AS_PLANNED;
}

static int show_status(struct program *program, struct error *error)
{
	return report_status(&program->setup, program->json, error) < 0 ? EXIT_UNSUPPORTED
									: EXIT_AS_PLANNED;
}

static int run_self_test(struct program *program, struct error *error)
{
	struct self_test_result result;
	int r = journal_lock(&program->journal, error);

	lock_memory(program);
	if (r == 0)
		r = self_test_run(&program->setup, program->engine, &result);
	if (r < 0) {
		error_set(error, r, "cannot run the self-test: %s", strerror(-r));
		return r == -EBUSY ? EXIT_BUSY : EXIT_ROLLED_BACK;
	}
	report_self_test(&result, program->engine, program->json);
	if (result.quiesce_r < 0)
		return EXIT_ROLLED_BACK;
	return result.degraded ? EXIT_DEGRADED : EXIT_AS_PLANNED;
}

static int run_restore(struct program *program, struct error *error)
{
	struct self_test_result result;
	int r;

	if (!program->journal.open)
		return EXIT_AS_PLANNED;
	r = journal_lock(&program->journal, error);
	if (r == 0)
		r = restore_leftovers(&program->setup, program->engine, &result);
	if (r < 0) {
		error_set(error, r, "cannot undo the unfinished cycle: %s", strerror(-r));
		return r == -EBUSY ? EXIT_BUSY : EXIT_ROLLED_BACK;
	}
	if (result.detail[0] != '\0')
		log_line(&program->log, LOG_LEVEL_NOTICE, "%s", result.detail);
	return result.degraded ? EXIT_DEGRADED : EXIT_AS_PLANNED;
}

/* ---- Start ---- */

static int prepare(struct program *program, struct error *error)
{
	char config[FILE_PATH_MAX];
	sigset_t blocked;
	int r = 0;

	/* The event loop handles these signals, so they are blocked before any thread exists. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	stop_signals_block();
	signal(SIGPIPE, SIG_IGN);
	/* One malloc arena is enough: libxenstore's thread can share it. */
	mallopt(M_ARENA_MAX, 1);
	if (!program->config)
		r = file_path(config, "%s/agent.conf", program->roots->etc);
	if (r == 0)
		r = settings_read(&program->settings, program->config ? program->config : config,
				  print_problem, program, error);
	/* A value that cannot be taken keeps the agent neither from suspending nor restoring. */
	program->settings_are_bad = r == SETTINGS_BAD;
	if (r >= 0)
		r = journal_load(&program->journal, program->roots, error);
	if (r == 0)
		r = sd_event_default(&program->event);
	if (r < 0)
		return r;
	program->setup = (struct engine_setup){
		.event = program->event,
		.roots = program->roots,
		.settings = &program->settings,
		.device_ops = &device_ops_of_system,
		.claimed = usage_claimed,
		.journal = &program->journal,
		.log = &program->log,
	};
	return engine_new(&program->setup, &program->engine);
}

enum option_value { OPTION_CONFIG = 256, OPTION_JSON, OPTION_VERSION, OPTION_MODE };

static const struct {
	const char *name;
	int (*run)(struct program *program, struct error *error);
} modes[] = {
	/* OPTION_MODE + i in parse_options() selects modes[i]. The last mode is the default. */
	{ "dry-run", show_plan },
	{ "test", run_self_test },
	{ "status", show_status },
	{ "restore", run_restore },
	{ "", serve },
};

/* Returns an index of modes[], or -1 if the program must exit with `*ret_status`. */
static int parse_options(struct program *program, int argc, char **argv, int *ret_status)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, OPTION_MODE + 0 },
		{ "test", no_argument, NULL, OPTION_MODE + 1 },
		{ "status", no_argument, NULL, OPTION_MODE + 2 },
		{ "restore", no_argument, NULL, OPTION_MODE + 3 },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "config", required_argument, NULL, OPTION_CONFIG },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ 0 },
	};
	int mode = ELEMENTSOF(modes) - 1, option;

	*ret_status = EXIT_AS_PLANNED;
	while ((option = getopt_long(argc, argv, "vh", options, NULL)) >= 0) {
		if (option >= OPTION_MODE) {
			mode = option - OPTION_MODE;
		} else if (option == OPTION_CONFIG) {
			program->config = optarg;
		} else if (option == OPTION_JSON) {
			program->json = true;
		} else if (option == 'v') {
			program->log.verbose = true;
		} else if (option == OPTION_VERSION) {
			printf("pmcoord-agent %s\n", PMCOORD_VERSION);
			return -1;
		} else if (option == 'h') {
			printf("%s", usage);
			return -1;
		} else {
			*ret_status = EXIT_USAGE;
			return -1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "pmcoord-agent: unexpected argument '%s'; see --help\n",
			argv[optind]);
		*ret_status = EXIT_USAGE;
		return -1;
	}
	return mode;
}

static int end_output(int status)
{
	return output_was_lost("pmcoord-agent") && status == EXIT_AS_PLANNED ? EXIT_ROLLED_BACK
									     : status;
}

int main(int argc, char **argv)
{
	struct program program = {
		.roots = &roots_of_system,
		.journal = { .lock_fd = -1, .fd = -1 },
		.log.prefix = getenv("JOURNAL_STREAM") != NULL,
	};
	struct error error = { 0 };
	int status, r;
	int mode = parse_options(&program, argc, argv, &status);

	if (mode < 0)
		return end_output(status);
	r = prepare(&program, &error);
	if (r < 0) {
		error_set(&error, r, "cannot start: %s", strerror(-r));
		status = r == -EACCES || r == -EPERM ? EXIT_UNSUPPORTED : EXIT_ROLLED_BACK;
	} else {
		status = modes[mode].run(&program, &error);
	}
	if (error.text[0] != '\0')
		log_line(&program.log, LOG_LEVEL_ERROR, "%s%s",
			 program.log.prefix ? "" : "pmcoord-agent: ", error.text);
	engine_free(program.engine);
	journal_done(&program.journal);
	settings_done(&program.settings);
	sd_event_unref(program.event);
	return end_output(status);
}
