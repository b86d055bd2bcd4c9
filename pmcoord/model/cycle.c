/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/cycle.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "pmcoord/parse.h"

static const struct {
	const char *name;
	bool has_guest;
} record_types[] = {
	[RECORD_CYCLE] = { "cycle", false },
	[RECORD_GUEST] = { "guest", false },
	[RECORD_WARNING] = { "warning", false },
	[RECORD_PROBLEM] = { "problem", false },
	[RECORD_PHASE] = { "phase", false },
	[RECORD_MECHANISM] = { "mechanism", true },
	[RECORD_SKIP] = { "skip", true },
	[RECORD_REQUEST] = { "request", true },
	[RECORD_QUIESCED] = { "quiesced", true },
	[RECORD_SUSPENDED] = { "down", true },
	[RECORD_RETRACTED] = { "retracted", true },
	[RECORD_ACKNOWLEDGED] = { "acknowledged", true },
	[RECORD_FAIL] = { "fail", true },
	[RECORD_BEING_BUILT] = { "being-built", true },
	[RECORD_PAUSE] = { "pause", true },
	[RECORD_PAUSED] = { "paused", true },
	[RECORD_TAKEN] = { "taken", true },
	[RECORD_GONE] = { "gone", true },
	[RECORD_LATE_OVER] = { "settled", true },
	[RECORD_KEPT_SUSPENDED] = { "held", false },
	[RECORD_MAY_SLEEP] = { "may-sleep", false },
	[RECORD_SLEPT] = { "slept", false },
	[RECORD_SLEPT_IN] = { "slept-in", false },
	[RECORD_WOKEN_BY] = { "woken-by", false },
	[RECORD_LID] = { "lid", false },
	[RECORD_BATTERY] = { "battery", false },
	[RECORD_AWAKE] = { "awake", false },
	[RECORD_RESUME] = { "resume", true },
	[RECORD_RUNNING] = { "running", true },
	[RECORD_XENSTORE_RESUMED] = { "bookkept", true },
	[RECORD_RELEASED] = { "released", true },
	[RECORD_STRANDED] = { "stranded", true },
	[RECORD_READY] = { "ready", true },
	[RECORD_DEGRADED] = { "degraded", true },
	[RECORD_APPEARED] = { "appeared", true },
	[RECORD_NEEDS] = { "needs", true },
	[RECORD_LEAVING] = { "leaving", true },
	[RECORD_STILL_RUNS] = { "still-runs", true },
	[RECORD_RELEASE] = { "release", true },
	[RECORD_RELEASE_ALL] = { "release-all", false },
	[RECORD_TAKE_OVER] = { "take-over", true },
	[RECORD_LET_GO] = { "let-go", true },
	[RECORD_WRITTEN] = { "written", false },
	[RECORD_NOTE] = { "note", false },
	[RECORD_ABORT] = { "abort", false },
	[RECORD_END] = { "end", false },
};
ENUM_COMPLETE(record_types, RECORD_END);

const char *record_type_name(enum record_type type)
{
	assert(type < ELEMENTSOF(record_types));
	return record_types[type].name;
}

bool record_type_has_guest(enum record_type type)
{
	assert(type < ELEMENTSOF(record_types));
	return record_types[type].has_guest;
}

bool record_type_is_intent(enum record_type type)
{
	/*
	 * Not RECORD_RESUME: a guest is resumed whether this can be written or not.
	 */
	return type == RECORD_CYCLE || type == RECORD_GUEST || type == RECORD_REQUEST ||
	       type == RECORD_PAUSE || type == RECORD_KEPT_SUSPENDED || type == RECORD_MAY_SLEEP;
}

void cycle_init(struct cycle *cycle, uint64_t number)
{
	*cycle = (struct cycle){
		.head = { .number = number, .trigger = "unknown" },
		.slept_before_us = CYCLE_NEVER,
		.slept_us = CYCLE_NEVER,
		.written_bytes = CYCLE_NEVER,
	};
}

void cycle_done(struct cycle *cycle)
{
	if (!cycle)
		return;
	for (size_t i = 0; i < cycle->n_guests; i++)
		free(cycle->guests[i].needs);
	free(cycle->guests);
	for (size_t i = 0; i < cycle->n_warnings; i++)
		free(cycle->warnings[i]);
	*cycle = (struct cycle){ 0 };
}

