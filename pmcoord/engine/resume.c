/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/resume.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"

/*
 * A Linux guest that has taken a request freezes its processes for at most
 * 20 s (kernel/power/process.c, freeze_timeout_msecs) and then either goes
 * down or goes on without a word.
 */
#define LATE_SUSPEND_US 25000000

/*
 * Guests that are brought back at once; their journal entries come after the
 * last of them, and nobody has so many that he would notice.
 */
#define GROUP_MAX 64

struct resume {
	struct journal *journal;
	const struct config *config;
	struct hypervisor *hypervisor;
	struct loop *loop;
	struct domid_index by_domid; /* of the guests; none without memory */
	int journal_error; /* the first one; guests come before the journal */
	/* Of resume_wait_ready: how many may still say something, … */
	uint64_t start_us;
	size_t n_open;
	uint64_t next_us; /* … and no wait for one of them ends earlier */
};

static const struct cycle *cycle_of(const struct resume *resume)
{
	return journal_cycle(resume->journal);
}

static const struct cycle_guest *guest_at(const struct resume *resume, size_t i)
{
	return &cycle_of(resume)->guests[i];
}

static uint32_t domid_at(const void *guests, size_t i)
{
	return ((const struct cycle_guest *)guests)[i].domid;
}

/* Without memory for the index every event means a look at every guest. */
static void index_domids(struct resume *resume)
{
	const struct cycle *cycle = cycle_of(resume);

	(void)domid_index_make(&resume->by_domid, cycle->guests, cycle->n_guests, domid_at);
}

static struct domain_id id_at(const struct resume *resume, size_t i)
{
	return cycle_guest_id(guest_at(resume, i));
}

static void record_at(struct resume *resume, uint64_t now_us, enum record_type type, size_t i,
		      const char *text)
{
	int r = journal_record(resume->journal, type, now_us, i, "%s", text);

	if (r < 0 && resume->journal_error == 0)
		resume->journal_error = r;
}

static void record(struct resume *resume, enum record_type type, size_t i, const char *text)
{
	record_at(resume, loop_now(resume->loop), type, i, text);
}

static void strand(struct resume *resume, size_t i, const char *what, int r)
{
	char text[160];

	if (r == -ESRCH) {
		record(resume, RECORD_GONE, i, "");
		return;
	}
	snprintf(text, sizeof(text), "could not be %s: %s", what, strerror(-r));
	record(resume, RECORD_STRANDED, i, text);
}

static void resume_domain(struct resume *resume, size_t i)
{
	const struct hypervisor_ops *ops = resume->hypervisor->ops;
	enum cycle_hold hold = guest_at(resume, i)->hold;
	struct domain_id id = id_at(resume, i);
	int r;

	record(resume, RECORD_RESUME, i, "");
	r = ops->resume(resume->hypervisor, &id);
	if (r < 0)
		strand(resume, i, "resumed", r);
	else
		record(resume, RECORD_RUNNING, i, "");
	/* Whoever saw it go down has ended the subscription already. */
	if (hold == HOLD_REQUESTED)
		ops->unsubscribe(resume->hypervisor, &id);
}

/* The request may still stand: takes it back, or notes that it is too late. */
static void retract(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);
	int r;

	if (guest->may_suspend_late)
		return;
	r = resume->hypervisor->ops->retract(resume->hypervisor, &id, guest->mechanism,
					     cycle_of(resume)->number);
	if (r == RETRACTED)
		record(resume, RECORD_RETRACTED, i, "");
	else if (r == -ESRCH)
		record(resume, RECORD_GONE, i, "");
	else
		record(resume, RECORD_ACKNOWLEDGED, i, "");
}

static void unpause(struct resume *resume, size_t i)
{
	struct domain_id id = id_at(resume, i);
	int r;

	record(resume, RECORD_RESUME, i, "");
	r = resume->hypervisor->ops->unpause(resume->hypervisor, &id);
	if (r < 0)
		strand(resume, i, "unpaused", r);
	else
		record(resume, RECORD_RUNNING, i, "");
}

/*
 * Whether a guest that runs does so because it was resumed already, by someone
 * who died before he could say so: it had gone down.
 */
static bool was_resumed(const struct cycle_guest *guest)
{
	return guest->hold == HOLD_SUSPENDED || guest->resume_us != CYCLE_NEVER;
}

/*
 * Brings one guest back from wherever the cycle left it. The journal says what
 * was tried; the hypervisor says what is.
 */
