/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/status.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "pmcoord/json.h"
#include "base/moment.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "host/boot-id.h"
#include "host/lock.h"
#include "record/journal.h"
#include "record/report-store.h"

/* ---- judging ------------------------------------------------------------ */

/* Returns the phase that has not ended; NULL if there is none. */
static const struct cycle_phase *open_phase(const struct cycle *cycle)
{
	const struct cycle_phase *last =
		cycle->n_phases ? &cycle->phases[cycle->n_phases - 1] : NULL;

	return last && last->duration_us == CYCLE_NEVER ? last : NULL;
}

/* Returns the running cycle; NULL if there is none. */
static const struct cycle *current_cycle(const struct status *status)
{
	/* A cycle whose guests are kept suspended has no open phase, and does not run. */
	for (size_t i = status->n_cycles; status->locked && i-- > 0;)
		if (!status->cycles[i].ended && open_phase(&status->cycles[i]))
			return &status->cycles[i];
	return NULL;
}

static bool is_against_its_will(const struct cycle *cycle, const struct cycle_guest *guest)
{
	return guest->hold != HOLD_NONE && !cycle_keeps(cycle, guest);
}

static bool has_stranded(const struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_guests; i++)
		if (is_against_its_will(cycle, &cycle->guests[i]))
			return true;
	return false;
}

static enum status_state judge(const struct status *status)
{
	if (current_cycle(status))
		return STATUS_RUNNING;
	for (size_t i = 0; i < status->n_cycles && !status->locked; i++)
		if (cycle_was_interrupted(&status->cycles[i]))
			return STATUS_INTERRUPTED;
	for (size_t i = 0; i < status->n_cycles && !status->locked; i++)
		if (has_stranded(&status->cycles[i]))
			return STATUS_STRANDED;
	for (size_t i = 0; i < status->n_cycles; i++)
		if (cycle_count_holds(&status->cycles[i]) > 0)
			return STATUS_KEPT_SUSPENDED;
	return STATUS_IDLE;
}

/* Whether the open phase, which is called `phase`, waits for this guest. */
static bool is_waited_for(const struct cycle_guest *guest, const char *phase)
{
	if (strcmp(phase, "suspend") == 0)
		return guest->hold == HOLD_REQUESTED || guest->hold == HOLD_PAUSING;
	if (strcmp(phase, "resume") == 0)
		return guest->hold != HOLD_NONE;
	if (strcmp(phase, "ready") == 0)
		return guest->mechanism == MECHANISM_AGENT && guest->running_us != CYCLE_NEVER &&
		       guest->ready_us == CYCLE_NEVER && !guest->degraded;
	return false;
}

static bool is_suspended(const struct cycle_guest *guest)
{
	return guest->hold == HOLD_SUSPENDED || guest->hold == HOLD_PAUSED;
}

static bool is_paused_by_us(const struct cycle_guest *guest)
{
	return guest->hold == HOLD_PAUSING || guest->hold == HOLD_PAUSED;
}

/* ---- reading ------------------------------------------------------------ */

/* Reads a journal. Skips one that is obsolete, or that a coordinator is just creating. */
static int read_cycle(const struct roots *roots, uint64_t number, const char *boot_id,
		      struct status *status)
{
	struct cycle *cycle = &status->cycles[status->n_cycles];
	int r = journal_read(roots->journals, number, cycle, NULL);

	if (r == -ENOENT)
		return 0; /* the cycle ended after the directory was read */
	if (r == -EBADMSG && status->locked)
		return 0; /* a coordinator may just be creating this journal */
	if (r == -EBADMSG) {
		status->n_unreadable++;
		return 0;
	}
	if (r == 0 && journal_is_obsolete(cycle, boot_id))
		cycle_done(cycle);
	else if (r == 0)
		status->n_cycles++;
	return r;
}

static int read_cycles(const struct roots *roots, struct status *status)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	char boot_id[BOOT_ID_SIZE];
	int n = journal_list(roots->journals, &numbers);
	int r = n < 0 ? n : boot_id_read(boot_id);

	if (r < 0)
		return r;
	status->cycles = calloc((size_t)n + 1, sizeof(*status->cycles));
	if (!status->cycles)
		return -ENOMEM;
	for (int i = 0; i < n && r == 0; i++)
		r = read_cycle(roots, numbers[i], boot_id, status);
	return r;
}

static int is_set_aside(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, JOURNAL_SET_ASIDE) == 0;
}

static size_t count_set_aside(const struct roots *roots)
{
	struct dirent **entries;
	int n = scandir(roots->journals, &entries, is_set_aside, NULL);

	for (int i = 0; i < n; i++)
		free(entries[i]);
	if (n >= 0)
		free(entries);
	return n > 0 ? (size_t)n : 0;
}

