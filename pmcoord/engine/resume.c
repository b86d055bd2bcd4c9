/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/resume.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/protocol.h"
#include "base/domid-index.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/plan.h"
#include "record/journal.h"
#include "engine/census.h"

/*
 * How a guest passes through this module:
 *
 * resume_guests handles all guests with a hold (enum cycle_hold), in reverse
 * suspend order. It reads the state of each guest from the hypervisor, because
 * the coordinator may have died before it recorded the result of its last action.
 * A suspended guest is resumed, and a paused guest is unpaused. The request of a
 * running guest is retracted if the guest has not acknowledged the request.
 * Guests that do not need each other are resumed as one group (resume_group). A
 * guest that could not be resumed is recorded as stranded and tried once more.
 *
 * When all guests run, finish_resume notifies the agents of the wake, and
 * xenstored of each resume.
 *
 * resume_wait_ready waits for the agents' `ready`. It also resumes guests that
 * had acknowledged a request and suspend only now. It records which agents did
 * not answer in time.
 *
 * A guest can suspend even after this wait, see CYCLE_LATE_LIMIT_US. The journal is
 * kept until then, and resume_check_late resumes the guest.
 */

/*
 * How long resume_wait_ready waits for a guest that may still suspend. Most do so
 * within this time: a Linux guest freezes its processes within 20 s
 * (kernel/power/process.c, freeze_timeout_msecs), and the remaining 5 s are for the
 * suspension itself.
 */
#define LATE_WAIT_US 25000000

/*
 * The most guests in one group. Limits the memory that resume_group needs on the
 * stack.
 */
#define GROUP_MAX 64

