/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/context.h"

#include <assert.h>

#include "model/cycle.h"

struct coordinator context_of_cycle(const struct coordinator *coordinator, struct journal *journal)
{
	struct coordinator context = *coordinator;

	assert(journal);
	context.journal = journal;
	if (context.observer)
		journal_observe(journal, context.observer, context.observer_data);
	return context;
}

const struct cycle *context_cycle(const struct coordinator *coordinator)
{
	assert(coordinator->journal);
	return journal_cycle(coordinator->journal);
}

int coordinator_record(struct coordinator *coordinator, enum record_type type, const char *text)
{
	assert(coordinator->journal && text);
	return journal_record(coordinator->journal, type, loop_now(coordinator->loop), 0, "%s",
			      text);
}