struct domain_id cycle_guest_id(const struct cycle_guest *guest)
{
	return domain_id_make(guest->domid, guest->uuid);
}

/* ---- lines -------------------------------------------------------------- */

int record_format(const struct record *record, char *ret, size_t size)
{
	const char *text = record->text ? record->text : "";
	const char *name = record_type_name(record->type);
	const char *space = text[0] ? " " : "";
	int length;

	if (record_types[record->type].has_guest)
		length = snprintf(ret, size, "%" PRIu64 " %s %zu%s%s\n", record->at_us, name,
				  record->guest, space, text);
	else
		length = snprintf(ret, size, "%" PRIu64 " %s%s%s\n", record->at_us, name, space,
				  text);
	if (length < 0 || (size_t)length >= size)
		return -EMSGSIZE;
	for (int i = 0; i < length - 1; i++)
		if ((unsigned char)ret[i] < 0x20)
			ret[i] = '?';
	return length;
}

/* Returns the first word of *text and advances *text past it. Returns NULL at the end. */
static char *take_word(char **text)
{
	char *word = *text;
	char *space = strchr(word, ' ');

	if (word[0] == '\0')
		return NULL;
	if (space)
		*space = '\0';
	*text = space ? space + 1 : word + strlen(word);
	return word;
}

static int take_number(char **text, uint64_t max, uint64_t *ret)
{
	char *word = take_word(text);

	return word && parse_u64(word, max, ret) == 0 ? 0 : -EBADMSG;
}

int record_parse(char *line, struct record *ret)
{
	struct record record = { 0 };
	uint64_t guest = 0;
	char *word;
	size_t type;

	assert(line && ret);
	if (take_number(&line, UINT64_MAX, &record.at_us) < 0)
		return -EBADMSG;
	word = take_word(&line);
	for (type = 0; word && type < ELEMENTSOF(record_types); type++)
		if (strcmp(word, record_types[type].name) == 0)
			break;
	if (!word || word[0] == '\0' || word[strspn(word, "abcdefghijklmnopqrstuvwxyz-")] != '\0')
		return -EBADMSG;
	if (type == ELEMENTSOF(record_types))
		return RECORD_UNKNOWN;
	if (record_types[type].has_guest && take_number(&line, SIZE_MAX, &guest) < 0)
		return -EBADMSG;
	record.type = (enum record_type)type;
	record.guest = guest;
	record.text = line;
	*ret = record;
	return 0;
}

int cycle_format_head(const struct cycle_head *head, char *ret, size_t size)
{
	int length = snprintf(ret, size, "%" PRIu64 " %s %" PRIu64 " %s %s", head->number,
			      head->boot_id, head->started_us,
			      head->wants_sleep ? "sleep" : "guests-only", head->trigger);

	return length < 0 || (size_t)length >= size ? -EMSGSIZE : length;
}

int cycle_format_needs(const size_t *needs, size_t n_needs, char *ret, size_t size)
{
	int length = snprintf(ret, size, "%s", n_needs == 0 ? "-" : "");

	for (size_t i = 0; i < n_needs && (size_t)length < size; i++)
		length += snprintf(ret + length, size - (size_t)length, "%s%zu", i ? "," : "",
				   needs[i]);
	return (size_t)length >= size ? -EMSGSIZE : length;
}

int cycle_format_guest(const struct guest *guest, enum mechanism mechanism, const size_t *needs,
		       size_t n_needs, char *ret, size_t size)
{
	char uuid[GUEST_UUID_TEXT_SIZE];
	int length = snprintf(ret, size, "%" PRIu32 " %s %s ", guest->domid,
			      guest_uuid_format(guest->uuid, uuid), mechanism_name(mechanism));
	int r;

	if ((size_t)length >= size)
		return -EMSGSIZE;
	r = cycle_format_needs(needs, n_needs, ret + length, size - (size_t)length);
	if (r < 0)
		return r;
	length += r;
	length += snprintf(ret + length, size - (size_t)length, " %s", guest->name);
	return (size_t)length >= size ? -EMSGSIZE : length;
}

