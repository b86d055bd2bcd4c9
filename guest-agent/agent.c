/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "guest/freezer.h"
#include "guest/kernel-log.h"
#include "engine/machine.h"
#include "guest/wake-clock.h"
#include "pmcoord/clock.h"
#include "pmcoord/parse.h"

/* dom0's word is taken for up to an hour. */
#define TIMEOUT_MAX_MS 3600000ull

/*
 * systemd kills an agent that hangs in a cycle after this time, and its
 * successor restores. PID 1 takes a good part of the time in which a guest
 * without devices is quiesced to read a message: it is sent when the event loop
 * has nothing else to do for the first time, in a short cycle behind the
 * commit.
 */
#define WATCHDOG_US 30000000ull

struct agent {
	struct agent_setup setup;
	struct machine machine;
	struct wake_clock *wake_clock;
	struct kernel_log *kernel_log; /* while the kernel is asked */
	sd_event_source *event_source;
	sd_event_source *watch_source;
	sd_event_source *limit; /* down by then, or it has failed */
	sd_event_source *watchdog; /* only during a cycle */
	bool watchdog_is_told;
	struct protocol_request request;
	uint64_t timeout_us; /* dom0's, or the configured one */
	uint64_t deadline_us; /* of the cycle, a little before dom0's */
	uint64_t start_us;
	uint64_t restore_start_us;
	bool stopping;
	char reason[600]; /* why the cycle failed */
	char detail[PROTOCOL_DETAIL_MAX + 1];
};

static void handle(struct agent *agent, enum machine_input input);

static void tell(struct agent *agent, const char *format, ...) _printf_(2, 3);

static void tell(struct agent *agent, const char *format, ...)
{
	char text[256];
	va_list arguments;

	if (!agent->setup.tell)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	agent->setup.tell(text);
}

/* ---- Looking ---- */

/* Reads the request that stands. What cannot be understood is none. */
static void read_request(struct agent *agent)
{
	struct channel *channel = agent->setup.channel;
	struct protocol_request request = { PROTOCOL_NO_REQUEST, 0 };
	char text[PROTOCOL_TEXT_MAX], shown[PROTOCOL_TEXT_MAX];
	int n = channel->ops->read(channel, PROTOCOL_NODE_REQUEST, text, sizeof(text));

	if (n < 0 && n != -ENOENT && n != -EMSGSIZE) {
		log_line(agent->setup.log, LOG_LEVEL_WARNING,
			 "cannot read %s: %s; what stood before holds", PROTOCOL_NODE_REQUEST,
			 strerror(-n));
		return;
	}
	/* An empty node is one that dom0 is about to write. */
	if (n > 0 && protocol_parse_request(text, (size_t)n, &request) < 0) {
		text_sanitize(text, (size_t)n, shown, sizeof(shown));
		log_line(agent->setup.log, LOG_LEVEL_WARNING,
			 "request '%s' is not understood, ignoring", shown);
	}
	agent->request = request;
}

/*
 * Read with the request, ahead of time, so that the critical path does not pay
 * for it: dom0 writes it before.
 */
static void read_timeout(struct agent *agent)
{
	struct channel *channel = agent->setup.channel;
	char text[24];
	uint64_t ms;
	int n = channel->ops->read(channel, PROTOCOL_NODE_TIMEOUT, text, sizeof(text) - 1);

	agent->timeout_us = agent->setup.settings->timeout_us;
	if (n < 0)
		return;
	text[n] = '\0';
	if (parse_u64(text, TIMEOUT_MAX_MS, &ms) < 0 || ms * 1000 < PROTOCOL_TIMEOUT_MIN_US) {
		log_line(agent->setup.log, LOG_LEVEL_WARNING,
			 "%s is no time that can be kept, ignoring", PROTOCOL_NODE_TIMEOUT);
		return;
	}
	agent->timeout_us = ms * 1000;
}