struct resume {
	const struct coordinator *context;
	struct journal *journal;
	const struct config *config;
	struct hypervisor *hypervisor;
	struct loop *loop;
	/* Index of the cycle's guests by domid; empty when out of memory. */
	struct domid_index by_domid;
	size_t *chains; /* see measure_chains; NULL when out of memory */
	size_t *order; /* see make_order; NULL when out of memory */
	/* Number of guests in `order`. Guests that appear later were not suspended. */
	size_t n_ordered;
	/* Used only by resume_wait_ready. */
	uint64_t start_us;
	size_t n_pending; /* number of pending guests, see is_pending */
	/*
	 * When to count the pending guests again: at the next deadline of a
	 * pending guest. LOOP_FOREVER: no deadline is left. 0: at once.
	 */
	uint64_t recount_at_us;
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

/*
 * Indexes the guests by domid. When out of memory, handle_event checks every
 * guest on each event instead.
 */
static void index_domids(struct resume *resume)
{
	const struct cycle *cycle = cycle_of(resume);

	(void)domid_index_make(&resume->by_domid, cycle->guests, cycle->n_guests, domid_at);
}

/*
 * Makes one pass over the guests, from the last to the first, and makes the
 * chain of each guest longer than the chains of the guests that it needs (see
 * measure_chains). Returns whether a length has changed. A length that has
 * reached n_guests no longer grows, so that repeated passes end even if a damaged
 * journal has a dependency loop.
 */
static bool extend_chains(const struct cycle *cycle, size_t *lengths)
{
	bool any = false;

	for (size_t i = cycle->n_guests; i-- > 0;) {
		const struct cycle_guest *guest = &cycle->guests[i];

		for (size_t j = 0; j < guest->n_needs; j++) {
			if (lengths[i] > lengths[guest->needs[j]] || lengths[i] >= cycle->n_guests)
				continue;
			lengths[i] = lengths[guest->needs[j]] + 1;
			if (lengths[i] > cycle->n_guests)
				lengths[i] = cycle->n_guests;
			any = true;
		}
	}
	return any;
}

/*
 * Returns, for each guest, the length of its longest chain of dependencies: a
 * guest that it needs, a guest that this guest needs, and so on. Skipped guests
 * count, too. Each guest has a longer chain than the guests that it needs. The
 * caller frees the array. Returns NULL when out of memory.
 */
static size_t *measure_chains(const struct cycle *cycle)
{
	size_t *lengths = calloc(cycle->n_guests + 1, sizeof(*lengths));

	/*
	 * Usually one pass is enough, because in suspend order each guest comes
	 * after the guests that need it. Skipped guests may be out of this
	 * order, so passes are repeated until nothing changes.
	 */
	while (lengths && extend_chains(cycle, lengths))
		;
	return lengths;
}

/*
 * Returns the guests in the order in which they are resumed: shorter chains first, then in
 * reverse suspend order. A guest that has appeared during the cycle is last in the suspend
 * order, and may need any other guest. The caller frees the array. Returns NULL when out of
 * memory.
 */
static size_t *make_order(const struct cycle *cycle, const size_t *chains)
{
	size_t n = cycle->n_guests, *order = calloc(n + 1, sizeof(*order));
	size_t *first = calloc(n + 2, sizeof(*first));

	if (!chains || !order || !first) {
		free(order);
		free(first);
		return NULL;
	}
	/* A counting sort: no chain is longer than n. */
	for (size_t i = 0; i < n; i++)
		first[chains[i] + 1]++;
	for (size_t length = 1; length <= n; length++)
		first[length] += first[length - 1];
	for (size_t i = n; i-- > 0;)
		order[first[chains[i]]++] = i;
	free(first);
	return order;
}

/* Returns the guest at place `k` of the order. */
static size_t guest_in_order(const struct resume *resume, size_t k)
{
	return resume->order ? resume->order[k] : resume->n_ordered - 1 - k;
}

/* The caller calls resume_done. */
static void resume_init(struct resume *resume, const struct coordinator *context)
{
	assert(context->journal && context->hypervisor && context->loop);
	*resume = (struct resume){
		.context = context,
		.journal = context->journal,
		.config = context->config,
		.hypervisor = context->hypervisor,
		.loop = context->loop,
		.start_us = loop_now(context->loop),
	};
	index_domids(resume);
	resume->n_ordered = cycle_of(resume)->n_guests;
	resume->chains = measure_chains(cycle_of(resume));
	resume->order = make_order(cycle_of(resume), resume->chains);
}

static void resume_done(struct resume *resume)
{
	domid_index_done(&resume->by_domid);
	free(resume->chains);
	free(resume->order);
}

static struct domain_id id_at(const struct resume *resume, size_t i)
{
	return cycle_guest_id(guest_at(resume, i));
}

static int get_state(struct resume *resume, size_t i, struct domain_state *ret_state)
{
	struct domain_id id = id_at(resume, i);

	return resume->hypervisor->ops->get_state(resume->hypervisor, &id, ret_state);
}

static void record_at(struct resume *resume, uint64_t now_us, enum record_type type, size_t i,
		      const char *text)
{
	/* A record that cannot be written ends no resume; the cycle counts it. */
	journal_record(resume->journal, type, now_us, i, "%s", text);
}

static void record(struct resume *resume, enum record_type type, size_t i, const char *text)
{
	record_at(resume, loop_now(resume->loop), type, i, text);
}

/* Records how the guest has ended, unless this is known. */
static void record_gone(struct resume *resume, size_t i, enum guest_end end)
{
	if (guest_at(resume, i)->gone == GUEST_NOT_ENDED)
		record(resume, RECORD_GONE, i, guest_end_name(end));
}

/*
 * Records that the guest is gone (if `r` is -ESRCH) or stranded. For a stranded
 * guest the report shows `problem` and the text of the errno `r`.
 */
static void record_failure(struct resume *resume, size_t i, const char *problem, int r)
{
	char text[160];

	if (r == -ESRCH) {
		record_gone(resume, i, GUEST_DESTROYED);
		return;
	}
	snprintf(text, sizeof(text), "%s: %s", problem, strerror(-r));
	record(resume, RECORD_STRANDED, i, text);
}

static void unsubscribe(struct resume *resume, size_t i)
{
	struct domain_id id = id_at(resume, i);

	resume->hypervisor->ops->unsubscribe(resume->hypervisor, &id);
}

/*
 * Retracts the request of a running guest. If this fails, records that the guest
 * has acknowledged the request. Does nothing if this record exists already.
 */
static void retract(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);
	int r;