/* ---- applying ----------------------------------------------------------- */

static int parse_head(char *text, struct cycle_head *head)
{
	char *boot_id, *mode;

	if (take_number(&text, UINT64_MAX, &head->number) < 0)
		return -EBADMSG;
	boot_id = take_word(&text);
	if (!boot_id || strlen(boot_id) >= sizeof(head->boot_id) ||
	    take_number(&text, UINT64_MAX, &head->started_us) < 0)
		return -EBADMSG;
	mode = take_word(&text);
	if (!mode)
		return -EBADMSG;
	strcpy(head->boot_id, boot_id);
	snprintf(head->trigger, sizeof(head->trigger), "%s", text);
	head->wants_sleep = strcmp(mode, "sleep") == 0;
	return 0;
}

static int apply_head(struct cycle *cycle, const struct record *record)
{
	_cleanup_(freep) char *copy = strdup(record->text);
	struct cycle_head head = { .base_us = record->at_us };
	int r = copy ? parse_head(copy, &head) : -ENOMEM;

	if (r < 0)
		return r;
	cycle->head = head;
	cycle->slept_before_us = CYCLE_NEVER;
	cycle->slept_us = CYCLE_NEVER;
	cycle->written_bytes = CYCLE_NEVER;
	return 0;
}

/*
 * Parses the indices of the guests that `guest` needs: "3,4,7", or "-" for none. Does
 * not check the indices, because the records of these guests may follow later.
 */
static int parse_needs(const char *text, struct cycle_guest *guest)
{
	size_t n = 0;

	if (strcmp(text, "-") == 0)
		return 0;
	for (const char *c = text; *c; c++)
		n += *c == ',';
	guest->needs = calloc(n + 1, sizeof(*guest->needs));
	if (!guest->needs)
		return -ENOMEM;
	while (*text) {
		size_t length = strcspn(text, ",");
		char number[24];
		uint64_t index;

		if (length >= sizeof(number))
			return -EBADMSG;
		memcpy(number, text, length);
		number[length] = '\0';
		if (parse_u64(number, SIZE_MAX, &index) < 0)
			return -EBADMSG;
		guest->needs[guest->n_needs++] = index;
		text += length + (text[length] == ',');
	}
	return 0;
}

static int parse_guest(char *text, struct cycle_guest *guest)
{
	char *uuid, *mechanism, *needs;
	uint64_t domid;

	if (take_number(&text, UINT16_MAX, &domid) < 0)
		return -EBADMSG;
	guest->domid = (uint32_t)domid;
	uuid = take_word(&text);
	mechanism = uuid ? take_word(&text) : NULL;
	needs = mechanism ? take_word(&text) : NULL;
	if (!needs || guest_uuid_parse(uuid, guest->uuid) < 0 ||
	    strlen(text) >= sizeof(guest->name))
		return -EBADMSG;
	/* One that only another version knows: to resume the guest, any will do. */
	if (mechanism_parse(mechanism, &guest->mechanism) < 0)
		guest->mechanism = MECHANISM_XENSTORE;
	strcpy(guest->name, text);
	return parse_needs(needs, guest);
}

static int add_guest(struct cycle *cycle, const struct cycle_guest *guest)
{
	int r = array_grow(&cycle->guests, cycle->n_guests, sizeof(*cycle->guests));

	if (r == 0)
		cycle->guests[cycle->n_guests++] = *guest;
	return r;
}

static const struct cycle_guest new_guest = {
	.requested_us = CYCLE_NEVER,
	.quiesced_us = CYCLE_NEVER,
	.down_us = CYCLE_NEVER,
	.resume_us = CYCLE_NEVER,
	.running_us = CYCLE_NEVER,
	.ready_us = CYCLE_NEVER,
	.late_us = CYCLE_NEVER,
};

static int add_lost_guest(struct cycle *cycle)
{
	struct cycle_guest guest = new_guest;

	guest.lost = true;
	guest.outcome = OUTCOME_FAILED;
	strcpy(guest.name, "(unknown)");
	strcpy(guest.detail, "its record in the journal is damaged: "
			     "see 'xl list' for a guest in state s or p");
	return add_guest(cycle, &guest);
}

