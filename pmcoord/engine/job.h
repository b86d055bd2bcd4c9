/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_JOB_H
#define PMCOORD_ENGINE_JOB_H

/*
 * The jobs that change guests, in one form: a command runs its job itself, or
 * sends it to the daemon, which runs it in the same way.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "model/sleeper.h"
#include "record/report.h"
#include "engine/context.h"
#include "engine/host-env.h"

enum job_verb {
	JOB_SUSPEND_ALL,
	JOB_SUSPEND, /* the named guests */
	JOB_RESUME_ALL,
	JOB_RESUME, /* the named guests */
	JOB_SLEEP, /* a cycle inside of systemd's sleep.target */
	JOB_RECOVER, /* cycles whose coordinator died */
	JOB_CYCLE, /* all guests suspended, and resumed at once */
	JOB_BENCH, /* likewise the named guests; leaves no report */
	JOB_N_VERBS,
};

/* The strings are borrowed. */
struct job {
	enum job_verb verb;
	char **names; /* of guests, if the kind names_guests */
	size_t n_names;
	bool force; /* exactly the named guests */
	bool guests_only; /* JOB_SUSPEND_ALL: leave the host awake */
	bool with_sleep; /* JOB_CYCLE: the host sleeps, until an alarm */
};

struct job_outcome;

/* What distinguishes the jobs of one verb. */
struct job_kind {
	const char *name; /* "suspend-all", … */
	const char *method; /* of the daemon's D-Bus interface; NULL: none */
	bool names_guests;
	bool resumes; /* and suspends nothing */
	bool in_series; /* run many times; only their statistics are shown */
	bool is_measurement; /* its report is kept only if it went wrong */
	bool waits; /* for another cycle to end; else fails as busy */
	enum job_sleep {
		JOB_SLEEPS_NEVER,
		JOB_SLEEPS_ALWAYS,
		JOB_SLEEPS_UNLESS_GUESTS_ONLY,
		JOB_SLEEPS_ON_REQUEST, /* with_sleep */
	} sleep;
	enum sleeper_kind sleeper; /* unless it sleeps never */
	/* Called by job_run. */
	int (*run)(struct coordinator *coordinator, const struct job *job, struct sleeper *sleeper,
		   struct job_outcome *outcome, struct error *error);
};

/*
 * The result of a job. Its numbers are sent over D-Bus (JobRemoved, see
 * pmcoord(8)) and over a lease.
 */
enum job_result {
	JOB_RESULT_DONE = 0, /* as planned */
	JOB_RESULT_ROLLED_BACK = 1, /* failed, everything undone */
	JOB_RESULT_INVALID = 2, /* the request or the configuration is wrong */
	JOB_RESULT_DEGRADED = 3, /* done, with a loss that the report names */
	JOB_RESULT_UNSUPPORTED = 4, /* not on this host, or not by this user */
	JOB_RESULT_BUSY = 5, /* another cycle is running */
	JOB_RESULT_STRANDED = 6, /* something could not be undone */
};

struct job_outcome {
	enum job_result result;
	/* For stderr, one sentence; "": none. */
	char message[ERROR_TEXT_MAX];
	size_t n_resumed;
	bool kept_suspended; /* guests, until they are resumed */
	struct report *report; /* of the last cycle that ended, or NULL */
};

/* The row of a verb (not JOB_N_VERBS); static. */
const struct job_kind *job_kind(enum job_verb verb);

/* The verb of a method of the D-Bus interface. Returns 0 or -ENOENT. */
int job_verb_of_method(const char *method, enum job_verb *ret_verb);

/* Whether the host sleeps in this job: then job_run needs a sleeper. */
bool job_sleeps(const struct job *job);

/*
 * Runs the job; the caller holds the lock. `sleeper` is used only if
 * job_sleeps(), else it may be NULL. Errors are part of the outcome. Release:
 * job_outcome_done.
 */
void job_run(struct coordinator *coordinator, const struct job *job, struct sleeper *sleeper,
	     struct job_outcome *ret_outcome);

/* The outcome of a job that an error prevented. */
void job_outcome_of_error(const struct error *error, struct job_outcome *ret_outcome);

/* Takes NULL. */
void job_outcome_done(struct job_outcome *outcome);

/* The result of a job that an error prevented, and of one that ran a cycle. */
enum job_result job_result_of_error(const struct error *error);
enum job_result job_result_of_report(const struct report *report);

/* A received number; JOB_RESULT_ROLLED_BACK for an unknown one. */
enum job_result job_result_of_number(int number);

#endif