	if (guest->acknowledged)
		return;
	r = resume->hypervisor->ops->retract(resume->hypervisor, &id, guest->mechanism,
					     cycle_of(resume)->head.number);
	if (r == RETRACTED)
		record(resume, RECORD_RETRACTED, i, "");
	else if (r == -ESRCH)
		record_gone(resume, i, GUEST_DESTROYED);
	else
		record(resume, RECORD_ACKNOWLEDGED, i, "");
}

/* ---- resuming ----------------------------------------------------------- */

/* One attempt to resume a guest. */
struct attempt {
	struct domain_state state; /* of the guest before the attempt */
	bool is_plain; /* the guest is recorded as suspended, and is suspended */
	int r; /* 0, or the negative errno of the verb that failed */
	uint64_t running_us; /* when the hypercall returned */
};

static bool is_gone(const struct domain_state *state)
{
	return state->state == GUEST_GONE || state->state == GUEST_DYING ||
	       state->state == GUEST_SHUT_DOWN;
}

static bool is_paused_by_us(const struct cycle_guest *guest)
{
	return guest->hold == HOLD_PAUSED || guest->hold == HOLD_PAUSING;
}

/*
 * Unpauses the guest, resumes it, or both. The caller has written
 * RECORD_RESUME.
 */
static void run_guest(struct resume *resume, size_t i, struct attempt *attempt)
{
	struct hypervisor *hypervisor = resume->hypervisor;
	struct domain_id id = id_at(resume, i);

	attempt->r = 0;
	if (is_paused_by_us(guest_at(resume, i)) && attempt->state.paused)
		attempt->r = hypervisor->ops->unpause(hypervisor, &id);
	if (attempt->r == 0 && attempt->state.state == GUEST_SUSPENDED) {
		/*
		 * The cycle has paused the guest, but the guest is suspended,
		 * too. Because of this record, finish_resume notifies xenstored
		 * of the resume.
		 */
		if (is_paused_by_us(guest_at(resume, i)))
			record(resume, RECORD_SUSPENDED, i, "");
		attempt->r = hypervisor->ops->resume(hypervisor, &id);
	}
	attempt->running_us = loop_now(resume->loop);
}

static void record_attempt(struct resume *resume, size_t i, const struct attempt *attempt)
{
	if (attempt->r < 0)
		record_failure(resume, i,
			       attempt->state.state == GUEST_SUSPENDED ? "could not be resumed"
								       : "could not be unpaused",
			       attempt->r);
	else
		record_at(resume, attempt->running_us, RECORD_RUNNING, i, "");
}

/*
 * Whether the pause of a guest that is being built may be its builder's alone, because
 * the coordinator has recorded the intent of a second one, but no result. If it were
 * removed, a guest would run that is not complete.
 */
static bool is_pause_unknown(const struct cycle_guest *guest, const struct domain_state *state)
{
	return guest->hold == HOLD_PAUSING && guest->being_built && state->being_built;
}

/*
 * Whether others have resumed or unpaused a guest that was found running: pmcoord has
 * not begun to do so, or has failed.
 */
static bool was_released(const struct cycle_guest *guest)
{
	return (guest->hold == HOLD_SUSPENDED || guest->hold == HOLD_PAUSED) &&
	       (guest->resume_us == CYCLE_NEVER || guest->stranded);
}

/*
 * Whether another program has suspended the guest, as far as it can be told from what was seen
 * since our request. A guest that was resumed since then has obeyed a request of ours, and one
 * that may obey an earlier request has perhaps not taken the last one.
 */
static bool has_obeyed_another(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);

	return guest->requested_us != CYCLE_NEVER && !guest->had_earlier_request &&
	       (guest->hold == HOLD_NONE || guest->resume_us == CYCLE_NEVER) &&
	       hypervisor_is_taken(resume->hypervisor, &id, guest->mechanism,
				   cycle_of(resume)->head.number,
				   guest->quiesced_us != CYCLE_NEVER);
}

/*
 * Whether another program has suspended the guest, or writes its image now. Only a guest that
 * was not seen to suspend is judged, so that no result depends on what other programs do later.
 */
static bool is_taken(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);

	return (guest->hold == HOLD_REQUESTED || guest->hold == HOLD_NONE) &&
	       (resume->hypervisor->ops->is_being_saved(resume->hypervisor, &id) ||
		has_obeyed_another(resume, i));
}