/* What is not there, or cannot be read, keeps the guest's own will. */
static bool dom0_honours_inhibitors(void *userdata)
{
	struct agent *agent = userdata;
	struct channel *channel = agent->setup.channel;
	char text[sizeof(PROTOCOL_INHIBITORS_IGNORE)];
	int n = channel->ops->read(channel, PROTOCOL_NODE_INHIBITORS, text, sizeof(text));

	return n != (int)strlen(PROTOCOL_INHIBITORS_IGNORE) ||
	       memcmp(text, PROTOCOL_INHIBITORS_IGNORE, (size_t)n) != 0;
}

/* ---- Saying ---- */

static void write_node(struct agent *agent, const char *node, const char *text)
{
	struct channel *channel = agent->setup.channel;
	int r = channel->ops->write(channel, node, text);

	if (r < 0)
		log_line(agent->setup.log, LOG_LEVEL_ERROR, "cannot write %s: %s", node,
			 strerror(-r));
}

static void publish_state(struct agent *agent, const struct protocol_state *state)
{
	char text[PROTOCOL_TEXT_MAX];

	protocol_format_state(state, text);
	write_node(agent, PROTOCOL_NODE_STATE, text);
	log_line(agent->setup.log, LOG_LEVEL_DEBUG, "published '%s'", text);
	tell(agent, "STATUS=%s", text);
}

/*
 * The state of a former channel goes first: dom0 must not find `ready` beside a
 * port on which nobody has drained yet.
 */
static void publish_channel(struct agent *agent)
{
	char text[24];

	write_node(agent, PROTOCOL_NODE_STATE, NULL);
	snprintf(text, sizeof(text), "%d", PROTOCOL_VERSION);
	write_node(agent, PROTOCOL_NODE_VERSION, text);
	snprintf(text, sizeof(text), "%u", agent->setup.channel->port);
	write_node(agent, PROTOCOL_NODE_EVENT_CHANNEL, text);
}

/* ---- Doing ---- */

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *agent = userdata;

	(void)usec;
	if (agent->watchdog_is_told)
		tell(agent, "WATCHDOG=1");
	else
		tell(agent, "WATCHDOG_USEC=%llu\nWATCHDOG=1", WATCHDOG_US);
	agent->watchdog_is_told = true;
	/* From now on no storm of events may hold it up. */
	sd_event_source_set_priority(source, SD_EVENT_PRIORITY_NORMAL);
	sd_event_source_set_time_relative(source, WATCHDOG_US / 3);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Armed during a cycle only: idle, nothing wakes up. */
static void watch_over_cycle(struct agent *agent)
{
	uint64_t accuracy_us = 1;

	log_hold(agent->setup.log);
	if (agent->watchdog)
		return;
	if (sd_event_add_time_relative(agent->setup.event, &agent->watchdog, CLOCK_MONOTONIC, 0,
				       accuracy_us, on_watchdog, agent) >= 0)
		sd_event_source_set_priority(agent->watchdog, SD_EVENT_PRIORITY_IDLE);
}

static void watch_no_more(struct agent *agent)
{
	agent->limit = sd_event_source_disable_unref(agent->limit);
	if (agent->watchdog_is_told)
		tell(agent, "WATCHDOG_USEC=0");
	agent->watchdog_is_told = false;
	agent->watchdog = sd_event_source_disable_unref(agent->watchdog);
	log_release(agent->setup.log);
}

static void on_quiesced(void *userdata, int r, const char *reason)
{
	struct agent *agent = userdata;

	if (r < 0) {
		text_sanitize(reason, strlen(reason), agent->reason, sizeof(agent->reason));
		log_line(agent->setup.log, LOG_LEVEL_ERROR, "cycle %" PRIu64 ": cannot quiesce: %s",
			 agent->machine.cycle, reason);
	}
	handle(agent, r < 0 ? MACHINE_QUIESCE_FAILED : MACHINE_QUIESCE_DONE);
}

static void quiesce(struct agent *agent)
{
	/* The own deadline comes first: `failed` says more than silence. */
	uint64_t timeout_us = agent->timeout_us - agent->timeout_us / PROTOCOL_TIMEOUT_RESERVE;

	agent->start_us = clock_now_us();
	agent->restore_start_us = 0;
	agent->deadline_us = agent->start_us + timeout_us;
	agent->reason[0] = '\0';
	watch_over_cycle(agent);
	engine_quiesce(agent->setup.engine, agent->machine.cycle, timeout_us, on_quiesced, agent);
}

