/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_CYCLE_H
#define PMCOORD_MODEL_CYCLE_H

/*
 * One cycle, from the first request to the last resume, as a sequence of
 * records: each intent before its effect, each result after it. The journal on
 * /run stores them. Replaying them gives the same struct cycle again: from it
 * reports are made, and a cycle is undone after its coordinator died. Pure: no
 * I/O.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/moment.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "model/plan.h"

/* A moment that was not reached. */
#define CYCLE_NEVER MOMENT_NEVER

#define CYCLE_DETAIL_MAX 512

enum record_type {
	RECORD_CYCLE, /* the head: number, boot, clocks, trigger */
	RECORD_GUEST, /* a guest of the plan, in suspend order */
	RECORD_WARNING, /* of the graph: a dependency loop that was broken */
	RECORD_PHASE, /* a phase begins */
	RECORD_MECHANISM, /* a guest uses another mechanism than planned */
	RECORD_SKIP, /* it is not touched */
	RECORD_REQUEST, /* intent: the request is sent next */
	RECORD_QUIESCED, /* its agent has quiesced */
	RECORD_SUSPENDED, /* Xen reports shutdown, reason suspend */
	RECORD_RETRACTED, /* it runs, and no request or pause of ours is left */
	RECORD_ACKNOWLEDGED, /* too late to retract: it may still suspend */
	RECORD_FAIL, /* it did not suspend; text: why */
	RECORD_PAUSE, /* intent: it is paused next */
	RECORD_PAUSED,
	RECORD_GONE, /* its domain no longer exists */
	RECORD_LATE_OVER, /* it will not suspend late any more */
	RECORD_KEPT_SUSPENDED, /* the guests, until resume-all */
	RECORD_MAY_SLEEP, /* all are suspended; text: µs slept from boot until now */
	RECORD_SLEPT, /* the host slept; text: for how many µs */
	RECORD_AWAKE, /* the host did not sleep; text: why */
	RECORD_RESUME, /* intent: it is resumed or unpaused next */
	RECORD_RUNNING, /* the resume hypercall has returned */
	RECORD_XENSTORE_RESUMED, /* xenstored was notified of that */
	RECORD_STRANDED, /* it could not be resumed; text: why */
	RECORD_READY, /* its agent has restored and verified */
	RECORD_DEGRADED, /* it runs with a loss; text: which */
	RECORD_WRITTEN, /* text: bytes that this process wrote to disks */
	RECORD_NOTE, /* text: for the detail of the cycle */
	RECORD_ABORT, /* the cycle is being undone; text: why */
	RECORD_END,
};

/* One record; which fields count depends on the type. */
struct record {
	enum record_type type;
	uint64_t at_us; /* CLOCK_BOOTTIME */
	size_t guest; /* index in struct cycle.guests */
	const char *text;
};

enum cycle_outcome {
	OUTCOME_PENDING, /* not decided yet */
	OUTCOME_SUSPENDED,
	OUTCOME_PAUSED,
	OUTCOME_SKIPPED,
	OUTCOME_FAILED,
};

/* What must be undone before the guest runs again. */
enum cycle_hold {
	HOLD_NONE, /* nothing: not touched, or resumed */
	HOLD_REQUESTED, /* requested and perhaps suspended: read its state */
	HOLD_SUSPENDED,
	HOLD_PAUSING, /* perhaps paused: read its state */
	HOLD_PAUSED,
};

struct cycle_guest {
	uint32_t domid;
	uint8_t uuid[GUEST_UUID_SIZE];
	char name[GUEST_NAME_MAX];
	enum mechanism mechanism;
	size_t *needs; /* indices in struct cycle.guests */
	size_t n_needs;
	enum cycle_outcome outcome;
	enum cycle_hold hold;
	bool may_suspend_late;
	bool gone;
	bool needs_xenstore_resume; /* resumed, but xenstored was not notified yet */
	bool degraded;
	bool stranded; /* it could not be resumed */
	char detail[CYCLE_DETAIL_MAX];
	/* µs since head.base_us, or CYCLE_NEVER. */
	int64_t requested_us, quiesced_us, down_us;
	int64_t resume_us, running_us, ready_us;
};

struct cycle_phase {
	char name[16];
	int64_t start_us;
	int64_t duration_us; /* CYCLE_NEVER while it lasts */
};

