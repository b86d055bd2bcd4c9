/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_CYCLE_H
#define PMCOORD_MODEL_CYCLE_H

/*
 * A cycle, from the first request to the last resume, and its records. An intent is
 * recorded before its effect, and a result after the effect. cycle_apply() applies
 * the records in order to struct cycle, from which reports are made. The journal on
 * /run stores the records. If a coordinator dies, the next coordinator replays the
 * journal to undo the cycle. Pure: no I/O.
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

/* Size of a detail, with its NUL. A longer detail is truncated. */
#define CYCLE_DETAIL_MAX 512

enum record_type {
	RECORD_CYCLE, /* the first record; text: see struct cycle_head */
	/*
	 * A guest of the plan; the guests are recorded in suspend order. A guest that
	 * appears later is recorded when it is found.
	 */
	RECORD_GUEST,
	RECORD_WARNING, /* a dependency loop was broken; text: a sentence about it */
	RECORD_PROBLEM, /* what is no guest's and degrades the cycle; text: a sentence about it */
	RECORD_PHASE, /* a phase begins; text: its name */
	RECORD_MECHANISM, /* the guest's mechanism has changed; text: the new one */
	RECORD_SKIP, /* the guest is skipped; text: why */
	RECORD_REQUEST, /* intent: the request is sent next */
	RECORD_QUIESCED, /* the guest's agent has quiesced */
	RECORD_SUSPENDED, /* Xen reports that the guest has shut down, reason suspend */
	RECORD_RETRACTED, /* no pause of pmcoord is left, and no request but an acknowledged one */
	RECORD_ACKNOWLEDGED, /* the request cannot be retracted; the guest may still suspend */
	RECORD_FAIL, /* the guest did not suspend; text: why */
	RECORD_BEING_BUILT, /* the guest has never run; its builder has paused it */
	RECORD_PAUSE, /* intent: the guest is paused next */
	RECORD_PAUSED, /* the guest is paused */
	RECORD_TAKEN, /* another program suspends the guest, which is never resumed; text: a hint */
	RECORD_GONE, /* the guest's domain has ended; text: how, see guest_end_name */
	RECORD_LATE_OVER, /* the guest will no longer obey the acknowledged request */
	RECORD_KEPT_SUSPENDED, /* the guests stay suspended until resume-all */
	RECORD_MAY_SLEEP, /* the host may sleep now; text: total sleep since boot, in µs */
	RECORD_SLEPT, /* the host slept; text: how long, in µs */
	RECORD_SLEPT_IN, /* text: the state in which the host slept, see struct sleeper.state */
	RECORD_WOKEN_BY, /* text: what woke the host, see wakeup_name */
	RECORD_LID, /* text: "open" or "closed", after the wake */
	RECORD_BATTERY, /* text: the charge before the sleep and after the wake, in percent */
	RECORD_AWAKE, /* the host did not sleep; text: why */
	RECORD_RESUME, /* intent: the guest is resumed or unpaused next */
	RECORD_RUNNING, /* the guest was resumed or unpaused, and runs */
	RECORD_XENSTORE_RESUMED, /* xenstored was notified of the resume */
	RECORD_RELEASED, /* the guest runs, and others have resumed or unpaused it; text: how */
	RECORD_STRANDED, /* the guest could not be resumed; text: why */
	RECORD_READY, /* the agent has ended its restore, with or without success */
	RECORD_DEGRADED, /* the guest is degraded, e.g. a device is missing; text: why */
	RECORD_APPEARED, /* the guest has appeared during the cycle; text: what became of it */
	RECORD_NEEDS, /* text: the guests that the guest needs, as in RECORD_GUEST */
	RECORD_LEAVING, /* when the cycle began, the guest had ended or was about to end */
	RECORD_STILL_RUNS, /* the guest runs when the host goes to sleep; text: why */
	RECORD_RELEASE, /* intent: the guest is no longer kept suspended */
	RECORD_RELEASE_ALL, /* intent: no guest of the cycle is kept suspended any more */
	RECORD_TAKE_OVER, /* an earlier cycle's guest; text: its state, see cycle_format_take_over
			   */
	RECORD_LET_GO, /* this cycle is no longer responsible for the guest; text: why */
	RECORD_WRITTEN, /* text: bytes that this process wrote to disks */
	RECORD_NOTE, /* text: added to the detail of the cycle */
	RECORD_ABORT, /* the cycle is being undone; text: why */
	RECORD_END, /* the cycle has ended */
};