/* `what` the kernel did not, or what it says; the usual suspects are named. */
static void fail_suspend(struct agent *agent, const char *what)
{
	char blocked[300];

	if (wake_clock_was_suspended(agent->wake_clock)) {
		handle(agent, MACHINE_WOKEN);
		return;
	}
	freezer_name_blocked(agent->setup.roots, blocked, sizeof(blocked));
	snprintf(agent->reason, sizeof(agent->reason),
		 "the guest's kernel has not suspended: %s%s%s", what, blocked[0] ? ": " : "",
		 blocked);
	log_line(agent->setup.log, LOG_LEVEL_ERROR, "cycle %" PRIu64 ": %s", agent->machine.cycle,
		 agent->reason);
	handle(agent, MACHINE_TIMED_OUT);
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	fail_suspend(userdata, "no time left");
	return 0;
}

static void on_kernel_refused(void *userdata, const char *message)
{
	char shown[200];

	text_sanitize(message, strlen(message), shown, sizeof(shown));
	fail_suspend(userdata, shown);
}

/* Without its log, the time limit alone tells of a kernel that refuses. */
static void watch_kernel_log(struct agent *agent)
{
	int r = kernel_log_watch(agent->setup.event, agent->setup.roots, on_kernel_refused, agent,
				 &agent->kernel_log);

	if (r < 0)
		log_line(agent->setup.log, LOG_LEVEL_NOTICE,
			 "cannot listen to the kernel: %s, ignoring", strerror(-r));
}

static void stop_kernel_log(struct agent *agent)
{
	kernel_log_free(agent->kernel_log);
	agent->kernel_log = NULL;
}

/* "freezing 12.1, devices 420.3": the steps worth a millisecond or more. */
static void describe_steps(const struct engine *engine, char *ret, size_t size)
{
	const struct engine_step *steps;
	size_t n = engine_get_steps(engine, &steps);

	ret[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(ret);

		if (steps[i].duration_us < 1000)
			continue;
		snprintf(ret + used, size - used, "%s%s %" PRIu64 ".%" PRIu64, used ? ", " : "",
			 steps[i].what, steps[i].duration_us / 1000,
			 steps[i].duration_us % 1000 / 100);
	}
}

static void log_quiesced(struct agent *agent, uint64_t took_us, bool retracted)
{
	char steps[300];

	describe_steps(agent->setup.engine, steps, sizeof(steps));
	log_line(agent->setup.log, LOG_LEVEL_INFO,
		 "cycle %" PRIu64 ": quiesced in %" PRIu64 ".%" PRIu64 " ms%s%s%s%s",
		 agent->machine.cycle, took_us / 1000, took_us % 1000 / 100, steps[0] ? " (" : "",
		 steps, steps[0] ? ")" : "", retracted ? ", but dom0 has given it up" : "");
}

/* The clock is armed before: the kernel may be quick. */
static void commit(struct agent *agent)
{
	struct channel *channel = agent->setup.channel;
	struct protocol_request request = { PROTOCOL_SUSPEND, agent->machine.cycle };
	struct protocol_state state = { PROTOCOL_AGENT_QUIESCED, agent->machine.cycle };
	uint64_t took_us = clock_now_us() - agent->start_us;
	int r = wake_clock_arm(agent->wake_clock);

	watch_kernel_log(agent);
	if (r == 0)
		r = sd_event_add_time(agent->setup.event, &agent->limit, CLOCK_MONOTONIC,
				      agent->deadline_us, 0, on_limit, agent);
	if (r >= 0)
		r = channel->ops->commit(channel, &request, &state);
	if (r < 0) {
		snprintf(agent->reason, sizeof(agent->reason),
			 "cannot ask the own kernel to suspend: %s", strerror(-r));
		handle(agent, MACHINE_COMMIT_FAILED);
	} else {
		log_quiesced(agent, took_us, r == CHANNEL_RETRACTED);
		handle(agent, r == CHANNEL_RETRACTED ? MACHINE_RETRACTED : MACHINE_COMMITTED);
	}
}