/* Leaves the guest to the program that suspends it, without a request or subscription of ours. */
static void leave_taken(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);
	char text[HYPERVISOR_TAKEN_SIZE];

	unsubscribe(resume, i);
	record(resume, RECORD_TAKEN, i, hypervisor_format_taken(guest->name, text));
	resume->hypervisor->ops->retract(resume->hypervisor, &id, guest->mechanism,
					 cycle_of(resume)->head.number);
}

/*
 * Handles a guest whose attempt is not plain, according to the state that the
 * hypervisor reports: resumes the guest, unpauses it, retracts its request, or
 * only corrects the journal.
 */
static void resume_by_state(struct resume *resume, size_t i, struct attempt *attempt)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	bool is_suspended = attempt->state.state == GUEST_SUSPENDED;
	bool is_paused = is_paused_by_us(guest);

	if (attempt->r < 0) {
		record_failure(resume, i, "its state could not be read", attempt->r);
	} else if (is_gone(&attempt->state)) {
		record_gone(resume, i, attempt->state.end);
	} else if (is_pause_unknown(guest, &attempt->state)) {
		record(resume, RECORD_RETRACTED, i, "");
		record(resume, RECORD_DEGRADED, i,
		       "the coordinator died while it paused this guest, which was being built: if it stays paused, run 'xl unpause'");
	} else if (is_suspended && is_taken(resume, i)) {
		leave_taken(resume, i);
	} else if (is_suspended || (is_paused && attempt->state.paused)) {
		/*
		 * The executor did not see this guest suspend, so it has neither
		 * unsubscribed nor recorded it.
		 */
		if (is_suspended)
			unsubscribe(resume, i);
		if (is_suspended && guest->outcome == OUTCOME_PENDING && !guest->may_suspend_late)
			record(resume, RECORD_SUSPENDED, i, "");
		record(resume, RECORD_RESUME, i, "");
		run_guest(resume, i, attempt);
		record_attempt(resume, i, attempt);
	} else if (was_released(guest)) {
		record(resume, RECORD_RELEASED, i,
		       is_paused ? "unpaused by its user or another program"
				 : "resumed by its user or another program");
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
	attempt->r = get_state(resume, i, &attempt->state);
	attempt->is_plain = attempt->r == 0 && guest_at(resume, i)->hold == HOLD_SUSPENDED &&
			    attempt->state.state == GUEST_SUSPENDED;
	if (attempt->is_plain)
		record(resume, RECORD_RESUME, i, "");
}

static int check_late(struct resume *resume, size_t i);

/*
 * Resumes up to GROUP_MAX guests that do not need each other, in the order of
 * `guests`. Running guests compete with this process for the CPU. Therefore all
 * states are read before the first guest is resumed, and the results of plain
 * attempts are recorded after the last guest was resumed.
 */
static void resume_group(struct resume *resume, const size_t *guests, size_t n)
{
	struct attempt attempts[GROUP_MAX];

	for (size_t k = 0; k < n; k++)
		begin_attempt(resume, guests[k], &attempts[k]);
	for (size_t k = 0; k < n; k++)
		if (attempts[k].is_plain)
			run_guest(resume, guests[k], &attempts[k]);
		else if (guest_at(resume, guests[k])->hold == HOLD_NONE)
			check_late(resume, guests[k]);
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

/* Tries a second time to resume a stranded guest, because a failure can be temporary. */
static void retry_if_stranded(struct resume *resume, size_t i)
{
	if (guest_at(resume, i)->stranded)
		resume_guest(resume, i);
}

/*
 * Notifies xenstored that the guest was resumed, unless xenstored was notified
 * before. Tries twice, because a failure can be temporary.
 */
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
		record_gone(resume, i, GUEST_DESTROYED);
	else
		record(resume, RECORD_DEGRADED, i,
		       "xenstored could not be notified that the guest runs");
}

/* ---- after the resume --------------------------------------------------- */

static bool uses_agent(const struct cycle_guest *guest)
{
	return guest->mechanism == MECHANISM_AGENT && !guest->gone &&
	       guest->requested_us != CYCLE_NEVER && guest->outcome != OUTCOME_SKIPPED;
}