static void bring_back(struct resume *resume, size_t i, const struct domain_state *look)
{
	enum cycle_hold hold = guest_at(resume, i)->hold;

	if (look->state == GUEST_GONE || look->state == GUEST_DYING ||
	    look->state == GUEST_SHUT_DOWN) {
		record(resume, RECORD_GONE, i, "");
		return;
	}
	if (hold == HOLD_PAUSED || hold == HOLD_PAUSING) {
		if (look->paused)
			unpause(resume, i);
		else
			record(resume, RECORD_RETRACTED, i, "");
		if (look->state == GUEST_SUSPENDED)
			resume_domain(resume, i);
		return;
	}
	if (look->state == GUEST_SUSPENDED)
		resume_domain(resume, i);
	else if (was_resumed(guest_at(resume, i)))
		record(resume, RECORD_RUNNING, i, "");
	else
		retract(resume, i);
}

static void look_and_bring_back(struct resume *resume, size_t i)
{
	struct domain_id id = id_at(resume, i);
	struct domain_state look;
	int r = resume->hypervisor->ops->get_state(resume->hypervisor, &id, &look);

	if (r < 0)
		strand(resume, i, "looked at", r);
	else
		bring_back(resume, i, &look);
}

/* What a return has come to so far. */
struct arrival {
	struct domain_state look;
	bool is_plain; /* it is down, and resumed by one call */
	int r;
	uint64_t running_us;
};

static void announce(struct resume *resume, size_t i, struct arrival *arrival)
{
	struct domain_id id = id_at(resume, i);

	arrival->r = resume->hypervisor->ops->get_state(resume->hypervisor, &id, &arrival->look);
	arrival->is_plain = arrival->r == 0 && guest_at(resume, i)->hold == HOLD_SUSPENDED &&
			    arrival->look.state == GUEST_SUSPENDED;
	if (arrival->is_plain)
		record(resume, RECORD_RESUME, i, "");
}

static void arrive(struct resume *resume, size_t i, struct arrival *arrival)
{
	struct domain_id id = id_at(resume, i);

	if (arrival->is_plain) {
		arrival->r = resume->hypervisor->ops->resume(resume->hypervisor, &id);
		arrival->running_us = loop_now(resume->loop);
	} else if (arrival->r < 0) {
		strand(resume, i, "looked at", arrival->r);
	} else {
		bring_back(resume, i, &arrival->look);
	}
}

static void note_arrival(struct resume *resume, size_t i, const struct arrival *arrival)
{
	if (!arrival->is_plain)
		return;
	if (arrival->r < 0)
		strand(resume, i, "resumed", arrival->r);
	else
		record_at(resume, arrival->running_us, RECORD_RUNNING, i, "");
}

/*
 * Guests that do not need each other, at once and in order. Those that run
 * again compete with us for processors: all looking is done before the first of
 * them runs, and all writing after the last.
 */
static void bring_back_at_once(struct resume *resume, const size_t *guests, size_t n,
			       struct arrival *arrivals)
{
	for (size_t k = 0; k < n; k++)
		announce(resume, guests[k], &arrivals[k]);
	for (size_t k = 0; k < n; k++)
		arrive(resume, guests[k], &arrivals[k]);
	for (size_t k = 0; k < n; k++)
		note_arrival(resume, guests[k], &arrivals[k]);
}

static bool agent_matters(const struct cycle_guest *guest)
{
	return guest->mechanism == MECHANISM_AGENT && !guest->gone &&
	       guest->requested_us != CYCLE_NEVER && guest->outcome != OUTCOME_SKIPPED;
}

/* Reads the agent's word for this cycle and notes it once. */
static void get_agent_state(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);
	struct agent_state look;

	if (!agent_matters(guest) || guest->ready_us != CYCLE_NEVER || guest->hold != HOLD_NONE ||
	    resume->hypervisor->ops->get_agent_state(resume->hypervisor, &id, &look) < 0 ||
	    look.state.cycle != cycle_of(resume)->number)
		return;
	if (look.state.state == PROTOCOL_AGENT_READY) {
		record(resume, RECORD_READY, i, look.detail);
	} else if (look.state.state == PROTOCOL_AGENT_DEGRADED ||
		   look.state.state == PROTOCOL_AGENT_FAILED) {
		record(resume, RECORD_READY, i, "");
		record(resume, RECORD_DEGRADED, i, look.detail);
	}
}