/* One line for people: what failed, then each device. */
static void set_detail(struct agent *agent, const char *devices)
{
	char text[PROTOCOL_DETAIL_MAX + sizeof(agent->reason) + 3];

	snprintf(text, sizeof(text), "%s%s%s", agent->reason,
		 agent->reason[0] && devices[0] ? "; " : "", devices);
	text_sanitize(text, strlen(text), agent->detail, sizeof(agent->detail));
}

static void on_restored(void *userdata, bool degraded, const char *detail)
{
	struct agent *agent = userdata;

	set_detail(agent, detail);
	handle(agent, degraded ? MACHINE_RESTORED_DEGRADED : MACHINE_RESTORED);
}

static void restore(struct agent *agent)
{
	agent->restore_start_us = clock_now_us();
	wake_clock_disarm(agent->wake_clock);
	stop_kernel_log(agent);
	agent->limit = sd_event_source_disable_unref(agent->limit);
	watch_over_cycle(agent);
	engine_restore(agent->setup.engine, on_restored, agent);
}

static void perform_step(struct agent *agent, const struct machine_step *step)
{
	struct channel *channel = agent->setup.channel;
	int r = 0;

	if (step->actions & MACHINE_WITHDRAW)
		r = channel->ops->withdraw(channel);
	if (r < 0)
		log_line(agent->setup.log, LOG_LEVEL_ERROR,
			 "cannot take the own suspend request back: %s", strerror(-r));
	if (step->actions & MACHINE_DRAIN)
		(void)channel->ops->drain(channel);
	if (step->actions & MACHINE_PUBLISH)
		publish_state(agent, &step->publish);
	if (step->actions & MACHINE_NOTIFY)
		(void)channel->ops->notify(channel);
	/* The last of them: each may lead to the next step at once. */
	if (step->actions & MACHINE_QUIESCE)
		quiesce(agent);
	else if (step->actions & MACHINE_COMMIT)
		commit(agent);
	else if (step->actions & MACHINE_RESTORE)
		restore(agent);
}

/* On record before dom0 hears of it: a successor will say the same. */
static void record_cycle(struct agent *agent)
{
	int r = journal_finish(agent->setup.journal, &agent->machine.done, agent->detail);

	if (r < 0)
		log_line(agent->setup.log, LOG_LEVEL_WARNING,
			 "cannot record the end of cycle %" PRIu64 ": %s", agent->machine.cycle,
			 strerror(-r));
	log_line(agent->setup.log, LOG_LEVEL_NOTICE,
		 "cycle %" PRIu64 ": %s after %" PRIu64 " ms%s%s", agent->machine.done.cycle,
		 protocol_agent_state_name(agent->machine.done.state),
		 (clock_now_us() - agent->restore_start_us) / 1000, agent->detail[0] ? ": " : "",
		 agent->detail);
	write_node(agent, PROTOCOL_NODE_DETAIL, agent->detail);
}

static void exit_loop(struct agent *agent)
{
	write_node(agent, PROTOCOL_NODE_STATE, NULL);
	sd_event_exit(agent->setup.event, 0);
}

static void handle(struct agent *agent, enum machine_input input)
{
	bool ends = input == MACHINE_RESTORED || input == MACHINE_RESTORED_DEGRADED;
	struct machine_step step;

	if (ends || input == MACHINE_WATCH || input == MACHINE_EVENT)
		read_request(agent);
	step = machine_handle(&agent->machine, input, &agent->request);
	if (ends)
		record_cycle(agent);
	perform_step(agent, &step);
	if (ends) {
		watch_no_more(agent);
		/* It may have been written while nobody was idle to look. */
		read_timeout(agent);
		if (agent->stopping)
			exit_loop(agent);
	}
}

/* ---- Hearing ---- */

/*
 * The kernel clears the node when it takes the question up, and is then busy
 * suspending.
 */
