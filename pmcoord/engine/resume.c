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

static int look(struct resume *resume, size_t i, struct domain_state *ret_state)
{
	struct domain_id id = id_at(resume, i);

	return resume->hypervisor->ops->get_state(resume->hypervisor, &id, ret_state);
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

/* Xen no longer tells us when the guest suspends. */
static void end_subscription(struct resume *resume, size_t i)
{
	struct domain_id id = id_at(resume, i);

	resume->hypervisor->ops->unsubscribe(resume->hypervisor, &id);
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
					     cycle_of(resume)->head.number);
	if (r == RETRACTED)
		record(resume, RECORD_RETRACTED, i, "");
	else if (r == -ESRCH)
		record(resume, RECORD_GONE, i, "");
	else
		record(resume, RECORD_ACKNOWLEDGED, i, "");
}

/* ---- resuming ----------------------------------------------------------- */

/* One try to resume a guest. */
struct attempt {
	struct domain_state look;
	bool is_plain; /* recorded as suspended, and so it is */
	int r;
	uint64_t running_us;
};

static bool is_gone(const struct domain_state *look)
{
	return look->state == GUEST_GONE || look->state == GUEST_DYING ||
	       look->state == GUEST_SHUT_DOWN;
}

static bool is_paused_by_us(const struct cycle_guest *guest)
{
	return guest->hold == HOLD_PAUSED || guest->hold == HOLD_PAUSING;
}

/* Ends what keeps the guest from running; its intent is on record. */
static void let_run(struct resume *resume, size_t i, struct attempt *attempt)
{
	struct hypervisor *hypervisor = resume->hypervisor;
	struct domain_id id = id_at(resume, i);

	attempt->r = 0;
	if (is_paused_by_us(guest_at(resume, i)) && attempt->look.paused)
		attempt->r = hypervisor->ops->unpause(hypervisor, &id);
	if (attempt->r == 0 && attempt->look.state == GUEST_SUSPENDED) {
		/* It suspended as it was paused: xenstored must learn of its resume, too. */
		if (is_paused_by_us(guest_at(resume, i)))
			record(resume, RECORD_SUSPENDED, i, "");
		attempt->r = hypervisor->ops->resume(hypervisor, &id);
	}
	attempt->running_us = loop_now(resume->loop);
}

static void record_attempt(struct resume *resume, size_t i, const struct attempt *attempt)
{
	if (attempt->r < 0)
		strand(resume, i, attempt->look.state == GUEST_SUSPENDED ? "resumed" : "unpaused",
		       attempt->r);
	else
		record_at(resume, attempt->running_us, RECORD_RUNNING, i, "");
}

/*
 * A guest that was not recorded as suspended, or is not. The journal says what
 * was tried; the hypervisor says what is.
 */
static void resume_by_state(struct resume *resume, size_t i, struct attempt *attempt)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	bool is_suspended = attempt->look.state == GUEST_SUSPENDED;
	bool is_paused = is_paused_by_us(guest);

	if (attempt->r < 0) {
		strand(resume, i, "looked at", attempt->r);
	} else if (is_gone(&attempt->look)) {
		record(resume, RECORD_GONE, i, "");
	} else if (is_suspended || (is_paused && attempt->look.paused)) {
		record(resume, RECORD_RESUME, i, "");
		let_run(resume, i, attempt);
		record_attempt(resume, i, attempt);
		/* The executor has seen the others suspend, and ended it. */
		if (is_suspended)
			end_subscription(resume, i);
	} else if (is_paused) {
		record(resume, RECORD_RETRACTED, i, "");
	} else if (cycle_guest_was_suspended(guest)) {
		record(resume, RECORD_RUNNING, i, "");
	} else {
		retract(resume, i);
	}
}

static void begin_attempt(struct resume *resume, size_t i, struct attempt *attempt)
{
	*attempt = (struct attempt){ 0 };
	attempt->r = look(resume, i, &attempt->look);
	attempt->is_plain = attempt->r == 0 && guest_at(resume, i)->hold == HOLD_SUSPENDED &&
			    attempt->look.state == GUEST_SUSPENDED;
	if (attempt->is_plain)
		record(resume, RECORD_RESUME, i, "");
}

/*
 * Resumes up to GROUP_MAX guests that do not need each other, at once and in
 * order. Those that run again compete with us for processors: all looking is
 * done before the first of them runs, and all writing after the last.
 */