static int apply_guest(struct cycle *cycle, const struct record *record)
{
	_cleanup_(freep) char *copy = strdup(record->text);
	struct cycle_guest guest = new_guest;
	int r = copy ? parse_guest(copy, &guest) : -ENOMEM;

	if (r == 0)
		r = add_guest(cycle, &guest);
	if (r < 0)
		free(guest.needs);
	if (r == -EBADMSG && add_lost_guest(cycle) < 0)
		return -ENOMEM;
	return r;
}

int cycle_apply_damaged(struct cycle *cycle)
{
	cycle->n_damaged++;
	return cycle->has_begun ? 0 : add_lost_guest(cycle);
}

/* Ends the current phase at the moment `now`, unless it has already ended. */
static void end_phase(struct cycle *cycle, int64_t now)
{
	struct cycle_phase *phase;

	if (cycle->n_phases == 0)
		return;
	phase = &cycle->phases[cycle->n_phases - 1];
	if (phase->duration_us == CYCLE_NEVER)
		phase->duration_us = now - phase->start_us;
}

static void apply_phase(struct cycle *cycle, const char *name, int64_t now)
{
	struct cycle_phase *phase;

	/* A phase is only for the report. */
	if (cycle->n_phases == CYCLE_PHASES_MAX)
		return;
	end_phase(cycle, now);
	phase = &cycle->phases[cycle->n_phases++];
	snprintf(phase->name, sizeof(phase->name), "%s", name);
	phase->start_us = now;
	phase->duration_us = CYCLE_NEVER;
}

static int apply_warning(struct cycle *cycle, const char *text)
{
	char *copy;

	if (cycle->n_warnings == CYCLE_WARNINGS_MAX)
		return 0;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	cycle->warnings[cycle->n_warnings++] = copy;
	return 0;
}

/*
 * Appends to the detail, because an outcome can have more than one reason. Does not
 * repeat a text, e.g. what an agent says about its failure, which is read twice.
 */
static void add_detail(char *detail, const char *text)
{
	size_t used = strlen(detail);

	if (!text[0] || strstr(detail, text))
		return;
	snprintf(detail + used, CYCLE_DETAIL_MAX - used, "%s%s", used ? "; " : "", text);
}

bool cycle_guest_was_suspended(const struct cycle_guest *guest)
{
	return guest->hold == HOLD_SUSPENDED ||
	       (guest->hold == HOLD_REQUESTED && guest->resume_us != CYCLE_NEVER);
}

/* Ends the hold of a guest that runs or is gone. Nothing else ends a hold. */
static void end_hold(struct cycle_guest *guest)
{
	guest->hold = HOLD_NONE;
	guest->stranded = false;
}

/*
 * If the guest's hold has already ended, the guest has suspended late. Sets a hold
 * again, because the guest must be resumed.
 */
static void restore_hold(struct cycle_guest *guest)
{
	if (guest->hold == HOLD_NONE)
		guest->hold = HOLD_REQUESTED;
}

static bool is_paused(const struct cycle_guest *guest)
{
	return guest->hold == HOLD_PAUSING || guest->hold == HOLD_PAUSED;
}

/* One of the guest's requests can have no effect any more. */
static void end_request(struct cycle_guest *guest)
{
	guest->may_suspend_late = guest->n_earlier_requests > 0;
	if (guest->n_earlier_requests > 0)
		guest->n_earlier_requests--;
}

/* None of the guest's requests can have an effect any more. */
static void end_requests(struct cycle_guest *guest)
{
	guest->may_suspend_late = false;
	guest->n_earlier_requests = 0;
}

