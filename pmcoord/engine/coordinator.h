/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_COORDINATOR_H
#define PMCOORD_ENGINE_COORDINATOR_H

/*
 * What a cycle works with, and how each one ends, whoever began it. Functions
 * return 0 or a negative errno; where there is an `error` it is set then.
 */

#include <json-c/json.h>

#include "model/config.h"
#include "model/hypervisor.h"
#include "record/journal.h"
#include "host/lid.h"
#include "model/loop.h"
#include "host/roots.h"
#include "model/sleep-manager.h"

/* What a cycle works with; all borrowed but the lid. */
struct coordinator {
	const struct config *config;
	const struct roots *roots;
	struct hypervisor *hypervisor;
	struct loop *loop;
	/* NULL: nobody puts the host to sleep behind our back. */
	struct sleep_manager *sleep_manager;
	/*
	 * For cycles with a sleeper; NULL: there is none. It is opened, and
	 * kept over failed sleeps, by job_run, and freed by our owner.
	 */
	struct lid *lid;
	/* Told of each record; may be NULL. */
	journal_observer_fn observer;
	void *observer_data;
};

/* A record that is about the whole cycle, as of now. */
int coordinator_record(struct coordinator *coordinator, struct journal *journal,
		       enum record_type type, const char *text);

/* Has the coordinator's observer, if there is one, told of each record. */
void coordinator_observe(struct coordinator *coordinator, struct journal *journal);

/*
 * Resumes the selected guests (one bool per guest of the cycle; NULL: all that
 * it holds) and waits for their devices.
 */
int coordinator_resume_guests(struct coordinator *coordinator, struct journal *journal,
			      const bool *selected);

/* Tells each agent ahead of time which request comes next. */
void coordinator_prearm(struct coordinator *coordinator, const struct cycle *cycle);

/*
 * Ends the cycle: report on disk, journal gone unless someone is stranded. A
 * measurement leaves a report only where it went wrong. The report is also the
 * caller's, with a reference of its own.
 */
int coordinator_finish(struct coordinator *coordinator, struct journal *journal,
		       bool is_measurement, struct json_object **ret_report, struct error *error);

#endif