static bool agent_is_awaited(const struct cycle_guest *guest)
{
	return uses_agent(guest) && guest->hold == HOLD_NONE && guest->ready_us == CYCLE_NEVER;
}

/* Records the agent's answer (ready, degraded or failed) if it is for this cycle. */
static void check_agent(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);
	struct agent_state agent;

	if (!agent_is_awaited(guest) ||
	    resume->hypervisor->ops->get_agent_state(resume->hypervisor, &id, &agent) < 0 ||
	    agent.state.cycle != cycle_of(resume)->head.number)
		return;
	if (agent.state.state == PROTOCOL_AGENT_READY) {
		/* An armed agent is ready, too: then the detail is that of an earlier cycle. */
		record(resume, RECORD_READY, i,
		       guest->quiesced_us != CYCLE_NEVER ? agent.detail : "");
	} else if (agent.state.state == PROTOCOL_AGENT_DEGRADED ||
		   agent.state.state == PROTOCOL_AGENT_FAILED) {
		record(resume, RECORD_READY, i, "");
		record(resume, RECORD_DEGRADED, i, agent.detail);
	}
}

/* Whether the guest may still suspend, or its agent is still expected to answer. */
static bool is_pending(const struct cycle_guest *guest)
{
	return cycle_guest_may_suspend(guest) || agent_is_awaited(guest);
}

/*
 * Resumes the guest if it has suspended after resume_guests found it running.
 * Returns 0, or a negative errno if the state of the guest could not be read.
 */
static int check_late(struct resume *resume, size_t i)
{
	struct domain_state state;
	int r = get_state(resume, i, &state);

	if (r < 0)
		return r;
	if (is_gone(&state)) {
		record_gone(resume, i, state.end);
	} else if (state.state == GUEST_SUSPENDED && is_taken(resume, i)) {
		leave_taken(resume, i);
	} else if (state.state == GUEST_SUSPENDED) {
		record(resume, RECORD_SUSPENDED, i, "suspended late");
		resume_guest(resume, i);
		retry_if_stranded(resume, i);
		resume_in_xenstore(resume, i);
		unsubscribe(resume, i);
	}
	return 0;
}

static bool has_slept(const struct resume *resume)
{
	return cycle_of(resume)->slept_us != CYCLE_NEVER;
}

/*
 * Whether guests that end now are this cycle's concern: around a sleep, or a sleep that is
 * rehearsed. Guests that are kept suspended for long come and go as their owner likes.
 */
static bool watches_ends(const struct resume *resume)
{
	const struct cycle *cycle = cycle_of(resume);

	return has_slept(resume) || (!cycle->kept_suspended && !cycle->aborted);
}

/* Records the end of a guest, so that nothing waits for its agent. */
static void check_end(struct resume *resume, size_t i)
{
	struct domain_state state;

	if (get_state(resume, i, &state) == 0 && is_gone(&state))
		record_gone(resume, i, state.end);
}

/*
 * Calls check_late for the guest, but before that for other late guests that it may need:
 * these may have suspended, too.
 */
static void check_late_in_order(struct resume *resume, size_t i)
{
	size_t j;

	for (size_t k = 0; k < resume->n_ordered; k++) {
		j = guest_in_order(resume, k);
		if (cycle_guest_may_suspend(guest_at(resume, j)))
			check_late(resume, j);
		if (j == i)
			return;
	}
}

static void check_guest(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	bool was_pending = is_pending(guest), could_suspend = cycle_guest_may_suspend(guest);

	if (could_suspend)
		check_late_in_order(resume, i);
	else if (was_pending || watches_ends(resume))
		check_end(resume, i);
	check_agent(resume, i);
	if (was_pending && !is_pending(guest) && resume->n_pending > 0)
		resume->n_pending--;
	/*
	 * The guest can no longer suspend. If its agent is still awaited, the
	 * guest now has another deadline, so count again.
	 */
	if (could_suspend && !cycle_guest_may_suspend(guest))
		resume->recount_at_us = 0;
}

