/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "pmcoord/clock.h"
#include "pmcoord/error.h"
#include "pmcoord/parse.h"
#include "pmcoord/protocol.h"
#include "guest/freezer.h"
#include "guest/kernel-log.h"
#include "guest/log.h"
#include "guest/wake-clock.h"
#include "engine/journal.h"
#include "engine/machine.h"

/* The maximum time limit in PROTOCOL_NODE_TIMEOUT; a longer limit is ignored. */
#define TIMEOUT_MAX_MS 3600000ull

/*
 * The time after which systemd kills an agent that hangs in a cycle. `pmcoord-agent
 * --restore` then restores the guest. PID 1 is slow to handle the message that starts the
 * watchdog, so the agent sends this message only when the event loop is idle. In a short
 * cycle this is after the commit, when the message delays nothing.
 */
#define WATCHDOG_US 30000000ull

struct agent {
	struct agent_setup setup;
	struct machine machine;
	struct wake_clock *wake_clock;
	struct kernel_log *kernel_log; /* watched from the commit to the restore */
	sd_event_source *event_source;
	sd_event_source *watch_source;
	sd_event_source *limit; /* ends the wait for the kernel's suspend */
	sd_event_source *watchdog; /* NULL outside of a cycle */
	bool watchdog_is_set;
	struct protocol_request request;
	uint64_t timeout_us; /* dom0's time limit, or the configured limit */
	uint64_t deadline_us; /* when the guest must be suspended; earlier than dom0's deadline */
	uint64_t start_us; /* when quiescing began */
	uint64_t restore_start_us;
	bool stopping;
	char reason[600]; /* why the cycle failed, or "" */
	char detail[PROTOCOL_DETAIL_MAX + 1];
};

static void handle(struct agent *agent, enum machine_input input);

static void notify_systemd(struct agent *agent, const char *format, ...) _printf_(2, 3);

static void notify_systemd(struct agent *agent, const char *format, ...)
{
	char text[256];
	va_list arguments;

	if (!agent->setup.notify_systemd)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	agent->setup.notify_systemd(text);
}

/* ---- Reading dom0's nodes ---- */

/*
 * Reads the current request into agent->request. An invalid request counts as none. If the
 * node cannot be read, agent->request keeps its value.
 */
static void read_request(struct agent *agent)
{
	struct channel *channel = agent->setup.channel;
	struct protocol_request request = { PROTOCOL_NO_REQUEST, 0 };
	char text[PROTOCOL_TEXT_MAX], shown[PROTOCOL_TEXT_MAX];
	int n = channel->ops->read(channel, PROTOCOL_NODE_REQUEST, text, sizeof(text));

	if (n < 0 && n != -ENOENT && n != -EMSGSIZE) {
		log_line(agent->setup.log, LOG_LEVEL_WARNING,
			 "cannot read %s: %s; keeping the last request", PROTOCOL_NODE_REQUEST,
			 strerror(-n));
		return;
	}
	/* An empty node is valid, because dom0 creates the node before it writes a request. */
	if (n > 0 && protocol_parse_request(text, (size_t)n, &request) < 0) {
		text_sanitize(text, (size_t)n, shown, sizeof(shown));
		log_line(agent->setup.log, LOG_LEVEL_WARNING, "%s: invalid request '%s', ignoring",
			 PROTOCOL_NODE_REQUEST, shown);
	}
	agent->request = request;
}

/*
 * Reads dom0's time limit into agent->timeout_us. Called outside of a cycle, when dom0 does
 * not wait for this guest. This is early enough, because dom0 writes the limit before the
 * cycle begins.
 */
static void read_timeout(struct agent *agent)
{
	struct channel *channel = agent->setup.channel;
	char text[24], shown[sizeof(text)];
	uint64_t ms;
	int n = channel->ops->read(channel, PROTOCOL_NODE_TIMEOUT, text, sizeof(text) - 1);

	agent->timeout_us = agent->setup.settings->timeout_us;
	/* An empty node is valid, because dom0 creates the node before it writes a limit. */
	if (n <= 0)
		return;
	text[n] = '\0';
	if (parse_u64(text, TIMEOUT_MAX_MS, &ms) < 0 || ms * 1000 < PROTOCOL_TIMEOUT_MIN_US) {
		text_sanitize(text, (size_t)n, shown, sizeof(shown));
		log_line(agent->setup.log, LOG_LEVEL_WARNING,
			 "%s: '%s' is not a number of ms from %llu to %llu, ignoring",
			 PROTOCOL_NODE_TIMEOUT, shown, PROTOCOL_TIMEOUT_MIN_US / 1000,
			 TIMEOUT_MAX_MS);
		return;
	}
	agent->timeout_us = ms * 1000;
}