static void apply_suspend_record(struct cycle_guest *guest, enum record_type type, int64_t now)
{
	switch (type) {
	case RECORD_REQUEST:
		guest->hold = HOLD_REQUESTED;
		guest->acknowledged = false;
		guest->n_earlier_requests += guest->may_suspend_late;
		guest->had_earlier_request |= guest->may_suspend_late;
		guest->requested_us = now;
		/* A guest that others had paused or suspended runs again. */
		if (guest->outcome == OUTCOME_SKIPPED)
			guest->outcome = OUTCOME_PENDING;
		break;
	case RECORD_QUIESCED:
		guest->quiesced_us = now;
		break;
	case RECORD_SUSPENDED:
		guest->hold = HOLD_SUSPENDED;
		/* Keeps the moment of an earlier pause: the guest has not run since then. */
		if (guest->down_us == CYCLE_NEVER)
			guest->down_us = now;
		if (guest->outcome == OUTCOME_PENDING)
			guest->outcome = OUTCOME_SUSPENDED;
		break;
	case RECORD_RETRACTED:
		if (!guest->acknowledged && guest->hold == HOLD_NONE)
			end_request(guest);
		else if (!guest->acknowledged && guest->hold == HOLD_REQUESTED &&
			 guest->n_earlier_requests > 0)
			guest->n_earlier_requests--;
		if (is_paused(guest) && guest->may_suspend_late)
			guest->hold = HOLD_REQUESTED;
		else if (!cycle_guest_was_suspended(guest))
			end_hold(guest);
		break;
	case RECORD_ACKNOWLEDGED:
		guest->acknowledged = guest->may_suspend_late = true;
		if (guest->requested_us == CYCLE_NEVER)
			guest->late_us = now;
		break;
	case RECORD_BEING_BUILT:
		guest->being_built = true;
		break;
	case RECORD_PAUSE:
		guest->hold = HOLD_PAUSING;
		break;
	case RECORD_PAUSED:
		guest->hold = HOLD_PAUSED;
		/* A guest that has never run loses nothing by a pause. */
		guest->outcome = guest->being_built ? OUTCOME_SKIPPED : OUTCOME_PAUSED;
		guest->down_us = now;
		break;
	case RECORD_TAKEN:
		/* A guest that this cycle has suspended or paused stays ours. */
		if (guest->hold == HOLD_REQUESTED && !cycle_guest_was_suspended(guest))
			end_hold(guest);
		guest->taken = true;
		guest->degraded = true;
		end_requests(guest);
		if (guest->outcome == OUTCOME_PENDING)
			guest->outcome = OUTCOME_SKIPPED;
		break;
	case RECORD_GONE:
		guest->degraded |= !guest->leaving;
		end_hold(guest);
		end_requests(guest);
		guest->needs_xenstore_resume = false;
		break;
	case RECORD_LATE_OVER:
		end_requests(guest);
		break;
	case RECORD_RELEASE:
		guest->is_wanted = true;
		break;
	case RECORD_LET_GO:
		end_hold(guest);
		end_requests(guest);
		guest->needs_xenstore_resume = false;
		break;
	default:
		break;
	}
}

static void apply_resume_record(struct cycle_guest *guest, enum record_type type, int64_t now)
{
	switch (type) {
	case RECORD_RESUME:
		guest->resume_us = now;
		restore_hold(guest);
		break;
	case RECORD_RUNNING:
		guest->needs_xenstore_resume =
			guest->hold == HOLD_REQUESTED || guest->hold == HOLD_SUSPENDED;
		/* A guest that was suspended has obeyed a request. */
		if (guest->needs_xenstore_resume)
			end_request(guest);
		/* It has not run with its other requests, or the request before its pause. */
		if (guest->hold != HOLD_NONE)
			guest->late_us = now;
		end_hold(guest);
		guest->running_us = now;
		break;
	case RECORD_RELEASED:
		/* As after RECORD_RUNNING. */
		if (guest->hold == HOLD_SUSPENDED)
			end_request(guest);
		guest->late_us = now;
		end_hold(guest);
		guest->released = true;
		break;
	case RECORD_XENSTORE_RESUMED:
		guest->needs_xenstore_resume = false;
		break;
	case RECORD_STRANDED:
		guest->stranded = true;
		restore_hold(guest);
		break;
	case RECORD_READY:
		guest->ready_us = now;
		break;
	case RECORD_DEGRADED:
		guest->degraded = true;
		break;
	default:
		break;
	}
}

/* Replaces what the guest needs. Keeps it if the text is invalid. */
static int apply_needs(struct cycle_guest *guest, const char *text)
{
	struct cycle_guest parsed = { 0 };
	int r = parse_needs(text, &parsed);

	if (r < 0) {
		free(parsed.needs);
		return r;
	}
	free(guest->needs);
	guest->needs = parsed.needs;
	guest->n_needs = parsed.n_needs;
	return 0;
}