/* Records guests that have ended and, after the host's sleep, guests that have appeared. */
static void compare_with_domains(struct resume *resume)
{
	struct census census;
	int r;

	if (!watches_ends(resume))
		return;
	r = census_take(resume->context, &census);
	if (r == 0 && has_slept(resume))
		r = census_record_newcomers(&census, resume->context);
	if (r == 0)
		r = census_record_ends(&census, resume->context);
	census_done(&census);
	if (r < 0)
		journal_record(resume->journal, RECORD_NOTE, loop_now(resume->loop), 0,
			       "the domains could not be listed after the resume: %s",
			       strerror(-r));
}

static void handle_event(struct resume *resume, uint32_t domid)
{
	const struct domid_entry *entries;
	size_t n;

	if (domid == HYPERVISOR_ALL_DOMAINS || !resume->by_domid.entries) {
		compare_with_domains(resume);
		for (size_t k = 0; k < resume->n_ordered; k++)
			check_guest(resume, guest_in_order(resume, k));
		return;
	}
	entries = domid_index_find(&resume->by_domid, domid, &n);
	/* A guest that has appeared, and may be gone again before the next look. */
	if (n == 0)
		compare_with_domains(resume);
	for (size_t k = 0; k < n; k++)
		check_guest(resume, entries[k].element);
}

/*
 * Waits for an event, at most until the deadline, and then handles all events
 * that are pending.
 */
static int wait_for_events(struct resume *resume, uint64_t deadline_us)
{
	uint32_t domid;
	int r = resume->loop->ops->wait(resume->loop, deadline_us);

	if (r < 0)
		return r;
	while ((r = resume->hypervisor->ops->next_event(resume->hypervisor, &domid)) > 0)
		handle_event(resume, domid);
	return r;
}

/*
 * Whether the guest needs a running guest whose agent has not yet reported that
 * the devices are restored. Used only with ResumeAfter=ready.
 */