/* Implements engine_honours_fn. Returns false only if pmcoord/inhibitors contains `ignore`. */
static bool dom0_honours_inhibitors(void *userdata)
{
	struct agent *agent = userdata;
	struct channel *channel = agent->setup.channel;
	char text[sizeof(PROTOCOL_INHIBITORS_IGNORE)];
	int n = channel->ops->read(channel, PROTOCOL_NODE_INHIBITORS, text, sizeof(text));

	return n != (int)strlen(PROTOCOL_INHIBITORS_IGNORE) ||
	       memcmp(text, PROTOCOL_INHIBITORS_IGNORE, (size_t)n) != 0;
}

/* ---- Writing the agent's nodes ---- */

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
	notify_systemd(agent, "STATUS=%s", text);
}

/*
 * Publishes the protocol's version and the channel's port. First removes the old state: dom0
 * must not read an old `ready` together with a new port whose events have not been drained.
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

/* ---- Performing steps ---- */

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *agent = userdata;

	(void)usec;
	if (agent->watchdog_is_set)
		notify_systemd(agent, "WATCHDOG=1");
	else
		notify_systemd(agent, "WATCHDOG_USEC=%llu\nWATCHDOG=1", WATCHDOG_US);
	agent->watchdog_is_set = true;
	/*
	 * start_watchdog() gave this source idle priority, because the first message is not
	 * urgent. Each later message must be sent before the watchdog expires, so other events
	 * must not delay it.
	 */
	sd_event_source_set_priority(source, SD_EVENT_PRIORITY_NORMAL);
	sd_event_source_set_time_relative(source, WATCHDOG_US / 3);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/*
 * Keeps log lines in memory from now on, and starts the watchdog; stop_watchdog() ends both.
 * The watchdog does not run outside of a cycle, because it would wake up an idle agent.
 */
static void start_watchdog(struct agent *agent)
{
	uint64_t accuracy_us = 1;

	log_hold(agent->setup.log);
	if (agent->watchdog)
		return;
	if (sd_event_add_time_relative(agent->setup.event, &agent->watchdog, CLOCK_MONOTONIC, 0,
				       accuracy_us, on_watchdog, agent) >= 0)
		sd_event_source_set_priority(agent->watchdog, SD_EVENT_PRIORITY_IDLE);
}

static void stop_watchdog(struct agent *agent)
{
	agent->limit = sd_event_source_disable_unref(agent->limit);
	if (agent->watchdog_is_set)
		notify_systemd(agent, "WATCHDOG_USEC=0");
	agent->watchdog_is_set = false;
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
	/* The limit ends before dom0's deadline, so that dom0 receives `failed` with a detail. */
	uint64_t timeout_us = agent->timeout_us - agent->timeout_us / PROTOCOL_TIMEOUT_RESERVE;

	agent->start_us = clock_now_us();
	agent->restore_start_us = 0;
	agent->deadline_us = agent->start_us + timeout_us;
	agent->reason[0] = '\0';
	start_watchdog(agent);
	engine_quiesce(agent->setup.engine, agent->machine.cycle, timeout_us, on_quiesced, agent);
}

/*
 * Called when the kernel seems not to have suspended the guest; `why` is the kernel's
 * message or "timed out". If the guest was suspended after all, continues with the restore.
 * Otherwise ends the cycle as failed, with a reason that dom0 reads in data/pmcoord/detail.
 * The reason also names the processes in state D, because these are the usual cause.
 */
static void fail_suspend(struct agent *agent, const char *why)
{
	char blocked[300];

	if (wake_clock_was_suspended(agent->wake_clock)) {
		handle(agent, MACHINE_WOKEN);
		return;
	}
	freezer_name_blocked(agent->setup.roots, blocked, sizeof(blocked));
	snprintf(agent->reason, sizeof(agent->reason),
		 "the guest's kernel has not suspended: %s%s%s", why, blocked[0] ? ": " : "",
		 blocked);
	log_line(agent->setup.log, LOG_LEVEL_ERROR, "cycle %" PRIu64 ": %s", agent->machine.cycle,
		 agent->reason);
	handle(agent, MACHINE_NOT_SUSPENDED);
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	fail_suspend(userdata, "timed out");
	return 0;
}

static void on_kernel_refused(void *userdata, const char *message)
{
	char shown[200];

	text_sanitize(message, strlen(message), shown, sizeof(shown));
	fail_suspend(userdata, shown);
}