static void apply_change_record(struct cycle_guest *guest, const struct record *record)
{
	switch (record->type) {
	case RECORD_GONE:
		guest->gone = guest_end_parse(record->text ? record->text : "");
		break;
	case RECORD_APPEARED:
		guest->appeared = true;
		guest->degraded = true;
		break;
	case RECORD_LEAVING:
		guest->leaving = true;
		break;
	case RECORD_STILL_RUNS:
		guest->runs_at_sleep = true;
		break;
	default:
		break;
	}
}

/* The host has slept: guests that ran when it went to sleep have not been suspended. */
static void apply_slept(struct cycle *cycle, int64_t slept_us)
{
	cycle->slept_us = slept_us;
	for (size_t i = 0; i < cycle->n_guests; i++) {
		struct cycle_guest *guest = &cycle->guests[i];

		if (!guest->runs_at_sleep || guest->ran_through)
			continue;
		guest->ran_through = true;
		guest->degraded = true;
		add_detail(guest->detail, "ran while the host slept");
	}
}

static const char *const hold_names[] = {
	[HOLD_NONE] = "none",	    [HOLD_REQUESTED] = "requested", [HOLD_SUSPENDED] = "suspended",
	[HOLD_PAUSING] = "pausing", [HOLD_PAUSED] = "paused",
};
ENUM_COMPLETE(hold_names, HOLD_PAUSED);

void cycle_format_take_over(const struct cycle_guest *guest, char *ret, size_t size)
{
	size_t n;

	assert(guest && ret);
	n = (size_t)snprintf(ret, size, "%s%s", hold_names[guest->hold],
			     guest->stranded ? " stranded" : "");
	/* A word for each request. */
	for (unsigned int i = 0; guest->may_suspend_late && i <= guest->n_earlier_requests; i++)
		if (n + sizeof(" late") <= size)
			n += (size_t)snprintf(ret + n, size - n, " late");
}

/* Words that only another version knows are ignored. */
static void apply_take_over(struct cycle_guest *guest, const char *text, int64_t now)
{
	char word[16];
	int n;

	for (; sscanf(text, "%15s%n", word, &n) == 1; text += n) {
		int hold = ENUM_PARSE(hold_names, word);

		if (hold >= 0 && guest->hold == HOLD_NONE)
			guest->hold = (enum cycle_hold)hold;
		guest->stranded |= strcmp(word, "stranded") == 0;
		if (strcmp(word, "late") != 0)
			continue;
		guest->n_earlier_requests += guest->may_suspend_late;
		guest->had_earlier_request = true;
		guest->may_suspend_late = true;
	}
	guest->stranded &= guest->hold != HOLD_NONE;
	guest->late_us = now;
}

static int apply_to_guest(struct cycle *cycle, const struct record *record, int64_t now)
{
	struct cycle_guest *guest = &cycle->guests[record->guest];

	if (guest->lost)
		return 0;
	if (record->type == RECORD_NEEDS)
		return apply_needs(guest, record->text ? record->text : "-");
	if (record->type == RECORD_MECHANISM) {
		/* Keeps the earlier one if only another version knows the new one. */
		mechanism_parse(record->text, &guest->mechanism);
		/* It was skipped, and takes part now. */
		if (guest->outcome == OUTCOME_SKIPPED)
			guest->outcome = OUTCOME_PENDING;
		return 0;
	}
	if (record->type == RECORD_TAKE_OVER) {
		apply_take_over(guest, record->text ? record->text : "", now);
		return 0;
	}
	if (record->type == RECORD_SKIP)
		guest->outcome = OUTCOME_SKIPPED;
	if (record->type == RECORD_FAIL)
		guest->outcome = OUTCOME_FAILED;
	apply_suspend_record(guest, record->type, now);
	apply_resume_record(guest, record->type, now);
	apply_change_record(guest, record);
	add_detail(guest->detail, record->text ? record->text : "");
	return 0;
}

/*
 * Returns the µs since the cycle's start. Clamps the times of a damaged journal, so
 * that the difference of two moments never overflows.
 */
