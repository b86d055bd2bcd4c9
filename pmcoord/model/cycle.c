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
	[RECORD_PHASE] = { "phase", false },
	[RECORD_MECHANISM] = { "mechanism", true },
	[RECORD_SKIP] = { "skip", true },
	[RECORD_REQUEST] = { "request", true },
	[RECORD_QUIESCED] = { "quiesced", true },
	[RECORD_SUSPENDED] = { "down", true },
	[RECORD_RETRACTED] = { "retracted", true },
	[RECORD_ACKNOWLEDGED] = { "acknowledged", true },
	[RECORD_FAIL] = { "fail", true },
	[RECORD_PAUSE] = { "pause", true },
	[RECORD_PAUSED] = { "paused", true },
	[RECORD_GONE] = { "gone", true },
	[RECORD_LATE_OVER] = { "settled", true },
	[RECORD_KEPT_SUSPENDED] = { "held", false },
	[RECORD_MAY_SLEEP] = { "may-sleep", false },
	[RECORD_SLEPT] = { "slept", false },
	[RECORD_AWAKE] = { "awake", false },
	[RECORD_RESUME] = { "resume", true },
	[RECORD_RUNNING] = { "running", true },
	[RECORD_XENSTORE_RESUMED] = { "bookkept", true },
	[RECORD_STRANDED] = { "stranded", true },
	[RECORD_READY] = { "ready", true },
	[RECORD_DEGRADED] = { "degraded", true },
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
	if (!word || type == ELEMENTSOF(record_types))
		return -EBADMSG;
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

int cycle_format_guest(const struct guest *guest, enum mechanism mechanism, const size_t *needs,
		       size_t n_needs, char *ret, size_t size)
{
	char uuid[GUEST_UUID_TEXT_SIZE];
	int length = snprintf(ret, size, "%" PRIu32 " %s %s ", guest->domid,
			      guest_uuid_format(guest->uuid, uuid), mechanism_name(mechanism));

	for (size_t i = 0; i < n_needs && (size_t)length < size; i++)
		length += snprintf(ret + length, size - (size_t)length, "%s%zu", i ? "," : "",
				   needs[i]);
	if ((size_t)length < size)
		length += snprintf(ret + length, size - (size_t)length, "%s %s", n_needs ? "" : "-",
				   guest->name);
	return (size_t)length >= size ? -EMSGSIZE : length;
}

/* ---- applying ----------------------------------------------------------- */

static int apply_head(struct cycle *cycle, const struct record *record)
{
	_cleanup_(freep) char *copy = strdup(record->text);
	char *text = copy, *boot_id, *mode;

	if (!copy)
		return -ENOMEM;
	if (take_number(&text, UINT64_MAX, &cycle->head.number) < 0)
		return -EBADMSG;
	boot_id = take_word(&text);
	if (!boot_id || strlen(boot_id) >= sizeof(cycle->head.boot_id) ||
	    take_number(&text, UINT64_MAX, &cycle->head.started_us) < 0)
		return -EBADMSG;
	mode = take_word(&text);
	if (!mode || strlen(text) >= sizeof(cycle->head.trigger))
		return -EBADMSG;
	strcpy(cycle->head.boot_id, boot_id);
	strcpy(cycle->head.trigger, text);
	cycle->head.wants_sleep = strcmp(mode, "sleep") == 0;
	cycle->head.base_us = record->at_us;
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
	    mechanism_parse(mechanism, &guest->mechanism) < 0 ||
	    strlen(text) >= sizeof(guest->name))
		return -EBADMSG;
	strcpy(guest->name, text);
	return parse_needs(needs, guest);
}