/* Resumes a guest that goes down only now, or notes that it has settled. */
static void look_for_late(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);
	struct domain_state look;

	if (!guest->may_suspend_late ||
	    resume->hypervisor->ops->get_state(resume->hypervisor, &id, &look) < 0)
		return;
	if (look.state == GUEST_SUSPENDED) {
		resume_domain(resume, i);
		if (guest->stranded)
			resume_domain(resume, i);
		resume->hypervisor->ops->unsubscribe(resume->hypervisor, &id);
		resume->hypervisor->ops->resume_in_xenstore(resume->hypervisor, &id);
		record(resume, RECORD_XENSTORE_RESUMED, i, "");
		record(resume, RECORD_LATE_OVER, i, "went down late");
	} else if (look.state != GUEST_RUNNING && look.state != GUEST_PAUSED) {
		record(resume, RECORD_GONE, i, "");
	}
}

/* Whether anything may still come from this guest. */
static bool is_open(const struct cycle_guest *guest)
{
	return guest->may_suspend_late ||
	       (agent_matters(guest) && guest->hold == HOLD_NONE && guest->ready_us == CYCLE_NEVER);
}

static void look_at(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	bool was_open = is_open(guest), was_late = guest->may_suspend_late;

	look_for_late(resume, i);
	get_agent_state(resume, i);
	if (was_open && !is_open(guest) && resume->n_open > 0)
		resume->n_open--;
	/* From now on its agent is waited for, until another time. */
	if (was_late && !guest->may_suspend_late)
		resume->next_us = 0;
}

static void handle_event(struct resume *resume, uint32_t domid)
{
	const struct domid_entry *entries;
	size_t n;

	if (domid == HYPERVISOR_ALL_DOMAINS || !resume->by_domid.entries) {
		for (size_t i = 0; i < cycle_of(resume)->n_guests; i++)
			look_at(resume, i);
		return;
	}
	entries = domid_index_find(&resume->by_domid, domid, &n);
	for (size_t k = 0; k < n; k++)
		look_at(resume, entries[k].element);
}

/* Waits for one thing to happen, or for the deadline, and takes it in. */
static int wait_and_look(struct resume *resume, uint64_t deadline_us)
{
	uint32_t domid;
	int r = resume->loop->ops->wait(resume->loop, deadline_us);

	if (r < 0)
		return r;
	while ((r = resume->hypervisor->ops->next_event(resume->hypervisor, &domid)) > 0)
		handle_event(resume, domid);
	return r;
}

/* With ResumeAfter=ready: whether someone it needs still restores devices. */
static bool waits_for_devices(const struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);

	for (size_t j = 0; j < guest->n_needs; j++) {
		const struct cycle_guest *needed = guest_at(resume, guest->needs[j]);

		if (agent_matters(needed) && needed->ready_us == CYCLE_NEVER &&
		    needed->running_us != CYCLE_NEVER)
			return true;
	}
	return false;
}

static bool is_selected(const bool *selected, size_t i)
{
	return !selected || selected[i];
}

/*
 * Whether the agent has answered for this cycle, or for one that it was armed
 * for since: an event would then be the request of the next one.
 */
static bool is_done_with_cycle(struct resume *resume, size_t i)
{
	uint64_t number = cycle_of(resume)->number;
	struct domain_id id = id_at(resume, i);
	struct agent_state look;

	if (guest_at(resume, i)->ready_us != CYCLE_NEVER)
		return true;
	if (resume->hypervisor->ops->get_agent_state(resume->hypervisor, &id, &look) < 0)
		return false;
	return look.state.cycle > number ||
	       (look.state.cycle == number && look.state.state != PROTOCOL_AGENT_QUIESCED);
}

static void wake_agent(struct resume *resume, size_t i)
{
	struct domain_id id = id_at(resume, i);

	/* A lost wake-up costs time only: the agent notices by itself. */
	if (agent_matters(guest_at(resume, i)) && !is_done_with_cycle(resume, i))
		resume->hypervisor->ops->wake_agent(resume->hypervisor, &id);
}

static int wait_for_needed(struct resume *resume, size_t i)
{
	uint64_t deadline_us = loop_now(resume->loop) + resume->config->ready_timeout_us;

	for (size_t j = 0; j < guest_at(resume, i)->n_needs; j++)
		wake_agent(resume, guest_at(resume, i)->needs[j]);
	/* Who was ready before we listened tells us nothing more. */
	handle_event(resume, HYPERVISOR_ALL_DOMAINS);
	while (waits_for_devices(resume, i) && loop_now(resume->loop) < deadline_us) {
		int r = wait_and_look(resume, deadline_us);

		if (r < 0)
			return r;
	}
	return 0;
}