/* One record. Its type determines whether `guest` and `text` are used. */
struct record {
	enum record_type type;
	uint64_t at_us; /* CLOCK_BOOTTIME */
	size_t guest; /* index in struct cycle.guests */
	const char *text; /* NULL: "" */
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
	HOLD_REQUESTED, /* a request; if the domain is already suspended, also the suspend */
	HOLD_SUSPENDED,
	HOLD_PAUSING, /* a pause, if the domain is already paused */
	HOLD_PAUSED,
};

struct cycle_guest {
	uint32_t domid;
	uint8_t uuid[GUEST_UUID_SIZE];
	char name[GUEST_NAME_MAX];
	enum mechanism mechanism;
	size_t *needs; /* the guests that this guest needs: indices in struct cycle.guests */
	size_t n_needs;
	enum cycle_outcome outcome;
	enum cycle_hold hold;
	bool acknowledged; /* the last request could not be retracted */
	bool may_suspend_late; /* the guest may still obey a request that could not be retracted */
	bool taken; /* another program has requested its suspension */
	bool being_built; /* had never run before pmcoord paused it */
	bool released; /* resumed or unpaused by others while pmcoord kept it suspended */
	enum guest_end gone; /* how the domain has ended */
	bool leaving; /* see RECORD_LEAVING: its end is no fault */
	bool appeared; /* has appeared during the cycle */
	bool runs_at_sleep; /* runs when the host goes to sleep */
	bool ran_through; /* ran while the host slept */
	/*
	 * Requests before the last one that the guest may still obey. Linux handles one
	 * request at a time, and the next one when it has been resumed.
	 */
	unsigned int n_earlier_requests;
	/*
	 * There was such a request. What can be seen of the last request then does not tell
	 * why the guest suspends.
	 */
	bool had_earlier_request;
	bool needs_xenstore_resume; /* resumed, but xenstored is not notified yet */
	bool degraded; /* e.g. a device is missing */
	bool stranded; /* could not be resumed */
	bool is_wanted; /* a user has asked to resume it, see cycle_keeps */
	bool lost; /* its record could not be read, so it is unknown which guest it is */
	char detail[CYCLE_DETAIL_MAX];
	/* Moments in µs since head.base_us, or CYCLE_NEVER. down_us: suspended or paused. */
	int64_t requested_us, quiesced_us, down_us;
	int64_t resume_us, running_us, ready_us;
	/*
	 * Since when the guest has run with a request that it may still obey, if that is not
	 * since requested_us: it was paused or suspended, or was taken over from an earlier cycle.
	 */
	int64_t late_us;
};

struct cycle_phase {
	char name[16];
	int64_t start_us; /* since head.base_us */
	int64_t duration_us; /* CYCLE_NEVER while the phase lasts */
};

/*
 * Maximum number of phases of a cycle. Each `pmcoord resume GUEST` adds one. The last
 * phase lasts on if there are more.
 */
#define CYCLE_PHASES_MAX 64

/* Maximum number of warnings in a cycle's report. `pmcoord plan` shows all warnings. */
#define CYCLE_WARNINGS_MAX 32