static bool waits_for_devices(const struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);

	for (size_t j = 0; j < guest->n_needs; j++) {
		const struct cycle_guest *needed = guest_at(resume, guest->needs[j]);

		if (uses_agent(needed) && needed->ready_us == CYCLE_NEVER &&
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
 * Whether the agent has answered for this cycle, or is already armed for a later
 * cycle. Such an agent must not be woken, because an armed agent handles any
 * event as a request to suspend.
 */
static bool agent_has_answered(struct resume *resume, size_t i)
{
	uint64_t number = cycle_of(resume)->head.number;
	struct domain_id id = id_at(resume, i);
	struct agent_state agent;

	if (guest_at(resume, i)->ready_us != CYCLE_NEVER)
		return true;
	if (resume->hypervisor->ops->get_agent_state(resume->hypervisor, &id, &agent) < 0)
		return false;
	return agent.state.cycle > number ||
	       (agent.state.cycle == number && agent.state.state != PROTOCOL_AGENT_QUIESCED);
}

static void wake_agent(struct resume *resume, size_t i)
{
	struct domain_id id = id_at(resume, i);

	/* If this fails, the agent notices the wake later by itself. */
	if (uses_agent(guest_at(resume, i)) && !agent_has_answered(resume, i))
		resume->hypervisor->ops->wake_agent(resume->hypervisor, &id);
}

/*
 * Waits, at most ready_timeout_us, until the guests that this guest needs have
 * restored their devices. Returns 0 even after the timeout, or a negative errno
 * if waiting failed.
 */
static int wait_for_needed(struct resume *resume, size_t i)
{
	uint64_t deadline_us = loop_now(resume->loop) + resume->config->ready_timeout_us;

	for (size_t j = 0; j < guest_at(resume, i)->n_needs; j++)
		wake_agent(resume, guest_at(resume, i)->needs[j]);
	/*
	 * Read the answers that agents have already published, because no further
	 * event reports them.
	 */
	handle_event(resume, HYPERVISOR_ALL_DOMAINS);
	while (waits_for_devices(resume, i) && loop_now(resume->loop) < deadline_us) {
		int r = wait_for_events(resume, deadline_us);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Whether the guest's agent has asked its kernel to suspend, and does not say so any more: it
 * restores after an abort, and its kernel may still suspend.
 */
static bool has_left_kernel_request(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);
	struct agent_state agent;

	return guest->mechanism == MECHANISM_AGENT && guest->quiesced_us != CYCLE_NEVER &&
	       (resume->hypervisor->ops->get_agent_state(resume->hypervisor, &id, &agent) < 0 ||
		agent.state.state != PROTOCOL_AGENT_QUIESCED ||
		agent.state.cycle != cycle_of(resume)->head.number);
}

/*
 * Tries again to retract a request that could not be retracted: xenstored may have failed, and
 * the request still stands. A guest that has acknowledged it may still suspend.
 */
static void retract_again(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	struct domain_id id = id_at(resume, i);
	bool is_left;

	if (!guest->may_suspend_late || guest->requested_us == CYCLE_NEVER ||
	    (guest->hold != HOLD_NONE && guest->hold != HOLD_REQUESTED))
		return;
	is_left = has_left_kernel_request(resume, i);
	if (resume->hypervisor->ops->retract(resume->hypervisor, &id, guest->mechanism,
					     cycle_of(resume)->head.number) != RETRACTED ||
	    is_left)
		return;
	record(resume, RECORD_RETRACTED, i, "");
	/* An earlier request that it has acknowledged stays. */
	if (!guest->had_earlier_request)
		record(resume, RECORD_LATE_OVER, i, "");
}

/*
 * Does what can wait until all guests run: wakes the agents and notifies xenstored. The cycle had
 * `n` guests when they were selected.
 */
static void finish_resume(struct resume *resume, const bool *selected, size_t n)
{
	/* Before an agent that has not read its request yet is woken. */
	for (size_t i = n; i-- > 0;)
		if (is_selected(selected, i))
			retract_again(resume, i);
	for (size_t i = n; i-- > 0;)
		if (is_selected(selected, i))
			wake_agent(resume, i);
	for (size_t i = n; i-- > 0;)
		if (is_selected(selected, i))
			resume_in_xenstore(resume, i);
}

static void prepare_selected(const struct coordinator *context, const bool *selected)
{
	const struct cycle *cycle = context_cycle(context);
	struct hypervisor *hypervisor = context->hypervisor;

	assert(hypervisor);
	for (size_t i = cycle->n_guests; i-- > 0;) {
		const struct cycle_guest *guest = &cycle->guests[i];
		struct domain_id id = cycle_guest_id(guest);

		/* A failure is ignored, because ops->resume repeats the preparation. */
		if (is_selected(selected, i) && guest->hold == HOLD_SUSPENDED)
			hypervisor->ops->prepare_resume(hypervisor, &id);
	}
}

void resume_prepare(const struct coordinator *context)
{
	prepare_selected(context, NULL);
}

/* A guest that may suspend late may be suspended by now. */
static bool is_to_be_resumed(const struct cycle_guest *guest)
{
	return guest->hold != HOLD_NONE || cycle_guest_may_suspend(guest);
}

/*
 * Resumes the selected guests in reverse suspend order, in groups of guests
 * that do not need each other. With ResumeAfter=ready, or when out of memory,
 * each guest is a group of its own. Returns 0, or a negative errno if waiting
 * failed. All guests are tried even then.
 */
static int resume_in_order(struct resume *resume, const bool *selected)
{
	bool one_by_one = resume->config->resume_after == RESUME_AFTER_READY;
	const size_t *chains = resume->chains;
	size_t group[GROUP_MAX], n = 0;
	int r = 0;

	for (size_t k = 0; k < resume->n_ordered; k++) {
		size_t i = guest_in_order(resume, k);

		if (!is_selected(selected, i) || !is_to_be_resumed(guest_at(resume, i)))
			continue;
		/*
		 * If this guest's chain is longer than that of the group's last
		 * guest, it may need a guest of the group. Resume the group first.
		 */
		if (n == GROUP_MAX || one_by_one || !resume->order ||
		    (n > 0 && chains[i] > chains[group[n - 1]])) {
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
	/* Guests that appear during the resume are not selected. */
	size_t n = context_cycle(context)->n_guests;
	struct resume resume;
	int r;

	assert(context->config);
	resume_init(&resume, context);
	/*
	 * Prepare all resumes before the first guest is resumed, because running
	 * guests compete with this process for the CPU.
	 */
	prepare_selected(context, selected);
	r = resume_in_order(&resume, selected);
	for (size_t i = n; i-- > 0;)
		if (is_selected(selected, i))
			retry_if_stranded(&resume, i);
	finish_resume(&resume, selected, n);
	resume_done(&resume);
	return r;
}

/* Returns until when to wait for a guest that may still suspend, in µs of the loop's clock. */
static uint64_t wait_until(const struct resume *resume, size_t i)
{
	return cycle_late_since(cycle_of(resume), guest_at(resume, i)) + LATE_WAIT_US;
}

/* Sets n_pending, and sets recount_at_us to the next deadline of a pending guest. */
static void count_pending(struct resume *resume)
{
	uint64_t ready_by = resume->start_us + resume->config->ready_timeout_us;
	uint64_t now = loop_now(resume->loop);

	resume->n_pending = 0;
	resume->recount_at_us = LOOP_FOREVER;
	for (size_t i = 0; i < cycle_of(resume)->n_guests; i++) {
		const struct cycle_guest *guest = guest_at(resume, i);
		uint64_t until = cycle_guest_may_suspend(guest) ? wait_until(resume, i) : ready_by;

		if (!is_pending(guest))
			continue;
		resume->n_pending++;
		if (until > now && until < resume->recount_at_us)
			resume->recount_at_us = until;
	}
}

/*
 * Whether to keep waiting for pending guests. Counts the pending guests again if
 * one of their deadlines has passed.
 */
static bool is_waiting(struct resume *resume)
{
	if (resume->n_pending > 0 && resume->recount_at_us <= loop_now(resume->loop))
		count_pending(resume);
	return resume->n_pending > 0 && resume->recount_at_us != LOOP_FOREVER;
}

/*
 * Ends the wait for a guest that may still suspend: records that the guest runs, and that
 * it will no longer suspend if the time for this is over. If the guest's state cannot be
 * read, records the guest as stranded, because it may be suspended.
 *
 * Ends the subscription. Another program that saves the guest would otherwise not see it
 * suspend. Xen reports a domain without subscription to xenstored, so that the watch on
 * @releaseDomain still reports a guest that suspends late.
 */
static void finish_late(struct resume *resume, size_t i)
{
	const struct cycle_guest *guest = guest_at(resume, i);
	int r = check_late(resume, i);

	if (r < 0) {
		record_failure(resume, i, "its state could not be read", r);
		return;
	}
	if (!cycle_guest_may_suspend(guest))
		return;
	if (guest->hold != HOLD_NONE)
		record(resume, cycle_guest_was_suspended(guest) ? RECORD_RUNNING : RECORD_RETRACTED,
		       i, "");
	unsubscribe(resume, i);
	if (cycle_late_since(cycle_of(resume), guest) + CYCLE_LATE_LIMIT_US <=
	    loop_now(resume->loop))
		record(resume, RECORD_LATE_OVER, i, "");
}

/* In the order of the resume, because the guests may need each other. */
static void finish_all_late(struct resume *resume)
{
	for (size_t k = 0; k < resume->n_ordered; k++) {
		size_t i = guest_in_order(resume, k);

		if (cycle_guest_may_suspend(guest_at(resume, i)))
			finish_late(resume, i);
	}
}

/* Records which agents did not answer, and which guests will no longer suspend. */
static void record_missing(struct resume *resume)
{
	finish_all_late(resume);
	for (size_t i = 0; i < cycle_of(resume)->n_guests; i++) {
		const struct cycle_guest *guest = guest_at(resume, i);

		if (agent_is_awaited(guest) && guest->outcome != OUTCOME_FAILED)
			record(resume, RECORD_DEGRADED, i,
			       "its agent did not report that the devices of the guest are restored");
	}
}

int resume_wait_ready(const struct coordinator *context)
{
	struct resume resume;
	int r = 0;

	assert(context->config);
	resume_init(&resume, context);
	handle_event(&resume, HYPERVISOR_ALL_DOMAINS);
	count_pending(&resume);
	while (r == 0 && is_waiting(&resume))
		r = wait_for_events(&resume, resume.recount_at_us);
	handle_event(&resume, HYPERVISOR_ALL_DOMAINS);
	record_missing(&resume);
	resume_done(&resume);
	return r;
}

void resume_check_late(const struct coordinator *context)
{
	struct resume resume;

	resume_init(&resume, context);
	finish_all_late(&resume);
	resume_done(&resume);
}
