/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/take-over.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/cleanup.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/loop.h"
#include "host/boot-id.h"
#include "record/journal.h"

/* The cycle that takes over, and the earlier one. */
struct take_over {
	const struct coordinator *context;
	struct journal *from;
	bool with_kept;
	bool is_taken; /* what is left is to let go */
};

/* Returns the index of the domain in the cycle, or n_guests if the cycle does not have it. */
static size_t find_guest(const struct cycle *cycle, const struct domain_id *id)
{
	for (size_t i = 0; i < cycle->n_guests; i++) {
		struct domain_id found = cycle_guest_id(&cycle->guests[i]);

		if (!cycle->guests[i].lost && domain_id_equal(&found, id))
			return i;
	}
	return cycle->n_guests;
}

static bool is_wanted(const struct take_over *take_over, const struct cycle_guest *guest)
{
	const struct cycle *cycle = journal_cycle(take_over->from);

	if (guest->lost)
		return false;
	return cycle_guest_may_suspend(guest) ||
	       (guest->hold != HOLD_NONE && (take_over->with_kept || !cycle_keeps(cycle, guest)));
}

static void take_guest(struct take_over *take_over, size_t from)
{
	struct journal *journal = take_over->context->journal;
	const struct cycle_guest *guest = &journal_cycle(take_over->from)->guests[from];
	struct domain_id id = cycle_guest_id(guest);
	size_t to = find_guest(journal_cycle(journal), &id);
	uint64_t now_us = loop_now(take_over->context->loop);
	char text[64];

	if (to == journal_cycle(journal)->n_guests)
		return;
	cycle_format_take_over(guest, text, sizeof(text));
	if (take_over->is_taken ||
	    (journal_record(journal, RECORD_TAKE_OVER, now_us, to, "%s", text) == 0 &&
	     journal_cycle(journal)->n_unwritten == 0))
		/* If this fails, the guest is in both journals, and is resumed by either. */
		journal_record(take_over->from, RECORD_LET_GO, now_us, from, "%s", "");
}

static void take_cycle(struct take_over *take_over)
{
	const struct cycle *cycle = journal_cycle(take_over->from);

	for (size_t i = 0; i < cycle->n_guests; i++)
		if (is_wanted(take_over, &cycle->guests[i]))
			take_guest(take_over, i);
	/* If this fails, the next recovery removes the journal. */
	if (cycle_is_over(cycle))
		journal_remove(take_over->from);
}

static void take_all(struct take_over *take_over)
{
	const struct coordinator *context = take_over->context;
	const char *journals = context->roots->journals;
	_cleanup_(freep) uint64_t *numbers = NULL;
	char boot_id[BOOT_ID_SIZE];
	int n = journal_list(journals, &numbers);

	assert(context->journal);
	if (boot_id_read(boot_id) < 0)
		return;
	for (int i = 0; i < n && numbers[i] < context_cycle(context)->head.number; i++) {
		if (journal_open(journals, numbers[i], &take_over->from, NULL) < 0)
			continue;
		if (!journal_is_obsolete(journal_cycle(take_over->from), boot_id))
			take_cycle(take_over);
		journal_close(take_over->from);
	}
}

void take_over_guests(const struct coordinator *context, bool with_kept)
{
	struct take_over take_over = { .context = context, .with_kept = with_kept };

	take_all(&take_over);
}

void take_over_complete(const struct coordinator *context)
{
	struct take_over take_over = { .context = context, .is_taken = true };

	take_all(&take_over);
}

static int has_pause(void *data, const struct cycle *cycle)
{
	size_t i = find_guest(cycle, data);

	return i < cycle->n_guests &&
	       (cycle->guests[i].hold == HOLD_PAUSED || cycle->guests[i].hold == HOLD_PAUSING);
}

bool take_over_finds_pause(const struct coordinator *context, const struct domain_id *id)
{
	struct domain_id wanted;

	assert(id);
	wanted = *id;
	return journal_for_each_cycle(context->roots->journals, has_pause, &wanted) > 0;
}