static int64_t moment(const struct cycle *cycle, uint64_t at_us)
{
	if (at_us < cycle->head.base_us)
		return 0;
	if (at_us - cycle->head.base_us > INT64_MAX)
		return INT64_MAX;
	return (int64_t)(at_us - cycle->head.base_us);
}

int cycle_check(const struct cycle *cycle, const struct record *record)
{
	const char *text = record->text ? record->text : "";
	uint64_t number;
	bool valid = true;

	assert(record->type < ELEMENTSOF(record_types));
	if (record_types[record->type].has_guest)
		valid = record->guest < cycle->n_guests;
	if (record->type == RECORD_MAY_SLEEP || record->type == RECORD_SLEPT ||
	    record->type == RECORD_WRITTEN)
		valid = parse_u64(text, INT64_MAX, &number) == 0;
	return valid ? 0 : -EBADMSG;
}

/* A number that cycle_check() has found valid. */
static int64_t number_of(const char *text)
{
	uint64_t number = 0;

	parse_u64(text, INT64_MAX, &number);
	return (int64_t)number;
}

/* Ignores a text that is none of two percentages. */
static void apply_battery(struct cycle *cycle, const char *text)
{
	int before, after;

	if (sscanf(text, "%d %d", &before, &after) != 2 || before < 0 || before > 100 ||
	    after < 0 || after > 100)
		return;
	cycle->has_battery = true;
	cycle->battery_before = before;
	cycle->battery_after = after;
}

static int apply_to_cycle(struct cycle *cycle, const struct record *record, int64_t now)
{
	const char *text = record->text ? record->text : "";

	switch (record->type) {
	case RECORD_CYCLE:
		return apply_head(cycle, record);
	case RECORD_GUEST:
		return apply_guest(cycle, record);
	case RECORD_WARNING:
		return apply_warning(cycle, text);
	case RECORD_PROBLEM:
		if (!cycle->has_problem)
			add_detail(cycle->detail, text);
		cycle->has_problem = true;
		return apply_warning(cycle, text);
	case RECORD_PHASE:
		apply_phase(cycle, text, now);
		return 0;
	case RECORD_KEPT_SUSPENDED:
		cycle->kept_suspended = true;
		end_phase(cycle, now);
		return 0;
	case RECORD_RELEASE_ALL:
		cycle->released = true;
		return 0;
	case RECORD_MAY_SLEEP:
		cycle->slept_before_us = number_of(text);
		return 0;
	case RECORD_SLEPT:
		apply_slept(cycle, number_of(text));
		return 0;
	case RECORD_SLEPT_IN:
		snprintf(cycle->slept_in, sizeof(cycle->slept_in), "%s", text);
		return 0;
	case RECORD_WOKEN_BY:
		snprintf(cycle->woken_by, sizeof(cycle->woken_by), "%s", text);
		return 0;
	case RECORD_LID:
		snprintf(cycle->lid, sizeof(cycle->lid), "%s", text);
		return 0;
	case RECORD_BATTERY:
		apply_battery(cycle, text);
		return 0;
	case RECORD_WRITTEN:
		cycle->written_bytes = number_of(text);
		return 0;
	case RECORD_NOTE:
		add_detail(cycle->detail, text);
		return 0;
	case RECORD_AWAKE:
	case RECORD_ABORT:
		cycle->aborted = true;
		add_detail(cycle->detail, text);
		return 0;
	case RECORD_END:
		end_phase(cycle, now);
		cycle->ended = true;
		return 0;
	default:
		return apply_to_guest(cycle, record, now);
	}
}

int cycle_apply(struct cycle *cycle, const struct record *record)
{
	int r = cycle_check(cycle, record);

	if (r < 0)
		return r;
	if (record->type >= RECORD_WARNING)
		cycle->has_begun = true;
	return apply_to_cycle(cycle, record, moment(cycle, record->at_us));
}

/* ---- results ------------------------------------------------------------ */

enum guest_verdict guest_verdict(enum cycle_outcome outcome, bool degraded, bool stranded)
{
	if (stranded)
		return VERDICT_STRANDED;
	if (outcome == OUTCOME_FAILED)
		return VERDICT_FAILED;
	if (outcome == OUTCOME_PAUSED)
		return VERDICT_PAUSED;
	return degraded ? VERDICT_DEGRADED : VERDICT_OK;
}