/*
 * Watches the kernel's log for a failed suspend. If the log cannot be watched, the time
 * limit detects a failed suspend later.
 */
static void watch_kernel_log(struct agent *agent)
{
	int r = kernel_log_watch(agent->setup.event, agent->setup.roots, on_kernel_refused, agent,
				 &agent->kernel_log);

	if (r < 0)
		log_line(agent->setup.log, LOG_LEVEL_NOTICE,
			 "cannot watch %s/kmsg: %s; only the time limit detects a failed suspend",
			 agent->setup.roots->dev, strerror(-r));
}

static void stop_kernel_log(struct agent *agent)
{
	kernel_log_free(agent->kernel_log);
	agent->kernel_log = NULL;
}

/* Describes the steps that took a millisecond or more: "freezing 12.1 ms, devices 420 ms". */
static void describe_steps(const struct engine *engine, char *ret, size_t size)
{
	const struct engine_step *steps;
	size_t n = engine_get_steps(engine, &steps);

	ret[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(ret);
		char duration[LOG_DURATION_MAX];

		if (steps[i].duration_us < 1000)
			continue;
		snprintf(ret + used, size - used, "%s%s %s", used ? ", " : "", steps[i].what,
			 log_format_duration(steps[i].duration_us, duration));
	}
}

static void log_quiesced(struct agent *agent, uint64_t took_us, bool retracted)
{
	char steps[300], duration[LOG_DURATION_MAX];

	describe_steps(agent->setup.engine, steps, sizeof(steps));
	log_line(agent->setup.log, LOG_LEVEL_INFO, "cycle %" PRIu64 ": quiesced in %s%s%s%s%s",
		 agent->machine.cycle, log_format_duration(took_us, duration), steps[0] ? " (" : "",
		 steps, steps[0] ? ")" : "", retracted ? ", but dom0 has aborted the cycle" : "");
}

/*
 * Requests a suspend from the guest's kernel. The wake clock, the watch of the kernel's
 * log and the time limit are started first, because the kernel may suspend at once.
 */
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
			 "cannot request a suspend from the guest's kernel: %s", strerror(-r));
		handle(agent, MACHINE_COMMIT_FAILED);
	} else {
		log_quiesced(agent, took_us, r == CHANNEL_RETRACTED);
		handle(agent, r == CHANNEL_RETRACTED ? MACHINE_RETRACTED : MACHINE_COMMITTED);
	}
}

/*
 * Sets agent->detail, which dom0 reads in data/pmcoord/detail. The detail is one line: the
 * reason of a failure, if any, then `devices`.
 */
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
	start_watchdog(agent);
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
			 "cannot clear %s: %s; the kernel may still suspend this guest",
			 PROTOCOL_NODE_SHUTDOWN, strerror(-r));
	if (step->actions & MACHINE_DRAIN)
		(void)channel->ops->drain(channel);
	if (step->actions & MACHINE_PUBLISH)
		publish_state(agent, &step->publish);
	if (step->actions & MACHINE_NOTIFY)
		(void)channel->ops->notify(channel);
	/* These calls come last, because each may perform the next step before it returns. */
	if (step->actions & MACHINE_QUIESCE)
		quiesce(agent);
	else if (step->actions & MACHINE_COMMIT)
		commit(agent);
	else if (step->actions & MACHINE_RESTORE)
		restore(agent);
}

/*
 * Records and logs the end of a cycle. The final state is recorded before it is published,
 * so that the next agent process publishes the same state.
 */
static void record_cycle(struct agent *agent)
{
	char duration[LOG_DURATION_MAX];
	int r = journal_finish(agent->setup.journal, &agent->machine.done, agent->detail);

	if (r < 0)
		log_line(agent->setup.log, LOG_LEVEL_WARNING,
			 "cannot record the final state of cycle %" PRIu64 ": %s",
			 agent->machine.cycle, strerror(-r));
	log_line(agent->setup.log, LOG_LEVEL_NOTICE, "cycle %" PRIu64 ": %s, restored in %s%s%s",
		 agent->machine.done.cycle, protocol_agent_state_name(agent->machine.done.state),
		 log_format_duration(clock_now_us() - agent->restore_start_us, duration),
		 agent->detail[0] ? ": " : "", agent->detail);
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
		stop_watchdog(agent);
		/* dom0 may have written a new time limit during the cycle. */
		read_timeout(agent);
		if (agent->stopping)
			exit_loop(agent);
	}
}

