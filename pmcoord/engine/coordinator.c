/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/coordinator.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/plan.h"
#include "record/journal.h"
#include "record/report-store.h"
#include "engine/resume.h"
#include "engine/take-over.h"

void coordinator_prearm(struct coordinator *coordinator)
{
	const struct hypervisor_ops *ops = coordinator->hypervisor->ops;
	const struct cycle *cycle = context_cycle(coordinator);

	for (size_t i = 0; i < cycle->n_guests; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];
		struct domain_id id = cycle_guest_id(guest);
		struct agent_terms terms = agent_terms_of(
			coordinator->config,
			config_for_guest(coordinator->config, guest->name).timeout_us);

		/*
		 * Arm only agents that have answered. The others may still
		 * handle the request of this cycle.
		 */
		if (guest->mechanism == MECHANISM_AGENT && !guest->gone &&
		    guest->ready_us != CYCLE_NEVER)
			ops->arm(coordinator->hypervisor, &id, cycle->head.number + 1, &terms);
	}
}

void coordinator_save(const struct coordinator *coordinator, struct report *report)
{
	struct error error = { 0 };
	int r = report_store_save(coordinator->roots, report, coordinator->config->keep_reports,
				  &error);

	if (r == REPORT_UNSAVED)
		report_warn(report, "%s; it is kept in %s until it can be written",
			    error_text(&error), coordinator->roots->unsaved_reports);
	else if (r < 0)
		report_warn(report, "%s", error_text(&error));
}

/*
 * If the journal has lost records, e.g. because /run was full, writes it anew when guests are still
 * to be resumed or may suspend late. Returns 0, or a negative errno if these guests are on no
 * record.
 */
static int complete_journal(struct coordinator *coordinator)
{
	const struct cycle *cycle = context_cycle(coordinator);
	int r = 0;

	/* A damaged journal has guests that cannot be written anew. */
	if (cycle->n_unwritten == 0 || cycle->n_damaged > 0)
		return 0;
	if (!cycle_is_over(cycle))
		r = journal_renew(coordinator->journal, loop_now(coordinator->loop));
	if (r == 0)
		take_over_complete(coordinator);
	return r;
}

static void warn_of_forgotten(const struct cycle *cycle, struct report *report)
{
	for (size_t i = 0; i < cycle->n_guests; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];

		if (guest->hold != HOLD_NONE || cycle_guest_may_suspend(guest))
			report_warn(
				report,
				"%s may be on no record: if it is suspended, 'pmcoord resume --force %s' resumes it",
				guest->name, guest->name);
	}
}

int coordinator_finish(struct coordinator *coordinator, bool is_measurement,
		       struct report **ret_report, struct error *error)
{
	struct report *report;
	int r, renewed;

	coordinator_record(coordinator, RECORD_END, "");
	renewed = complete_journal(coordinator);
	r = report_new(context_cycle(coordinator), &report);
	if (r < 0)
		return error_set(error, r, "cannot make the report of this cycle: %s",
				 strerror(-r));
	if (renewed < 0)
		warn_of_forgotten(context_cycle(coordinator), report);
	if (!is_measurement || report->result != RESULT_OK)
		coordinator_save(coordinator, report);
	/*
	 * Keep the journal while a guest remains to be resumed, or may suspend late,
	 * because whoever resumes the guest reads the journal.
	 */
	if (cycle_is_over(context_cycle(coordinator)))
		r = journal_remove(coordinator->journal);
	if (r < 0)
		report_warn(report, "cannot remove the journal from %s: %s",
			    coordinator->roots->journals, strerror(-r));
	*ret_report = report;
	return 0;
}

void coordinator_resume_guests(struct coordinator *coordinator, const bool *selected)
{
	char text[128];
	int r, later;

	assert(coordinator->journal);
	coordinator_record(coordinator, RECORD_PHASE, "resume");
	r = resume_guests(coordinator, selected);
	coordinator_record(coordinator, RECORD_PHASE, "ready");
	later = resume_wait_ready(coordinator);
	r = r < 0 ? r : later;
	if (r == 0)
		return;
	snprintf(text, sizeof(text), "cannot wait for the guests' events after the resume: %s",
		 strerror(-r));
	coordinator_record(coordinator, RECORD_PROBLEM, text);
}
