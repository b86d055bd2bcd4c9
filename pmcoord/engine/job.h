/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_JOB_H
#define PMCOORD_ENGINE_JOB_H

/*
 * The jobs that suspend or resume guests. A command runs its job itself, or
 * sends the job to the daemon, which runs the job in the same way.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "model/sleeper.h"
#include "record/report.h"
#include "engine/context.h"
#include "engine/host-env.h"

enum job_verb {
	JOB_SUSPEND_ALL, /* suspends all guests; the host sleeps unless guests_only */
	JOB_SUSPEND, /* suspends the named guests */
	JOB_RESUME_ALL, /* resumes all guests */
	JOB_RESUME, /* resumes the named guests */
	JOB_SLEEP, /* suspends all guests as a part of systemd's sleep.target */
	JOB_RECOVER, /* recovers the cycles whose coordinator died */
	JOB_CYCLE, /* suspends all guests and resumes them at once or after an alarm */
	JOB_BENCH, /* suspends the named guests and resumes them at once */
	JOB_N_VERBS,
};

/* The strings are borrowed. */
struct job {
	enum job_verb verb;
	char **names; /* names or domids of guests; see job_kind.names_guests */
	size_t n_names;
	/*
	 * The job is for the named guests only. Otherwise a suspend includes
	 * the guests that need them, and a resume includes the guests that they
	 * need.
	 */
	bool force;
	bool guests_only; /* JOB_SUSPEND_ALL: the host stays awake */
	bool with_sleep; /* JOB_CYCLE: the host sleeps until an alarm */
};

struct job_outcome;

/* What all jobs of one verb have in common. */
struct job_kind {
	const char *name; /* e.g. "suspend-all": in messages, and as the trigger in reports */
	const char *method; /* method of the daemon's D-Bus interface; NULL: there is none */
	bool names_guests; /* the job is for the guests in struct job.names */
	bool resumes; /* the job resumes guests on request; the command prints how many */
	/*
	 * A command can repeat the job, so the job always resumes the guests
	 * that it suspends. The command prints the progress only with --verbose.
	 */
	bool in_series;
	bool is_measurement; /* the report is saved only if the cycle went wrong */
	/*
	 * While another cycle runs, the job waits for the end of that cycle. If
	 * false, the job fails at once with JOB_RESULT_BUSY.
	 */
	bool waits;
	enum job_sleep {
		JOB_SLEEPS_NEVER,
		JOB_SLEEPS_ALWAYS,
		JOB_SLEEPS_UNLESS_GUESTS_ONLY,
		JOB_SLEEPS_ON_REQUEST, /* if with_sleep is set */
	} sleep;
	enum sleeper_kind sleeper; /* kind of sleeper for the job; not used if JOB_SLEEPS_NEVER */
	/* Called only by job_run. Returns 0, or a negative errno with `error` set. */
	int (*run)(struct coordinator *coordinator, const struct job *job, struct sleeper *sleeper,
		   struct job_outcome *outcome, struct error *error);
};

/*
 * The result of a job. The numbers must not change, because the daemon sends
 * them over D-Bus (JobRemoved, see pmcoord(8)) and over the lease, a pair of
 * connected sockets between the daemon and the sleep unit.
 */
enum job_result {
	JOB_RESULT_DONE = 0, /* done as planned */
	JOB_RESULT_ROLLED_BACK = 1, /* failed, and everything was undone */
	JOB_RESULT_INVALID = 2, /* the request or the configuration is wrong */
	JOB_RESULT_DEGRADED = 3, /* done, with a loss that the report names */
	JOB_RESULT_UNSUPPORTED = 4, /* impossible on this host, or not permitted to this user */
	JOB_RESULT_BUSY = 5, /* another cycle is running */
	JOB_RESULT_STRANDED = 6, /* something could not be undone */
};

struct job_outcome {
	enum job_result result;
	/* One sentence for stderr; "": none. */
	char message[ERROR_TEXT_MAX];
	size_t n_resumed; /* guests that JOB_RESUME or JOB_RESUME_ALL resumed */
	bool kept_suspended; /* guests are kept suspended until a command resumes them */
	/*
	 * The report of the cycle that the job ran, or of the last cycle that
	 * the job ended; NULL: none.
	 */
	struct report *report;
};

/* Returns the kind of the jobs with this verb (not JOB_N_VERBS); static. */
const struct job_kind *job_kind(enum job_verb verb);

/*
 * Finds the verb for a method of the daemon's D-Bus interface. Returns 0 or
 * -ENOENT.
 */
int job_verb_of_method(const char *method, enum job_verb *ret_verb);

/* Whether the job includes the host's sleep. job_run then needs a sleeper. */
bool job_sleeps(const struct job *job);

/*
 * Runs the job. The caller holds the lock, see lock.h. `sleeper` is used only if
 * job_sleeps(job), and may be NULL otherwise. Errors are reported as the outcome.
 * Release: job_outcome_done.
 */
void job_run(struct coordinator *coordinator, const struct job *job, struct sleeper *sleeper,
	     struct job_outcome *ret_outcome);

/* Sets the outcome of a job that `error` prevented. */
void job_outcome_of_error(const struct error *error, struct job_outcome *ret_outcome);

/* Frees the report of `outcome`, which may be NULL. */
void job_outcome_done(struct job_outcome *outcome);

/* Returns the result of a job that `error` prevented. */
enum job_result job_result_of_error(const struct error *error);
/* Returns the result of a job whose cycle has this report. */
enum job_result job_result_of_report(const struct report *report);

/*
 * Converts a received number to a result. An unknown number becomes
 * JOB_RESULT_ROLLED_BACK.
 */
enum job_result job_result_of_number(int number);

#endif