int status_read(const struct roots *roots, struct status *ret_status, struct error *error)
{
	struct status status = { 0 };
	int r;

	assert(roots);
	assert(ret_status);
	r = lock_holder(roots->run, status.holder, sizeof(status.holder));
	status.locked = r > 0;
	if (r >= 0)
		r = read_cycles(roots, &status);
	if (r < 0) {
		status_done(&status);
		error_set(error, r, "cannot read %s: %s%s", roots->run, strerror(-r),
			  r == -EACCES ? ": use sudo" : "");
		error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
		return r;
	}
	status.n_unreadable += count_set_aside(roots);
	/* An error is ignored here, because `pmcoord report` shows it. */
	if (report_store_load(roots, 0, &status.last, NULL) < 0)
		status.last = NULL;
	status.state = judge(&status);
	*ret_status = status;
	return 0;
}

/*
 * Returns the type of the record that makes the journal's guest what the hypervisor says, or
 * RECORD_END.
 */
static enum record_type judge_guest(const struct cycle_guest *guest,
				    const struct domain_state *state, bool is_being_saved)
{
	switch (state->state) {
	case GUEST_SHUT_DOWN:
	case GUEST_DYING:
	case GUEST_GONE:
		return RECORD_GONE;
	case GUEST_SUSPENDED:
		if (!cycle_guest_may_suspend(guest))
			return RECORD_END;
		/* It has suspended late, when nobody watched, unless others save it. */
		return is_being_saved ? RECORD_TAKEN : RECORD_STRANDED;
	case GUEST_RUNNING:
	case GUEST_PAUSED:
		break;
	}
	return guest->hold == HOLD_NONE || (state->paused && is_paused_by_us(guest))
		       ? RECORD_END
		       : RECORD_RELEASED;
}

static int observe_guest(struct cycle *cycle, size_t i, struct hypervisor *hypervisor)
{
	const struct cycle_guest *guest = &cycle->guests[i];
	struct domain_id id = cycle_guest_id(guest);
	struct record record = { .guest = i, .at_us = cycle->head.base_us };
	struct domain_state state;
	bool is_being_saved;

	if ((guest->hold == HOLD_NONE && !guest->may_suspend_late) ||
	    hypervisor->ops->get_state(hypervisor, &id, &state) < 0)
		return 0;
	is_being_saved =
		state.state == GUEST_SUSPENDED && hypervisor->ops->is_being_saved(hypervisor, &id);
	record.type = judge_guest(guest, &state, is_being_saved);
	return record.type == RECORD_END ? 0 : cycle_apply(cycle, &record);
}

int status_observe(struct status *status, struct hypervisor *hypervisor)
{
	int r = 0;

	assert(status);
	assert(hypervisor);
	for (size_t i = 0; i < status->n_cycles && !status->locked; i++)
		for (size_t j = 0; j < status->cycles[i].n_guests && r == 0; j++)
			r = observe_guest(&status->cycles[i], j, hypervisor);
	status->state = judge(status);
	return r;
}

void status_done(struct status *status)
{
	if (!status)
		return;
	for (size_t i = 0; i < status->n_cycles; i++)
		cycle_done(&status->cycles[i]);
	free(status->cycles);
	report_free(status->last);
	*status = (struct status){ 0 };
}

/* ---- JSON --------------------------------------------------------------- */

static const char *const state_names[] = {
	[STATUS_IDLE] = "idle",
	[STATUS_RUNNING] = "running",
	[STATUS_KEPT_SUSPENDED] = "held",
	[STATUS_STRANDED] = "stranded",
	[STATUS_INTERRUPTED] = "abandoned",
};
ENUM_COMPLETE(state_names, STATUS_INTERRUPTED);

/* Converts a moment of the cycle to µs of CLOCK_REALTIME. */
static uint64_t moment(const struct cycle *cycle, int64_t at_us)
{
	return cycle->head.started_us + (uint64_t)at_us;
}

static void add_moment(struct json_object *object, const char *key, uint64_t realtime_us,
		       int *status)
{
	char text[MOMENT_TEXT_SIZE];

	moment_format(realtime_us, text);
	json_add_string(object, key, text, status);
}

static void add_guests(struct json_object *object, const char *key, const struct cycle *cycle,
		       const char *waiting_in, int *r)
{
	struct json_object *array = json_add_array(object, key, r);

	for (size_t i = 0; i < cycle->n_guests; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];

		if (waiting_in ? is_waited_for(guest, waiting_in) : is_suspended(guest))
			json_add_string(array, NULL, guest->name, r);
	}
}