/* ---- Events ---- */

/* Whether the kernel has cleared control/shutdown, which it does when it starts to suspend. */
static bool kernel_has_acknowledged(struct agent *agent)
{
	struct channel *channel = agent->setup.channel;
	char text[16];
	int n = channel->ops->read(channel, PROTOCOL_NODE_SHUTDOWN, text, sizeof(text));

	return n == 0;
}

/*
 * Whether the guest has been suspended since it was quiesced. Usually the guest's clocks show
 * a suspend. They may miss a suspend of a few milliseconds if the guest's kernel adjusts its
 * clock to the host's clock. In this case an event shows the suspend if two conditions hold:
 * the kernel has acknowledged the suspend, and the request is still `suspend` for this cycle.
 * With this request dom0 sends no event to a quiesced guest before it has resumed the guest.
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
 * Renews the channel if the guest was migrated, or restored from a file. The guest is then a
 * new domain without the agent's nodes and port. Watches fire in this case, because the
 * guest's kernel sets them again in the new domain. Returns 0 or negative errno.
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
		 "this guest was restored or migrated: publishing a new event channel");
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

/* ---- Start and stop ---- */

/*
 * Reads what an earlier agent has left in xenstore and on /run. If the journal contains an
 * unfinished cycle, also locks the journal, because this agent will undo the cycle.
 */
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
	 * `pmcoord-agent --restore` does not read the state node, so it has recorded the
	 * unfinished cycle as failed. But if the state node is `quiesced` for that cycle, the
	 * guest has been suspended and resumed, so the final state is `ready`.
	 */
	if (ret->done.state == PROTOCOL_AGENT_FAILED &&
	    ret->published.state == PROTOCOL_AGENT_QUIESCED &&
	    ret->published.cycle == ret->done.cycle)
		ret->done.state = PROTOCOL_AGENT_READY;
	if (!journal->open)
		return;
	if (journal_lock(journal, &error) < 0) {
		log_line(agent->setup.log, LOG_LEVEL_WARNING,
			 "%s; not undoing the unfinished cycle %" PRIu64, error.text,
			 journal->cycle);
		journal_done(journal);
		return;
	}
	ret->unfinished = true;
	ret->cycle = journal->cycle;
	snprintf(agent->reason, sizeof(agent->reason), "pmcoord-agent died in this cycle");
	log_line(agent->setup.log, LOG_LEVEL_WARNING,
		 "cycle %" PRIu64
		 ": pmcoord-agent died before it had restored the guest; restoring now",
		 journal->cycle);
}

static int add_sources(struct agent *agent)
{
	int r = watch_events(agent);

	if (r >= 0)
		r = sd_event_add_io(agent->setup.event, &agent->watch_source,
				    agent->setup.channel->watch_fd, EPOLLIN, on_watch, agent);
	/*
	 * Watches are handled before events. For an abort, dom0 writes the request and sends
	 * an event. The agent then handles the watch, drains the event, and answers once.
	 */
	if (r >= 0)
		r = sd_event_source_set_priority(agent->watch_source, SD_EVENT_PRIORITY_NORMAL - 1);
	if (r >= 0)
		r = wake_clock_new(agent->setup.event, agent->setup.suspended_us, on_woken, agent,
				   &agent->wake_clock);
	return r;
}

int agent_start(const struct agent_setup *setup, struct agent **ret, struct error *error)
{
	struct agent *agent;
	struct machine_past past;
	int r;

	assert(setup->event && setup->roots && setup->settings && setup->channel);
	assert(setup->journal && setup->engine && setup->suspended_us && ret);
	agent = calloc(1, sizeof(*agent));
	if (!agent)
		return error_set(error, -ENOMEM, "out of memory");
	agent->setup = *setup;
	agent->timeout_us = setup->settings->timeout_us;
	snprintf(agent->detail, sizeof(agent->detail), "%s", setup->journal->detail);
	/*
	 * Before the first cycle, data/pmcoord/detail lists the devices that a cycle would keep
	 * bound although they may not work after the sleep. `pmcoord check` shows them.
	 */
	if (!agent->detail[0])
		engine_describe_kept(setup->engine, agent->detail, sizeof(agent->detail));
	engine_set_inhibitor_policy(setup->engine, dom0_honours_inhibitors, agent);
	r = add_sources(agent);
	if (r < 0) {
		agent_free(agent);
		return error_set(error, r, "cannot watch the event channel: %s", strerror(-r));
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
	handle(agent, MACHINE_NOT_SUSPENDED);
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