static int apply_guest(struct cycle *cycle, const struct record *record)
{
	_cleanup_(freep) char *copy = strdup(record->text);
	struct cycle_guest guest = {
		.requested_us = CYCLE_NEVER,
		.quiesced_us = CYCLE_NEVER,
		.down_us = CYCLE_NEVER,
		.resume_us = CYCLE_NEVER,
		.running_us = CYCLE_NEVER,
		.ready_us = CYCLE_NEVER,
	};
	int r = copy ? parse_guest(copy, &guest) : -ENOMEM;

	if (r == 0)
		r = array_grow(&cycle->guests, cycle->n_guests, sizeof(*cycle->guests));
	if (r < 0) {
		free(guest.needs);
		return r;
	}
	cycle->guests[cycle->n_guests++] = guest;
	return 0;
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

static int apply_phase(struct cycle *cycle, const char *name, int64_t now)
{
	struct cycle_phase *phase = &cycle->phases[cycle->n_phases];

	if (cycle->n_phases == CYCLE_PHASES_MAX || strlen(name) >= sizeof(phase->name))
		return -EBADMSG;
	end_phase(cycle, now);
	strcpy(phase->name, name);
	phase->start_us = now;
	phase->duration_us = CYCLE_NEVER;
	cycle->n_phases++;
	return 0;
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

/* Appends to the detail, because an outcome can have more than one reason. */
static void add_detail(char *detail, const char *text)
{
	size_t used = strlen(detail);

	if (!text[0])
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

static void apply_suspend_record(struct cycle_guest *guest, enum record_type type, int64_t now)
{
	switch (type) {
	case RECORD_REQUEST:
		guest->hold = HOLD_REQUESTED;
		guest->requested_us = now;
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
		if (!cycle_guest_was_suspended(guest))
			end_hold(guest);
		break;
	case RECORD_ACKNOWLEDGED:
		guest->may_suspend_late = true;
		break;
	case RECORD_PAUSE:
		guest->hold = HOLD_PAUSING;
		break;
	case RECORD_PAUSED:
		guest->hold = HOLD_PAUSED;
		guest->outcome = OUTCOME_PAUSED;
		guest->down_us = now;
		break;
	case RECORD_GONE:
		/* A stranded guest that is destroyed counts as degraded. */
		guest->degraded |= guest->stranded;
		end_hold(guest);
		guest->gone = true;
		guest->may_suspend_late = false;
		break;
	case RECORD_LATE_OVER:
		guest->may_suspend_late = false;
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
		end_hold(guest);
		guest->running_us = now;
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

static int apply_to_guest(struct cycle *cycle, const struct record *record, int64_t now)
{
	struct cycle_guest *guest;

	if (record->guest >= cycle->n_guests)
		return -EBADMSG;
	guest = &cycle->guests[record->guest];
	if (record->type == RECORD_MECHANISM)
		return mechanism_parse(record->text, &guest->mechanism) < 0 ? -EBADMSG : 0;
	if (record->type == RECORD_SKIP)
		guest->outcome = OUTCOME_SKIPPED;
	if (record->type == RECORD_FAIL)
		guest->outcome = OUTCOME_FAILED;
	apply_suspend_record(guest, record->type, now);
	apply_resume_record(guest, record->type, now);
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

int cycle_apply(struct cycle *cycle, const struct record *record)
{
	const char *text = record->text ? record->text : "";
	int64_t now = moment(cycle, record->at_us);
	uint64_t number;

	assert(record->type < ELEMENTSOF(record_types));
	switch (record->type) {
	case RECORD_CYCLE:
		return apply_head(cycle, record);
	case RECORD_GUEST:
		return apply_guest(cycle, record);
	case RECORD_WARNING:
		return apply_warning(cycle, text);
	case RECORD_PHASE:
		return apply_phase(cycle, text, now);
	case RECORD_KEPT_SUSPENDED:
		cycle->kept_suspended = true;
		end_phase(cycle, now);
		return 0;
	case RECORD_MAY_SLEEP:
		if (parse_u64(text, INT64_MAX, &number) < 0)
			return -EBADMSG;
		cycle->slept_before_us = (int64_t)number;
		return 0;
	case RECORD_SLEPT:
		if (parse_u64(text, INT64_MAX, &number) < 0)
			return -EBADMSG;
		cycle->slept_us = (int64_t)number;
		return 0;
	case RECORD_WRITTEN:
		if (parse_u64(text, INT64_MAX, &number) < 0)
			return -EBADMSG;
		cycle->written_bytes = (int64_t)number;
		return 0;
	case RECORD_NOTE:
		add_detail(cycle->detail, text);
		return 0;
	case RECORD_AWAKE:
		cycle->aborted = true;
		add_detail(cycle->detail, text);
		return 0;
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
	return RESULT_OK;
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