/* The facts known when a cycle starts. The first record of a journal contains them. */
struct cycle_head {
	uint64_t number;
	char boot_id[GUEST_UUID_TEXT_SIZE];
	uint64_t base_us; /* CLOCK_BOOTTIME when the cycle started */
	uint64_t started_us; /* CLOCK_REALTIME when the cycle started */
	char trigger[16]; /* what started the cycle, in one word */
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
	bool has_problem; /* RECORD_PROBLEM, e.g. a bad value in the configuration */
	bool kept_suspended; /* the guests stay suspended until resume-all */
	bool released; /* resume-all has begun to resume them */
	int64_t slept_before_us; /* µs of sleep from boot to this cycle; CYCLE_NEVER: unknown */
	int64_t slept_us; /* µs of this sleep; CYCLE_NEVER: the host did not sleep */
	char slept_in[16]; /* the state of this sleep: "deep" is S3; "": unknown, or no sleep */
	char woken_by[64]; /* what woke the host; "": not read */
	char lid[8]; /* "open" or "closed" after the wake; "": unknown */
	bool has_battery; /* the next two, in percent, are known */
	int battery_before, battery_after;
	int64_t written_bytes; /* CYCLE_NEVER: not measured */
	bool aborted;
	char detail[CYCLE_DETAIL_MAX]; /* texts of RECORD_ABORT, RECORD_AWAKE and RECORD_NOTE */
	bool ended;
	size_t n_damaged; /* lines of the journal that could not be read */
	size_t n_unwritten; /* records that could not be written to the journal */
	int write_error; /* negative errno of the first of them; 0: none */
	bool has_begun; /* all guests are recorded: a record of another type was applied */
};

enum cycle_result {
	RESULT_OK,
	RESULT_DEGRADED,
	RESULT_FAILED,
};

/* How a guest's part of a cycle went, best first. */
enum guest_verdict {
	VERDICT_OK,
	VERDICT_DEGRADED, /* runs, but e.g. a device is missing */
	VERDICT_PAUSED, /* did not suspend, and was paused instead */
	VERDICT_FAILED, /* did not suspend */
	VERDICT_STRANDED, /* could not be resumed */
};

/* Initializes a cycle of which no record is known yet. Release: cycle_done. */
void cycle_init(struct cycle *cycle, uint64_t number);

/* Frees the contents of `cycle`, which may be NULL. */
void cycle_done(struct cycle *cycle);

/* Returns the identity of a guest. */
struct domain_id cycle_guest_id(const struct cycle_guest *guest);

/*
 * Whether cycle_apply() would accept the record. Returns 0, or -EBADMSG for an invalid
 * record, e.g. of a guest that does not exist. Does not check the texts of RECORD_CYCLE
 * and RECORD_GUEST.
 */
int cycle_check(const struct cycle *cycle, const struct record *record);

/*
 * Applies one record. Returns 0, -ENOMEM, or -EBADMSG for an invalid record, which
 * changes nothing, with one exception: an invalid RECORD_GUEST adds a lost guest, so that
 * the indices in later records keep their meaning.
 */
int cycle_apply(struct cycle *cycle, const struct record *record);

/*
 * Applies a line of the journal that is no record. Among the records of the plan it was
 * probably a guest: adds a lost one. Returns 0 or -ENOMEM.
 */
int cycle_apply_damaged(struct cycle *cycle);

/*
 * Whether the record announces an effect. If it cannot be written, the effect must not be
 * caused, so the record must not be applied either.
 */
bool record_type_is_intent(enum record_type type);

/*
 * Formats a record as a line with a newline. Control characters in the text become
 * '?'. Returns the length, or -EMSGSIZE if `size` is too small.
 */
int record_format(const struct record *record, char *ret, size_t size);

/* record_parse: a record of a type that only another version of pmcoord knows */
#define RECORD_UNKNOWN 1

/*
 * Parses a line, given without its newline. Modifies the line; ret->text points into
 * the line. Returns 0, RECORD_UNKNOWN or -EBADMSG.
 */
int record_parse(char *line, struct record *ret);

/*
 * Returns the word for a record type in the journal, e.g. "request". These words must
 * not change, because journals of older versions are still read.
 */
const char *record_type_name(enum record_type type);

/* Whether records of this type are about one guest of the cycle. */
bool record_type_has_guest(enum record_type type);

/*
 * Formats the text of a RECORD_CYCLE. Returns its length, or -EMSGSIZE if `size` is
 * too small.
 */
