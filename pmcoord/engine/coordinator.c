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
#include "model/plan.h"
#include "record/journal.h"
#include "record/report-store.h"
#include "engine/resume.h"

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

int coordinator_finish(struct coordinator *coordinator, bool is_measurement,
		       struct report **ret_report, struct error *error)
{
	struct report *report;
	int r;

	coordinator_record(coordinator, RECORD_END, "");
	r = report_new(context_cycle(coordinator), &report);
	if (r < 0)
		return error_set(error, r, "cannot make the report of this cycle: %s",
				 strerror(-r));
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