/* What failed may have been a moment's trouble. */
static void resume_in_xenstore(struct resume *resume, size_t i)
{
	const struct hypervisor_ops *ops = resume->hypervisor->ops;
	struct domain_id id = id_at(resume, i);
	int r = ops->resume_in_xenstore(resume->hypervisor, &id);

	if (r < 0 && r != -ESRCH)
		r = ops->resume_in_xenstore(resume->hypervisor, &id);
	if (r == 0)
		record(resume, RECORD_XENSTORE_RESUMED, i, "");
	else if (r == -ESRCH)
		record(resume, RECORD_GONE, i, "");
	else
		record(resume, RECORD_DEGRADED, i, "xenstored could not be told that it runs");
}

/* What can wait until all guests run. */
static void tidy(struct resume *resume, const bool *selected)
{
	for (size_t i = cycle_of(resume)->n_guests; i-- > 0;)
		if (is_selected(selected, i))
			wake_agent(resume, i);
	for (size_t i = cycle_of(resume)->n_guests; i-- > 0;) {
		if (is_selected(selected, i) && guest_at(resume, i)->needs_xenstore_resume)
			resume_in_xenstore(resume, i);
	}
}

/* What failed may have been a moment's trouble; a guest is worth a second try.
 */
static void try_stranded_again(struct resume *resume, const bool *selected)
{
	for (size_t i = cycle_of(resume)->n_guests; i-- > 0;)
		if (is_selected(selected, i) && guest_at(resume, i)->stranded)
			look_and_bring_back(resume, i);
}

void resume_prepare(const struct cycle *cycle, struct hypervisor *hypervisor)
{
	for (size_t i = cycle->n_guests; i-- > 0;) {
		const struct cycle_guest *guest = &cycle->guests[i];
		struct domain_id id = cycle_guest_id(guest);

		/* What goes wrong is told when it is resumed. */
		if (guest->hold == HOLD_SUSPENDED)
			hypervisor->ops->prepare_resume(hypervisor, &id);
	}
}

static bool lengthen_chains(const struct cycle *cycle, size_t *lengths)
{
	bool any = false;

	for (size_t i = cycle->n_guests; i-- > 0;) {
		const struct cycle_guest *guest = &cycle->guests[i];

		for (size_t j = 0; j < guest->n_needs; j++) {
			if (lengths[i] > lengths[guest->needs[j]] || lengths[i] >= cycle->n_guests)
				continue;
			lengths[i] = lengths[guest->needs[j]] + 1;
			any = true;
		}
	}
	return any;
}

/*
 * For each guest the length of the longest chain of guests that it needs, those
 * included that this cycle has left alone: of two guests the one with the
 * shorter chain does not need the other. The caller's; NULL without memory.
 */
static size_t *measure_chains(const struct cycle *cycle)
{
	size_t *lengths = calloc(cycle->n_guests + 1, sizeof(*lengths));

	/*
	 * Whoever is needed stands behind those that need it, left-alone ones
	 * excepted: mostly the first walk finds all. In a journal that someone
	 * else wrote needs may be circular.
	 */
	while (lengths && lengthen_chains(cycle, lengths))
		;
	return lengths;
}

/* Whom to bring back, the last that went down first. The caller's. */
static size_t *list_held(const struct resume *resume, const bool *selected, size_t *ret_n)
{
	size_t *guests = calloc(cycle_of(resume)->n_guests + 1, sizeof(*guests));

	*ret_n = 0;
	for (size_t i = cycle_of(resume)->n_guests; guests && i-- > 0;)
		if (is_selected(selected, i) && guest_at(resume, i)->hold != HOLD_NONE)
			guests[(*ret_n)++] = i;
	return guests;
}

/* Each by itself: ResumeAfter=ready, or no memory for more. */
static int bring_back_one_by_one(struct resume *resume, const bool *selected)
{
	int r = 0;

	for (size_t i = cycle_of(resume)->n_guests; i-- > 0;) {
		if (!is_selected(selected, i) || guest_at(resume, i)->hold == HOLD_NONE)
			continue;
		if (resume->config->resume_after == RESUME_AFTER_READY && r == 0)
			r = wait_for_needed(resume, i);
		look_and_bring_back(resume, i);
	}
	return r;
}

/* How many of the guests, from the first on, do not need each other. */
static size_t count_group(const size_t *guests, size_t n, const size_t *chains)
{
	size_t shortest = chains[guests[0]], end = 1;

	while (end < n && end < GROUP_MAX && chains[guests[end]] <= shortest)
		shortest = chains[guests[end++]];
	return end;
}