int cycle_format_head(const struct cycle_head *head, char *ret, size_t size);

/*
 * Formats the text of a RECORD_GUEST about `guest`. `needs` has the indices, in struct
 * cycle.guests, of the guests that `guest` needs. Returns the length, or -EMSGSIZE if
 * `size` is too small.
 */
int cycle_format_guest(const struct guest *guest, enum mechanism mechanism, const size_t *needs,
		       size_t n_needs, char *ret, size_t size);

/*
 * Formats the text of a RECORD_NEEDS. Returns its length, or -EMSGSIZE if `size` is too small.
 */
int cycle_format_needs(const size_t *needs, size_t n_needs, char *ret, size_t size);

/*
 * Returns the verdict on a guest. The parameters are fields of both struct cycle_guest
 * and struct report_guest.
 */
enum guest_verdict guest_verdict(enum cycle_outcome outcome, bool degraded, bool stranded);

/*
 * Judges a cycle so far: RESULT_FAILED if it was aborted, else RESULT_DEGRADED if the
 * verdict on any guest is not VERDICT_OK, a record was damaged or not written, or there
 * was another problem, else RESULT_OK.
 */
enum cycle_result cycle_result(const struct cycle *cycle);

/*
 * Whether the guest has a hold and is known to have suspended. If such a guest runs,
 * a coordinator has resumed the guest, but could not record the resume.
 */
bool cycle_guest_was_suspended(const struct cycle_guest *guest);

/*
 * Whether the guest has a hold on purpose: a user has asked to keep the guest suspended,
 * and has not yet asked to resume it. A guest that could not be resumed has a hold
 * against its will.
 */
bool cycle_keeps(const struct cycle *cycle, const struct cycle_guest *guest);

/*
 * Whether the cycle's coordinator has died before it had decided about all guests: the
 * cycle has neither ended nor keeps its guests suspended.
 */
bool cycle_was_interrupted(const struct cycle *cycle);

/*
 * Whether nothing remains to be done for the cycle's guests: none has a hold, and none may
 * suspend late.
 */
bool cycle_is_over(const struct cycle *cycle);

/*
 * Whether the guest runs, has acknowledged a request and may still suspend.
 * False for a guest that is paused or suspended, because it cannot suspend
 * until it is resumed.
 */
bool cycle_guest_may_suspend(const struct cycle_guest *guest);

/*
 * A guest that has acknowledged a request suspends at any time: Linux freezes its processes
 * within 20 s, then its kernel threads within 20 s, then its devices, and a starved guest
 * needs longer. After it has run for this long, it will not suspend any more.
 */
#define CYCLE_LATE_LIMIT_US 900000000ull

/*
 * Returns since when a guest with may_suspend_late has run with its request, in µs of
 * CLOCK_BOOTTIME. The host's sleep does not count, and neither does a pause.
 */
uint64_t cycle_late_since(const struct cycle *cycle, const struct cycle_guest *guest);

/*
 * Formats the text of a RECORD_TAKE_OVER: the state of `guest`, a guest of an earlier cycle,
 * for the present cycle.
 */
void cycle_format_take_over(const struct cycle_guest *guest, char *ret, size_t size);

/* Returns the number of guests with a hold. */
size_t cycle_count_holds(const struct cycle *cycle);

/* Returns the name of the first stranded guest, borrowed, or NULL if there is none. */
const char *cycle_stranded(const struct cycle *cycle);

const char *cycle_outcome_name(enum cycle_outcome outcome);
const char *cycle_result_name(enum cycle_result result);

/*
 * Parses a name of cycle_outcome_name. Parses "skipped" as OUTCOME_SKIPPED, never
 * as OUTCOME_PENDING. Returns 0 or -EINVAL.
 */
int cycle_outcome_parse(const char *name, enum cycle_outcome *ret_outcome);

/* Parses a name of cycle_result_name. Returns 0 or -EINVAL. */
int cycle_result_parse(const char *name, enum cycle_result *ret_result);

#endif