static bool kernel_has_acknowledged(struct agent *agent)
{
	struct channel *channel = agent->setup.channel;
	char text[16];
	int n = channel->ops->read(channel, PROTOCOL_NODE_SHUTDOWN, text, sizeof(text));

	return n == 0;
}

/*
 * Whatever wakes a quiesced agent, the first question is whether it has slept.
 * The clocks know, and are asked without a word to anybody; but a kernel that
 * corrects its clock by the host's may swallow a sleep of some milliseconds.
 * Then dom0's word is taken: with `suspend N` standing it notifies a quiesced
 * guest only on the wake.
 */
static bool was_suspended(struct agent *agent, enum machine_input input)
{
	if (wake_clock_was_suspended(agent->wake_clock))
		return true;
	if (input != MACHINE_EVENT)
		return false;
	read_request(agent);
	return agent->request.verb == PROTOCOL_SUSPEND &&
	       agent->request.cycle == agent->machine.cycle && kernel_has_acknowledged(agent);
}

static void dispatch(struct agent *agent, enum machine_input input)
{
	if (agent->machine.phase == MACHINE_QUIESCED && was_suspended(agent, input))
		handle(agent, MACHINE_WOKEN);
	else
		handle(agent, input);
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct agent *agent = userdata;
	struct channel *channel = agent->setup.channel;
	int n = channel->ops->drain(channel);

	(void)source;
	(void)fd;
	(void)revents;
	if (n < 0)
		return n;
	if (n > 0)
		dispatch(agent, MACHINE_EVENT);
	return 0;
}

static void on_woken(void *userdata)
{
	handle(userdata, MACHINE_WOKEN);
}

static int watch_events(struct agent *agent)
{
	struct channel *channel = agent->setup.channel;

	agent->event_source = sd_event_source_disable_unref(agent->event_source);
	return sd_event_add_io(agent->setup.event, &agent->event_source, channel->event_fd, EPOLLIN,
			       on_event, agent);
}

/* Publishes the channel where it is new, and finds out where things stand. */
static void start_protocol(struct agent *agent, const struct machine_past *past)
{
	struct machine_step step;

	if (!past->channel_kept)
		publish_channel(agent);
	read_request(agent);
	read_timeout(agent);
	write_node(agent, PROTOCOL_NODE_DETAIL, agent->detail);
	step = machine_start(&agent->machine, past, &agent->request);
	perform_step(agent, &step);
}

/*
 * A domain that was saved and restored, or has moved, finds its nodes gone and
 * its port dead. The library sets its watches again, which brings us here.
 */
static int renew_if_lost(struct agent *agent)
{
	struct channel *channel = agent->setup.channel;
	struct machine_past past = { .done = agent->machine.done };
	struct error error = { 0 };
	char text[8];
	int r = channel->ops->read(channel, PROTOCOL_NODE_VERSION, text, sizeof(text));

	if (r != -ENOENT || agent->machine.phase != MACHINE_IDLE)
		return 0;
	log_line(agent->setup.log, LOG_LEVEL_NOTICE,
		 "this domain is a new one to Xen; publishing a new channel");
	agent->event_source = sd_event_source_disable_unref(agent->event_source);
	r = channel->ops->renew(channel, &error);
	if (r < 0) {
		log_line(agent->setup.log, LOG_LEVEL_ERROR, "%s", error.text);
		return r;
	}
	if (agent->setup.store_channel)
		agent->setup.store_channel(channel, agent->setup.roots);
	r = watch_events(agent);
	if (r < 0)
		return r;
	start_protocol(agent, &past);
	return 0;
}

static int on_watch(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct agent *agent = userdata;
	struct channel *channel = agent->setup.channel;
	int n = channel->ops->take_watches(channel);

	(void)source;
	(void)fd;
	(void)revents;
	if (n < 0)
		return n;
	if (n == 0)
		return 0;
	n = renew_if_lost(agent);
	if (n < 0)
		return n;
	if (agent->machine.phase == MACHINE_IDLE)
		read_timeout(agent);
	dispatch(agent, MACHINE_WATCH);
	return 0;
}

/* ---- Life ---- */