static int bring_all_back(struct resume *resume, const bool *selected)
{
	size_t n, size;
	_cleanup_(freep) size_t *guests = list_held(resume, selected, &n);
	_cleanup_(freep) size_t *chains = measure_chains(cycle_of(resume));
	_cleanup_(freep) struct arrival *arrivals = calloc(GROUP_MAX, sizeof(*arrivals));

	if (!guests || !chains || !arrivals || resume->config->resume_after == RESUME_AFTER_READY)
		return bring_back_one_by_one(resume, selected);
	for (size_t first = 0; first < n; first += size) {
		size = count_group(&guests[first], n - first, chains);
		bring_back_at_once(resume, &guests[first], size, arrivals);
	}
	return 0;
}

int resume_guests(struct journal *journal, const struct config *config,
		  struct hypervisor *hypervisor, struct loop *loop, const bool *selected)
{
	struct resume resume = {
		.journal = journal,
		.config = config,
		.hypervisor = hypervisor,
		.loop = loop,
	};
	int r;

	index_domids(&resume);
	/* While all of them still stand in nobody's way. */
	resume_prepare(cycle_of(&resume), hypervisor);
	r = bring_all_back(&resume, selected);
	try_stranded_again(&resume, selected);
	tidy(&resume, selected);
	domid_index_done(&resume.by_domid);
	return resume.journal_error ? resume.journal_error : r;
}

/*
 * Until when a guest may still go down. Its kernel counts from the request;
 * not while it was paused, so then we count from its return.
 */
static uint64_t late_until(const struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);

	if (guest->outcome == OUTCOME_PAUSED || guest->requested_us == CYCLE_NEVER)
		return resume->start_us + LATE_SUSPEND_US;
	return cycle_of(resume)->base_us + (uint64_t)guest->requested_us + LATE_SUSPEND_US;
}

/* Counts who may still say something, and until when at the least. */
static void count_open(struct resume *resume)
{
	uint64_t ready_by = resume->start_us + resume->config->ready_timeout_us;
	uint64_t now = loop_now(resume->loop);

	resume->n_open = 0;
	resume->next_us = LOOP_FOREVER;
	for (size_t i = 0; i < cycle_of(resume)->n_guests; i++) {
		const struct cycle_guest *guest = guest_at(resume, i);
		uint64_t until = guest->may_suspend_late ? late_until(resume, i) : ready_by;

		if (!is_open(guest))
			continue;
		resume->n_open++;
		if (until > now && until < resume->next_us)
			resume->next_us = until;
	}
}

/* Whether someone is still waited for; counts again when a wait has ended. */
static bool waits(struct resume *resume)
{
	if (resume->n_open > 0 && resume->next_us <= loop_now(resume->loop))
		count_open(resume);
	return resume->n_open > 0 && resume->next_us != LOOP_FOREVER;
}

/* Names whose agent has not answered, and ends what waited for late ones. */
static void note_what_is_missing(struct resume *resume)
{
	for (size_t i = 0; i < cycle_of(resume)->n_guests; i++) {
		const struct cycle_guest *guest = guest_at(resume, i);
		struct domain_id id = id_at(resume, i);

		if (guest->may_suspend_late) {
			resume->hypervisor->ops->unsubscribe(resume->hypervisor, &id);
			if (guest->hold == HOLD_REQUESTED)
				record(resume, RECORD_RETRACTED, i, "");
			record(resume, RECORD_LATE_OVER, i, "");
		}
		if (is_open(guest) && guest->outcome != OUTCOME_FAILED)
			record(resume, RECORD_DEGRADED, i,
			       "its agent has not said that its devices are back");
	}
}

int resume_wait_ready(struct journal *journal, const struct config *config,
		      struct hypervisor *hypervisor, struct loop *loop)
{
	struct resume resume = {
		.journal = journal,
		.config = config,
		.hypervisor = hypervisor,
		.loop = loop,
		.start_us = loop_now(loop),
	};
	int r = 0;

	index_domids(&resume);
	handle_event(&resume, HYPERVISOR_ALL_DOMAINS);
	count_open(&resume);
	while (r == 0 && waits(&resume))
		r = wait_and_look(&resume, resume.next_us);
	handle_event(&resume, HYPERVISOR_ALL_DOMAINS);
	note_what_is_missing(&resume);
	domid_index_done(&resume.by_domid);
	return resume.journal_error ? resume.journal_error : r;
}