static void add_cycle(struct json_object *object, const struct cycle *cycle, int *r)
{
	const struct cycle_phase *phase = open_phase(cycle);
	struct json_object *current;

	current = json_add_object(object, "cycle", r);
	json_add_integer(current, "cycle", (int64_t)cycle->head.number, r);
	json_add_string(current, "trigger", cycle->head.trigger, r);
	add_moment(current, "started", cycle->head.started_us, r);
	json_add_string(current, "phase", phase->name, r);
	add_moment(current, "phase_started", moment(cycle, phase->start_us), r);
	add_guests(current, "down", cycle, NULL, r);
	add_guests(current, "waiting_for", cycle, phase->name, r);
	json_add_string(current, "detail", cycle->detail, r);
}

/*
 * Whether the guest has a hold, and no earlier cycle has a hold on the same domain. A
 * coordinator that dies while a cycle takes over a guest leaves it in two journals.
 */
static bool is_first(const struct status *status, size_t cycle, const struct cycle_guest *guest)
{
	struct domain_id id = cycle_guest_id(guest);

	for (size_t i = 0; i < cycle; i++) {
		for (size_t j = 0; j < status->cycles[i].n_guests; j++) {
			const struct cycle_guest *other = &status->cycles[i].guests[j];
			struct domain_id other_id = cycle_guest_id(other);

			if (other->hold != HOLD_NONE && domain_id_equal(&id, &other_id))
				return false;
		}
	}
	return guest->hold != HOLD_NONE;
}

static void add_held(struct json_object *object, const struct status *status, int *r)
{
	struct json_object *array = json_add_array(object, "held", r);

	for (size_t i = 0; i < status->n_cycles; i++) {
		const struct cycle *cycle = &status->cycles[i];

		for (size_t j = 0; j < cycle->n_guests; j++) {
			const struct cycle_guest *guest = &cycle->guests[j];
			struct json_object *entry;

			if (!is_first(status, i, guest))
				continue;
			entry = json_add_object(array, NULL, r);
			json_add_string(entry, "guest", guest->name, r);
			json_add_integer(entry, "domid", guest->domid, r);
			json_add_integer(entry, "cycle", (int64_t)cycle->head.number, r);
			json_add_boolean(entry, "on_purpose", cycle_keeps(cycle, guest), r);
		}
	}
}

static void add_last(struct json_object *object, const struct report *report, int *r)
{
	struct json_object *last;

	if (!report) {
		json_add_null(object, "last", r);
		return;
	}
	last = json_add_object(object, "last", r);
	json_add_integer(last, "cycle", (int64_t)report->cycle, r);
	json_add_string(last, "result", cycle_result_name(report->result), r);
	json_add_string(last, "started", report->started, r);
	json_add_string(last, "trigger", report->trigger, r);
	json_add_string(last, "detail", report->detail, r);
}

static int print_json(const struct status *status, FILE *out)
{
	const struct cycle *current = current_cycle(status);
	struct json_object *object = json_object_new_object();
	int r = object ? 0 : -ENOMEM;

	json_add_string(object, "state", ENUM_NAME(state_names, status->state), &r);
	json_add_boolean(object, "daemon", status->has_daemon, &r);
	json_add_string(object, "at_work", status->locked ? status->holder : NULL, &r);
	if (current)
		add_cycle(object, current, &r);
	else
		json_add_null(object, "cycle", &r);
	add_held(object, status, &r);
	add_last(object, status->last, &r);
	json_add_integer(object, "unreadable_journals", (int64_t)status->n_unreadable, &r);
	if (r == 0)
		r = json_print(object, out);
	json_object_put(object);
	return r;
}

/* ---- text --------------------------------------------------------------- */

#define LINE "%12s: "

static void print_span_since(uint64_t then_us, uint64_t now_us, FILE *out)
{
	char text[SPAN_TEXT_SIZE];

	/* If the clock was set back, the span is shown as 0. */
	fprintf(out, "%s", span_format(now_us > then_us ? (int64_t)(now_us - then_us) : 0, text));
}

static void print_suspended(const struct cycle *cycle, FILE *out)
{
	size_t n_planned = 0, n_suspended = 0;

	for (size_t i = 0; i < cycle->n_guests; i++) {
		n_planned += cycle->guests[i].mechanism != MECHANISM_NONE;
		n_suspended += is_suspended(&cycle->guests[i]);
	}
	fprintf(out, LINE "%zu of %zu guests\n", "Suspended", n_suspended, n_planned);
}