#define CYCLE_PHASES_MAX 16
/* A report needs no more; `pmcoord plan` shows all. */
#define CYCLE_WARNINGS_MAX 8

/* What is known when a cycle begins: its journal's first record. */
struct cycle_head {
	uint64_t number;
	char boot_id[GUEST_UUID_TEXT_SIZE];
	uint64_t base_us; /* CLOCK_BOOTTIME when it started */
	uint64_t started_us; /* CLOCK_REALTIME, likewise */
	char trigger[16]; /* one word */
	bool wants_sleep; /* the plan includes the host's sleep */
};

struct cycle {
	struct cycle_head head;
	struct cycle_guest *guests; /* in suspend order */
	size_t n_guests;
	struct cycle_phase phases[CYCLE_PHASES_MAX];
	size_t n_phases;
	char *warnings[CYCLE_WARNINGS_MAX];
	size_t n_warnings;
	bool kept_suspended; /* the guests, until resume-all */
	int64_t slept_before_us; /* of RECORD_MAY_SLEEP; CYCLE_NEVER: not recorded */
	int64_t slept_us; /* CYCLE_NEVER: the host did not sleep */
	int64_t written_bytes; /* CYCLE_NEVER: not measured */
	bool aborted;
	char detail[CYCLE_DETAIL_MAX]; /* why aborted or not asleep; notes */
	bool ended;
};

enum cycle_result {
	RESULT_OK,
	RESULT_DEGRADED,
	RESULT_FAILED,
};

/* How a guest's part of a cycle went, best first. */
enum guest_verdict {
	VERDICT_OK,
	VERDICT_DEGRADED, /* resumed, but something of it is missing */
	VERDICT_PAUSED, /* did not suspend; was paused instead */
	VERDICT_FAILED, /* did not suspend */
	VERDICT_STRANDED, /* could not be resumed */
};

/* Takes NULL. */
void cycle_done(struct cycle *cycle);

/* The identity of a guest. */
struct domain_id cycle_guest_id(const struct cycle_guest *guest);

/*
 * Applies one record. Returns 0, -ENOMEM, or -EBADMSG for an invalid record (a
 * guest that does not exist, a head that does not parse).
 */
int cycle_apply(struct cycle *cycle, const struct record *record);

/*
 * Formats a record as a line with its newline; returns the length, or -EMSGSIZE
 * if `size` is too small. The text's control characters become '?'.
 */
int record_format(const struct record *record, char *ret, size_t size);

/*
 * Parses a line without its newline; `ret->text` points into `line`, which is
 * modified. Returns 0 or -EBADMSG.
 */
int record_parse(char *line, struct record *ret);

/*
 * The word of a record type in the journal: "request", "down". Journals of older
 * versions are still read: these words do not change.
 */
const char *record_type_name(enum record_type type);

/* Whether records of this type are about one guest of the cycle. */
bool record_type_has_guest(enum record_type type);

/* Format the text of a RECORD_CYCLE or RECORD_GUEST. Return its length or -EMSGSIZE. */
int cycle_format_head(const struct cycle_head *head, char *ret, size_t size);
int cycle_format_guest(const struct guest *guest, enum mechanism mechanism, const size_t *needs,
		       size_t n_needs, char *ret, size_t size);

/* The one judgement of a guest, for cycles and for reports. */
enum guest_verdict guest_verdict(enum cycle_outcome outcome, bool degraded, bool stranded);

/*
 * The one judgement of a cycle, so far: failed if it was aborted, degraded if
 * the verdict of any guest is not VERDICT_OK.
 */
enum cycle_result cycle_result(const struct cycle *cycle);

/*
 * Whether the guest has a hold and is known to have suspended. If such a guest
 * runs, a coordinator has resumed it and could not record that.
 */
bool cycle_guest_was_suspended(const struct cycle_guest *guest);

/* The number of guests with a hold. */
size_t cycle_count_holds(const struct cycle *cycle);

/* The name of the first stranded guest, or NULL. */
const char *cycle_stranded(const struct cycle *cycle);

const char *cycle_outcome_name(enum cycle_outcome outcome);
const char *cycle_result_name(enum cycle_result result);
/* Return 0 or -EINVAL. */
int cycle_outcome_parse(const char *name, enum cycle_outcome *ret_outcome);
int cycle_result_parse(const char *name, enum cycle_result *ret_result);

#endif