static enum guest_verdict judge_guest(const struct cycle_guest *guest)
{
	return guest_verdict(guest->outcome, guest->degraded, guest->stranded);
}

enum cycle_result cycle_result(const struct cycle *cycle)
{
	if (cycle->aborted)
		return RESULT_FAILED;
	for (size_t i = 0; i < cycle->n_guests; i++)
		if (judge_guest(&cycle->guests[i]) != VERDICT_OK)
			return RESULT_DEGRADED;
	return cycle->n_damaged > 0 || cycle->n_unwritten > 0 || cycle->has_problem
		       ? RESULT_DEGRADED
		       : RESULT_OK;
}

bool cycle_keeps(const struct cycle *cycle, const struct cycle_guest *guest)
{
	assert(cycle && guest);
	return guest->hold != HOLD_NONE && cycle->kept_suspended && !cycle->released &&
	       !guest->is_wanted && !guest->stranded;
}

bool cycle_was_interrupted(const struct cycle *cycle)
{
	assert(cycle);
	return !cycle->ended && !cycle->kept_suspended;
}

bool cycle_is_over(const struct cycle *cycle)
{
	assert(cycle);
	for (size_t i = 0; i < cycle->n_guests; i++)
		if (cycle->guests[i].hold != HOLD_NONE || cycle->guests[i].may_suspend_late)
			return false;
	return true;
}

bool cycle_guest_may_suspend(const struct cycle_guest *guest)
{
	assert(guest);
	return guest->may_suspend_late &&
	       (guest->hold == HOLD_NONE || guest->hold == HOLD_REQUESTED);
}

/* As an unsigned number, so that the sum of two moments of a damaged journal is defined. */
static uint64_t since_start(int64_t moment_us)
{
	return moment_us > 0 ? (uint64_t)moment_us : 0;
}

uint64_t cycle_late_since(const struct cycle *cycle, const struct cycle_guest *guest)
{
	uint64_t late_us = since_start(guest->late_us);
	uint64_t since_us = since_start(guest->requested_us) + since_start(cycle->slept_us);

	if (guest->requested_us == CYCLE_NEVER || late_us > since_us)
		since_us = late_us;
	return cycle->head.base_us + since_us;
}

size_t cycle_count_holds(const struct cycle *cycle)
{
	size_t count = 0;

	for (size_t i = 0; i < cycle->n_guests; i++)
		count += cycle->guests[i].hold != HOLD_NONE;
	return count;
}

const char *cycle_stranded(const struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_guests; i++)
		if (cycle->guests[i].stranded)
			return cycle->guests[i].name;
	return NULL;
}

static const char *const outcome_names[] = {
	/*
	 * A pending guest is reported as skipped, because the cycle ended before
	 * the guest's step.
	 */
	[OUTCOME_PENDING] = "skipped", [OUTCOME_SUSPENDED] = "suspended",
	[OUTCOME_PAUSED] = "paused",   [OUTCOME_SKIPPED] = "skipped",
	[OUTCOME_FAILED] = "failed",
};
ENUM_COMPLETE(outcome_names, OUTCOME_FAILED);

const char *cycle_outcome_name(enum cycle_outcome outcome)
{
	return ENUM_NAME(outcome_names, outcome);
}

int cycle_outcome_parse(const char *name, enum cycle_outcome *ret_outcome)
{
	int outcome = ENUM_PARSE(outcome_names, name);

	if (outcome < 0)
		return outcome;
	*ret_outcome = outcome == OUTCOME_PENDING ? OUTCOME_SKIPPED : (enum cycle_outcome)outcome;
	return 0;
}

static const char *const result_names[] = {
	[RESULT_OK] = "ok",
	[RESULT_DEGRADED] = "degraded",
	[RESULT_FAILED] = "failed",
};
ENUM_COMPLETE(result_names, RESULT_FAILED);

const char *cycle_result_name(enum cycle_result result)
{
	return ENUM_NAME(result_names, result);
}

int cycle_result_parse(const char *name, enum cycle_result *ret_result)
{
	int result = ENUM_PARSE(result_names, name);

	if (result < 0)
		return result;
	*ret_result = (enum cycle_result)result;
	return 0;
}
