/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A real cycle on the double of Xen, with guests and events of the fuzzer's choice.
 *
 * The input: a byte of configuration, a byte with the number of guests, five bytes for each
 * guest, then four for each event: its moment in ms (two bytes), what happens, and to which guest.
 * A few laws are judged, from the state of the double; tests/worlds judges all of them.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/loop.h"
#include "record/report.h"
#include "engine/suspend.h"
#include "tests/fakexen/agents.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/store-client.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/toolstacks.h"
#include "tests/fakexen/virtual-time.h"
#include "tests/fuzz/file.h"
#include "tests/fuzz/xen-host.h"

#define GUESTS_MAX 6
#define EVENTS_MAX 12
/* Deadline=, the wait for late guests and ReadyTimeout= are 30, 25 and 30 s. */
#define CYCLE_MAX_US 90000000
#define SLEEP_US 3600000000ull

enum event {
	EVENT_PAUSE,
	EVENT_UNPAUSE,
	EVENT_DESTROY,
	EVENT_SHUT_DOWN,
	EVENT_REBOOT,
	EVENT_CRASH,
	EVENT_SAVE,
	EVENT_MIGRATE,
	EVENT_BUILD,
	EVENT_RESUME,
	EVENT_STORM,
	EVENT_SILENCE,
	EVENT_SLOWNESS,
	EVENT_NONSENSE,
	EVENT_REMOVAL,
	EVENT_RESET,
	EVENT_SUBSCRIPTION,
	EVENT_SIGNAL,
	EVENT_AGENT_DIES,
	N_EVENTS,
};

/* What somebody else has done to a guest, so that some laws say nothing about it. */
struct history {
	struct fake_guest *guest;
	struct fake_agent *agent;
	unsigned int user_pauses;
	bool was_touched;
};

struct planned {
	enum event event;
	struct history *target;
};

static struct xen_host host;
static struct history guests[GUESTS_MAX];
static size_t n_guests;
static struct planned events[EVENTS_MAX];
static size_t n_events;
static bool is_slowed; /* xenstored or a storm has taken time from the cycle */

/* ---- the input ---------------------------------------------------------- */

struct input {
	const uint8_t *data;
	size_t size;
};