/* What stands in xenstore and on /run from before. */
static void read_past(struct agent *agent, struct machine_past *ret)
{
	struct channel *channel = agent->setup.channel;
	struct journal *journal = agent->setup.journal;
	struct error error = { 0 };
	char text[PROTOCOL_TEXT_MAX];
	int n = channel->ops->read(channel, PROTOCOL_NODE_STATE, text, sizeof(text));

	*ret = (struct machine_past){
		.done = journal->done,
		.channel_kept = channel->kept,
	};
	if (n > 0)
		(void)protocol_parse_state(text, (size_t)n, &ret->published);
	/*
	 * Undone by --restore, which does not know how far the cycle had got:
	 * what was quiesced has since come back from its sleep.
	 */
	if (ret->done.state == PROTOCOL_AGENT_FAILED &&
	    ret->published.state == PROTOCOL_AGENT_QUIESCED &&
	    ret->published.cycle == ret->done.cycle)
		ret->done.state = PROTOCOL_AGENT_READY;
	if (!journal->open)
		return;
	if (journal_lock(journal, &error) < 0) {
		log_line(agent->setup.log, LOG_LEVEL_WARNING,
			 "%s on an unfinished cycle, which is left to it", error.text);
		journal_done(journal);
		return;
	}
	ret->unfinished = true;
	ret->cycle = journal->cycle;
	snprintf(agent->reason, sizeof(agent->reason), "pmcoord-agent died in this cycle");
	log_line(agent->setup.log, LOG_LEVEL_WARNING,
		 "cycle %" PRIu64 " was left unfinished; undoing it", journal->cycle);
}

static int add_sources(struct agent *agent)
{
	int r = watch_events(agent);

	if (r >= 0)
		r = sd_event_add_io(agent->setup.event, &agent->watch_source,
				    agent->setup.channel->watch_fd, EPOLLIN, on_watch, agent);
	/* An abort's watch before its event: one look answers both. */
	if (r >= 0)
		r = sd_event_source_set_priority(agent->watch_source, SD_EVENT_PRIORITY_NORMAL - 1);
	if (r >= 0)
		r = wake_clock_new(agent->setup.event, agent->setup.suspended_us, on_woken, agent,
				   &agent->wake_clock);
	return r;
}

int agent_start(const struct agent_setup *setup, struct agent **ret, struct error *error)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	struct machine_past past;
	int r;

	if (!agent)
		return error_set(error, -ENOMEM, "out of memory");
	agent->setup = *setup;
	agent->timeout_us = setup->settings->timeout_us;
	snprintf(agent->detail, sizeof(agent->detail), "%s", setup->journal->detail);
	/* Who asks dom0 what will become of it need not wait for a cycle. */
	if (!agent->detail[0])
		engine_describe_kept(setup->engine, agent->detail, sizeof(agent->detail));
	engine_set_inhibitor_policy(setup->engine, dom0_honours_inhibitors, agent);
	r = add_sources(agent);
	if (r < 0) {
		agent_free(agent);
		return error_set(error, r, "cannot listen: %s", strerror(-r));
	}
	read_past(agent, &past);
	start_protocol(agent, &past);
	*ret = agent;
	return 0;
}

void agent_stop(struct agent *agent)
{
	agent->stopping = true;
	if (agent->machine.phase == MACHINE_IDLE) {
		exit_loop(agent);
		return;
	}
	if (agent->machine.phase == MACHINE_RESTORING)
		return;
	if (agent->machine.phase == MACHINE_QUIESCED &&
	    wake_clock_was_suspended(agent->wake_clock)) {
		handle(agent, MACHINE_WOKEN);
		return;
	}
	snprintf(agent->reason, sizeof(agent->reason), "pmcoord-agent was stopped");
	handle(agent, MACHINE_TIMED_OUT);
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	sd_event_source_disable_unref(agent->event_source);
	sd_event_source_disable_unref(agent->watch_source);
	sd_event_source_disable_unref(agent->limit);
	sd_event_source_disable_unref(agent->watchdog);
	wake_clock_free(agent->wake_clock);
	kernel_log_free(agent->kernel_log);
	free(agent);
}