static void print_waiting(const struct cycle *cycle, const char *phase, uint64_t now_us, FILE *out)
{
	const char *before = NULL;

	for (size_t i = 0; i < cycle->n_guests; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];

		if (!is_waited_for(guest, phase))
			continue;
		if (!before)
			fprintf(out, LINE, "Waiting for");
		fprintf(out, "%s%s", before ? before : "", guest->name);
		before = ", ";
		if (strcmp(phase, "suspend") != 0)
			continue;
		fprintf(out, " (requested ");
		print_span_since(moment(cycle, guest->requested_us), now_us, out);
		fprintf(out, " ago)");
	}
	if (before)
		fprintf(out, "\n");
}

static void print_cycle(const struct cycle *cycle, uint64_t now_us, FILE *out)
{
	const struct cycle_phase *phase = open_phase(cycle);

	fprintf(out, LINE "%" PRIu64 ", by %s, for ", "Cycle", cycle->head.number,
		cycle->head.trigger);
	print_span_since(cycle->head.started_us, now_us, out);
	fprintf(out, "\n" LINE "%s, for ", "Phase", phase->name);
	print_span_since(moment(cycle, phase->start_us), now_us, out);
	fprintf(out, "\n");
	print_suspended(cycle, out);
	print_waiting(cycle, phase->name, now_us, out);
	if (cycle->detail[0])
		fprintf(out, LINE "%s\n", "Problem", cycle->detail);
}

/* Prints the names of the guests that are kept on purpose, or of those that are not. */
static void print_held(const struct status *status, bool on_purpose, FILE *out)
{
	const char *before = NULL;

	for (size_t i = 0; i < status->n_cycles; i++) {
		const struct cycle *cycle = &status->cycles[i];

		for (size_t j = 0; j < cycle->n_guests; j++) {
			const struct cycle_guest *guest = &cycle->guests[j];

			if (!is_first(status, i, guest) || cycle_keeps(cycle, guest) != on_purpose)
				continue;
			if (!before)
				fprintf(out, LINE, on_purpose ? "Suspended" : "Not resumed");
			fprintf(out, "%s%s", before ? before : "", guest->name);
			before = ", ";
		}
	}
	if (before)
		fprintf(out, "\n");
}

static void print_last(const struct report *report, FILE *out)
{
	fprintf(out, LINE, "Last cycle");
	if (!report) {
		fprintf(out, "none\n");
		return;
	}
	fprintf(out, "%" PRIu64 ", %s, by %s, ", report->cycle, cycle_result_name(report->result),
		report->trigger);
	moment_print_local(report->started, out);
	fprintf(out, "%s%s\n", report->detail[0] ? ": " : "", report->detail);
}

/*
 * Returns the number of the first cycle that stopped before all its guests were
 * resumed. With STATUS_INTERRUPTED such a cycle exists.
 */
static uint64_t interrupted_cycle(const struct status *status)
{
	for (size_t i = 0; i < status->n_cycles; i++)
		if (cycle_was_interrupted(&status->cycles[i]))
			return status->cycles[i].head.number;
	return 0;
}

static void print_state(const struct status *status, FILE *out)
{
	fprintf(out, LINE, "State");
	switch (status->state) {
	case STATUS_IDLE:
		fprintf(out, "idle; pmcoord keeps no guest suspended\n");
		break;
	case STATUS_RUNNING:
		fprintf(out, "a cycle is running\n");
		break;
	case STATUS_KEPT_SUSPENDED:
		fprintf(out, "guests are kept suspended; 'pmcoord resume-all' resumes them\n");
		break;
	case STATUS_STRANDED:
		fprintf(out, "guests could not be resumed; 'pmcoord resume-all' tries again\n");
		break;
	case STATUS_INTERRUPTED:
		fprintf(out,
			"cycle %" PRIu64
			" was interrupted before its guests were resumed; run 'pmcoord resume-all'\n",
			interrupted_cycle(status));
		break;
	}
}

static int print_text(const struct status *status, uint64_t now_us, FILE *out)
{
	const struct cycle *current = current_cycle(status);

	print_state(status, out);
	fprintf(out, LINE "%s\n", "Daemon", status->has_daemon ? "running" : "not running");
	if (status->locked)
		fprintf(out, LINE "%s\n", "Lock held by", status->holder);
	if (current) {
		print_cycle(current, now_us, out);
	} else {
		print_held(status, true, out);
		print_held(status, false, out);
	}
	if (status->n_unreadable > 0)
		fprintf(out, LINE "%zu cannot be read; 'pmcoord check' lists them\n", "Journals",
			status->n_unreadable);
	print_last(status->last, out);
	return ferror(out) ? -EIO : 0;
}

int status_print(const struct status *status, uint64_t now_us, bool json, FILE *out)
{
	assert(status);
	assert(out);
	return json ? print_json(status, out) : print_text(status, now_us, out);
}