static unsigned int take(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

/* 1 ms to 15 s: 0 to 255, each step longer by an equal part. */
static uint64_t take_duration(struct input *input)
{
	uint64_t us = 1000;

	for (unsigned int n = take(input) / 8; n > 0; n--)
		us += us * 4 / 11;
	return us < 15000000 ? us : 15000000;
}

static void take_config(struct input *input)
{
	unsigned int bits = take(input);

	host.config.on_failure = bits & 1 ? ON_FAILURE_ABORT : ON_FAILURE_PAUSE;
	host.config.on_deadline = bits & 2 ? ON_FAILURE_ABORT : ON_FAILURE_PAUSE;
	host.config.resume_after = bits & 4 ? RESUME_AFTER_READY : RESUME_AFTER_RUNNING;
	if (bits & 8)
		host.config.deadline_us = 3000000;
	if (bits & 16)
		host.config.guest_timeout_us = 1000000;
}

static void take_guest(struct input *input, size_t i)
{
	static const enum guest_answer answers[] = {
		ANSWER_CLEARS, ANSWER_REMOVES,	ANSWER_ONLY_CLEARS,
		ANSWER_NEVER,  ANSWER_NONSENSE, ANSWER_REFUSES,
	};
	unsigned int kind = take(input), flags = take(input);
	struct fake_guest_params params = {
		.kind = (enum domain_kind)(kind % 3),
		.answer = answers[kind / 3 % 6],
		.without_drivers = kind % 3 == DOMAIN_HVM && (flags & 1),
		.without_record = flags & 2,
		.has_channel = flags & 4,
		.acknowledge_us = take_duration(input) / 4,
		.suspend_us = take_duration(input),
	};
	char name[16];

	snprintf(name, sizeof(name), "g%u", (unsigned int)i);
	params.name = name;
	guests[i] = (struct history){ .guest = fake_guest_build(&params) };
	if (flags & 8 && !params.has_channel && !params.without_drivers)
		guests[i].agent =
			fake_agent_start(guests[i].guest, (enum agent_conduct)(flags >> 4 & 7) % 6);
	if (i > 0 && take(input) & 1)
		fake_guest_add_device(guests[i].guest, fake_guest_domid(guests[i - 1].guest), "vif",
				      0);
}

/* ---- events -------------------------------------------------------------- */

static void build_newcomer(void)
{
	struct fake_guest_params params = { .name = "newcomer" };

	fake_guest_build(&params);
}

static void happen_to_host(enum event event)
{
	if (event == EVENT_BUILD) {
		build_newcomer();
	} else if (event == EVENT_SILENCE) {
		is_slowed = true;
		store_client_be_silent(2000000);
	} else if (event == EVENT_SLOWNESS) {
		is_slowed = true;
		store_client_set_latency(5000);
	} else if (event == EVENT_SIGNAL) {
		loop_interrupt(host.loop, SIGTERM);
	}
}

static void happen_to_guest(enum event event, struct history *target, struct fake_domain *domain)
{
	uint32_t domid = domain->domid;

	switch (event) {
	case EVENT_PAUSE:
		target->user_pauses++;
		toolstack_pause(domid);
		break;
	case EVENT_UNPAUSE:
		/* A user may end any pause, also one of ours. */
		if (domain->pauses > 0 && target->user_pauses > 0)
			target->user_pauses--;
		toolstack_unpause(domid);
		break;
	case EVENT_DESTROY:
		toolstack_destroy(domid);
		break;
	case EVENT_SHUT_DOWN:
	case EVENT_REBOOT:
		toolstack_shut_down(domid, event == EVENT_REBOOT);
		break;
	case EVENT_CRASH:
		domains_shut_down(domain, REASON_CRASH);
		break;
	case EVENT_SAVE:
		toolstack_save(domid, 3000000, true);
		break;
	case EVENT_MIGRATE:
		toolstack_migrate(domid, 3000000);
		break;
	case EVENT_RESUME:
		toolstack_resume(domid);
		break;
	case EVENT_STORM:
		is_slowed = true;
		event_channels_storm(domid, 3, virtual_time_now() + 200000);
		break;
	case EVENT_NONSENSE:
		store_write_as(domid, "control/shutdown", "\x02 lies");
		break;
	case EVENT_REMOVAL:
		store_remove_as(domid, "control/shutdown");
		break;
	case EVENT_RESET:
		event_channels_reset(domid);
		break;
	case EVENT_SUBSCRIPTION:
		toolstack_subscribe(domid, 1);
		break;
	case EVENT_AGENT_DIES:
		if (target->agent)
			fake_agent_set_conduct(target->agent, AGENT_IS_DEAD);
		break;
	default:
		break;
	}
}

static void happen(void *data)
{
	struct planned *planned = data;
	struct fake_domain *domain = fake_guest_domain(planned->target->guest);

	happen_to_host(planned->event);
	if (!domain || domain->is_dying)
		return;
	planned->target->was_touched |=
		planned->event != EVENT_PAUSE && planned->event != EVENT_BUILD;
	happen_to_guest(planned->event, planned->target, domain);
}

static void take_event(struct input *input)
{
	struct planned *planned = &events[n_events++];
	unsigned int at_ms = take(input);

	at_ms = at_ms << 8 | take(input);
	planned->event = (enum event)(take(input) % N_EVENTS);
	planned->target = &guests[take(input) % n_guests];
	virtual_time_after((uint64_t)at_ms * 1000, happen, planned);
}

/* Events happen once pmcoord runs. */
static void take_events(struct input *input)
{
	n_events = 0;
	is_slowed = false;
	while (input->size > 0 && n_events < EVENTS_MAX)
		take_event(input);
}

static void take_guests(struct input *input)
{
	take_config(input);
	n_guests = 1 + take(input) % GUESTS_MAX;
	for (size_t i = 0; i < n_guests; i++)
		take_guest(input, i);
}

/* ---- judging ------------------------------------------------------------- */

static void judge_cycle(const struct report *report, uint64_t begin_us)
{
	uint64_t took_us = virtual_time_now() - begin_us - host.n_slept * SLEEP_US;

	xen_host_require(is_slowed || took_us < CYCLE_MAX_US, "a cycle ends in time");
	if (report->result == RESULT_OK && n_events == 0 && host.n_slept > 0)
		xen_host_require(host.n_ran_through == 0, "no guest runs while the host sleeps");
	for (size_t i = 0; i < n_guests && n_events == 0; i++)
		xen_host_require(
			report_find_guest(report, fake_guest_params(guests[i].guest)->name),
			"each guest is in the report");
}

static void judge_domain(const struct fake_domain *domain, const struct history *history)
{
	const char *request = store_text(fake_guest_path(history->guest, "control/shutdown"));

	xen_host_require(domain->n_not_cancelled == 0, "each suspension was cancelled");
	xen_host_require(domain->n_corrupted == 0, "no register of a running guest was written");
	if (history->was_touched)
		return;
	xen_host_require(domain->pauses == history->user_pauses, "only a user's pause is left");
	xen_host_require(!domain->is_shut_down, "no guest stays suspended");
	xen_host_require(!request || strcmp(request, "suspend") != 0, "no request is left");
}

static void judge_end(void)
{
	for (size_t i = 0; i < n_guests; i++)
		if (fake_guest_domain(guests[i].guest))
			judge_domain(fake_guest_domain(guests[i].guest), &guests[i]);
}

static void run(void)
{
	struct cycle_params params = { .trigger = "fuzz", .sleeper = &host.sleeper };
	struct report *report = NULL;
	struct error error = { 0 };
	uint64_t begin_us = virtual_time_now();
	int r = coordinator_suspend(&host.coordinator, &params, &report, &error);

	xen_host_require(r == 0 || error.text[0], "a failure has a text");
	if (report)
		judge_cycle(report, begin_us);
	report_free(report);
	virtual_time_pass(180000000);
	judge_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	xen_host_start(&host);
	take_guests(&input);
	xen_host_open(&host);
	take_events(&input);
	run();
	xen_host_stop(&host);
	return 0;
}