static void resume_group(struct resume *resume, const size_t *guests, size_t n)
{
	struct attempt attempts[GROUP_MAX];

	for (size_t k = 0; k < n; k++)
		begin_attempt(resume, guests[k], &attempts[k]);
	for (size_t k = 0; k < n; k++)
		if (attempts[k].is_plain)
			let_run(resume, guests[k], &attempts[k]);
		else
			resume_by_state(resume, guests[k], &attempts[k]);
	for (size_t k = 0; k < n; k++)
		if (attempts[k].is_plain)
			record_attempt(resume, guests[k], &attempts[k]);
}

static void resume_guest(struct resume *resume, size_t i)
{
	resume_group(resume, &i, 1);
}

/* What failed may have been a moment's trouble: each guest has a second try. */
static void retry_if_stranded(struct resume *resume, size_t i)
{
	if (guest_at(resume, i)->stranded)
		resume_guest(resume, i);
}

/* Likewise. */
static void resume_in_xenstore(struct resume *resume, size_t i)
{
	const struct hypervisor_ops *ops = resume->hypervisor->ops;
	struct domain_id id = id_at(resume, i);
	int r;

	if (!guest_at(resume, i)->needs_xenstore_resume)
		return;
	r = ops->resume_in_xenstore(resume->hypervisor, &id);
	if (r < 0 && r != -ESRCH)
		r = ops->resume_in_xenstore(resume->hypervisor, &id);
	if (r == 0)
		record(resume, RECORD_XENSTORE_RESUMED, i, "");
	else if (r == -ESRCH)
		record(resume, RECORD_GONE, i, "");
	else
		record(resume, RECORD_DEGRADED, i, "xenstored could not be told that it runs");
}

/* ---- after the resume --------------------------------------------------- */

static bool agent_matters(const struct cycle_guest *guest)
{
	return guest->mechanism == MECHANISM_AGENT && !guest->gone &&
	       guest->requested_us != CYCLE_NEVER && guest->outcome != OUTCOME_SKIPPED;
}

static bool agent_is_awaited(const struct cycle_guest *guest)
{
	return agent_matters(guest) && guest->hold == HOLD_NONE && guest->ready_us == CYCLE_NEVER;
}

/* Reads the agent's word for this cycle and notes it once. */
static void get_agent_state(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);
	struct agent_state look;

	if (!agent_is_awaited(guest) ||
	    resume->hypervisor->ops->get_agent_state(resume->hypervisor, &id, &look) < 0 ||
	    look.state.cycle != cycle_of(resume)->head.number)
		return;
	if (look.state.state == PROTOCOL_AGENT_READY) {
		record(resume, RECORD_READY, i, look.detail);
	} else if (look.state.state == PROTOCOL_AGENT_DEGRADED ||
		   look.state.state == PROTOCOL_AGENT_FAILED) {
		record(resume, RECORD_READY, i, "");
		record(resume, RECORD_DEGRADED, i, look.detail);
	}
}

/*
 * Whether the guest runs and may suspend after all. One that is paused or
 * recorded as suspended may do so only once it runs again.
 */
static bool is_late(const struct cycle_guest *guest)
{
	return guest->may_suspend_late &&
	       (guest->hold == HOLD_NONE || guest->hold == HOLD_REQUESTED);
}

/* Whether anything may still come from this guest. */
static bool is_open(const struct cycle_guest *guest)
{
	return is_late(guest) || agent_is_awaited(guest);
}

/*
 * Resumes a guest that has suspended late. Returns 0, or a negative errno when
 * it could not be looked at.
 */
static int look_for_late(struct resume *resume, size_t i)
{
	struct domain_state seen;
	int r = look(resume, i, &seen);

	if (r < 0)
		return r;
	if (is_gone(&seen)) {
		record(resume, RECORD_GONE, i, "");
	} else if (seen.state == GUEST_SUSPENDED) {
		resume_guest(resume, i);
		retry_if_stranded(resume, i);
		resume_in_xenstore(resume, i);
		record(resume, RECORD_LATE_OVER, i, "went down late");
	}
	return 0;
}

static void look_at(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	bool was_open = is_open(guest), was_late = is_late(guest);

	if (was_late)
		look_for_late(resume, i);
	get_agent_state(resume, i);
	if (was_open && !is_open(guest) && resume->n_open > 0)
		resume->n_open--;
	/* From now on its agent is waited for, until another time. */
	if (was_late && !is_late(guest))
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
	uint64_t number = cycle_of(resume)->head.number;
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

/* What can wait until all guests run. */
static void tidy(struct resume *resume, const bool *selected)
{
	for (size_t i = cycle_of(resume)->n_guests; i-- > 0;)
		if (is_selected(selected, i))
			wake_agent(resume, i);
	for (size_t i = cycle_of(resume)->n_guests; i-- > 0;)
		if (is_selected(selected, i))
			resume_in_xenstore(resume, i);
}

void resume_prepare(const struct coordinator *context)
{
	const struct cycle *cycle = context_cycle(context);
	struct hypervisor *hypervisor = context->hypervisor;

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

/*
 * Resumes what is held, the last that was suspended first; guests that do not
 * need each other at once. Without memory to tell them apart, or with
 * ResumeAfter=ready, each by itself.
 */
static int resume_in_order(struct resume *resume, const bool *selected)
{
	bool one_by_one = resume->config->resume_after == RESUME_AFTER_READY;
	_cleanup_(freep) size_t *chains = one_by_one ? NULL : measure_chains(cycle_of(resume));
	size_t group[GROUP_MAX], n = 0;
	int r = 0;

	for (size_t i = cycle_of(resume)->n_guests; i-- > 0;) {
		if (!is_selected(selected, i) || guest_at(resume, i)->hold == HOLD_NONE)
			continue;
		if (n == GROUP_MAX || !chains || (n > 0 && chains[i] > chains[group[n - 1]])) {
			resume_group(resume, group, n);
			n = 0;
		}
		if (one_by_one && r == 0)
			r = wait_for_needed(resume, i);
		group[n++] = i;
	}
	resume_group(resume, group, n);
	return r;
}

int resume_guests(const struct coordinator *context, const bool *selected)
{
	struct resume resume = {
		.journal = context->journal,
		.config = context->config,
		.hypervisor = context->hypervisor,
		.loop = context->loop,
	};
	int r;

	index_domids(&resume);
	/* While all of them still stand in nobody's way. */
	resume_prepare(context);
	r = resume_in_order(&resume, selected);
	for (size_t i = cycle_of(&resume)->n_guests; i-- > 0;)
		if (is_selected(selected, i))
			retry_if_stranded(&resume, i);
	tidy(&resume, selected);
	domid_index_done(&resume.by_domid);
	return resume.journal_error ? resume.journal_error : r;
}

/*
 * Until when a guest may still go down. Its kernel counts from the request, but
 * not while the host slept; nor while it was paused, so then we count from its
 * return.
 */
static uint64_t late_until(const struct resume *resume, size_t i)
{
	const struct cycle *cycle = cycle_of(resume);
	const struct cycle_guest *guest = guest_at(resume, i);
	int64_t slept_us = cycle->slept_us == CYCLE_NEVER ? 0 : cycle->slept_us;

	if (guest->outcome == OUTCOME_PAUSED || guest->requested_us == CYCLE_NEVER)
		return resume->start_us + LATE_SUSPEND_US;
	return cycle->head.base_us + (uint64_t)guest->requested_us + (uint64_t)slept_us +
	       LATE_SUSPEND_US;
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
		uint64_t until = is_late(guest) ? late_until(resume, i) : ready_by;

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

/*
 * A guest that cannot be looked at stays held: it may be suspended. One whose
 * time is not over, as the wait for it has failed, stays late.
 */
static void end_late(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	int r = look_for_late(resume, i);

	if (r < 0) {
		strand(resume, i, "looked at", r);
		return;
	}
	if (!is_late(guest) || late_until(resume, i) > loop_now(resume->loop))
		return;
	if (guest->hold != HOLD_NONE)
		record(resume, cycle_guest_was_suspended(guest) ? RECORD_RUNNING : RECORD_RETRACTED,
		       i, "");
	end_subscription(resume, i);
	record(resume, RECORD_LATE_OVER, i, "");
}

/* Names whose agent has not answered, and ends what waited for late ones. */
static void note_what_is_missing(struct resume *resume)
{
	for (size_t i = 0; i < cycle_of(resume)->n_guests; i++) {
		const struct cycle_guest *guest = guest_at(resume, i);

		if (is_late(guest))
			end_late(resume, i);
		if (agent_is_awaited(guest) && guest->outcome != OUTCOME_FAILED)
			record(resume, RECORD_DEGRADED, i,
			       "its agent has not said that its devices are back");
	}
}

int resume_wait_ready(const struct coordinator *context)
{
	struct resume resume = {
		.journal = context->journal,
		.config = context->config,
		.hypervisor = context->hypervisor,
		.loop = context->loop,
		.start_us = loop_now(context->loop),
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
