/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/answers.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"

#define NO_ANSWER '0'
#define ANSWER '1'

static char *format_path(const struct roots *roots)
{
	char *path;

	return asprintf(&path, "%s/answers", roots->run) < 0 ? NULL : path;
}

/* ---- the file ----------------------------------------------------------- */

/* Parses a line "domid uuid feature cycles". Returns 0 or -EINVAL. */
static int parse_line(const char *line, struct guest_answers *ret)
{
	struct guest_answers guest = { 0 };
	char uuid[GUEST_UUID_TEXT_SIZE];
	unsigned int feature;

	if (sscanf(line, "%" SCNu32 " %36s %u %10[01]", &guest.id.domid, uuid, &feature,
		   guest.cycles) != 4 ||
	    feature > GUEST_FEATURE_YES || guest_uuid_parse(uuid, guest.id.uuid) < 0)
		return -EINVAL;
	guest.feature = (enum guest_feature)feature;
	*ret = guest;
	return 0;
}

static void add_guest(struct answers *answers, const struct guest_answers *guest)
{
	if (array_grow(&answers->guests, answers->n_guests, sizeof(*answers->guests)) == 0)
		answers->guests[answers->n_guests++] = *guest;
}

struct answers answers_load(const struct roots *roots)
{
	struct answers answers = { 0 };
	_cleanup_(freep) char *path = format_path(roots);
	_cleanup_(fclosep) FILE *file = path ? fopen(path, "re") : NULL;
	struct guest_answers guest;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (parse_line(line, &guest) == 0)
			add_guest(&answers, &guest);
	return answers;
}

void answers_done(struct answers *answers)
{
	if (!answers)
		return;
	free(answers->guests);
	*answers = (struct answers){ 0 };
}

static int write_file(const char *path, const struct answers *answers)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "we");
	char uuid[GUEST_UUID_TEXT_SIZE];

	if (!file)
		return -errno;
	for (size_t i = 0; i < answers->n_guests; i++) {
		const struct guest_answers *guest = &answers->guests[i];

		fprintf(file, "%" PRIu32 " %s %u %s\n", guest->id.domid,
			guest_uuid_format(guest->id.uuid, uuid), (unsigned int)guest->feature,
			guest->cycles);
	}
	return fflush(file) == 0 ? 0 : -errno;
}

/* Replaces the file. A failure only means that the guests are not known. */
static void save(const struct roots *roots, const struct answers *answers)
{
	_cleanup_(freep) char *path = format_path(roots);
	_cleanup_(freep) char *fresh = NULL;

	if (!path || asprintf(&fresh, "%s.new", path) < 0)
		return;
	if (answers->n_guests == 0)
		unlink(path);
	else if (write_file(fresh, answers) < 0 || rename(fresh, path) < 0)
		unlink(fresh);
}

/* ---- guests ------------------------------------------------------------- */

static const struct guest_answers *find_guest(const struct answers *answers,
					      const struct guest *guest)
{
	struct domain_id id = domain_id_of(guest);

	for (size_t i = 0; i < answers->n_guests; i++)
		if (domain_id_equal(&answers->guests[i].id, &id) &&
		    answers->guests[i].feature == guest->feature_suspend)
			return &answers->guests[i];
	return NULL;
}

bool answers_are_missing(const struct answers *answers, const struct guest *guest,
			 unsigned int *ret_missed, unsigned int *ret_n)
{
	const struct guest_answers *known = find_guest(answers, guest);
	const char *cycles = known ? known->cycles : "";
	unsigned int missed = 0, in_a_row = 0, n = (unsigned int)strlen(cycles);

	for (unsigned int i = 0; i < n; i++) {
		missed += cycles[i] == NO_ANSWER;
		in_a_row = cycles[i] == NO_ANSWER ? in_a_row + 1 : 0;
	}
	if (ret_missed)
		*ret_missed = missed;
	if (ret_n)
		*ret_n = n;
	return in_a_row >= ANSWERS_MISSED_MAX;
}

void answers_shorten_timeouts(const struct roots *roots, struct plan *plan)
{
	struct answers answers = answers_load(roots);

	assert(plan);
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];

		if (step->mechanism == MECHANISM_XENSTORE &&
		    step->timeout_us > ANSWERS_TIMEOUT_US &&
		    answers_are_missing(&answers, &plan->inventory.guests[step->guest], NULL, NULL))
			step->timeout_us = ANSWERS_TIMEOUT_US;
	}
	answers_done(&answers);
}

/* Returns what the cycle shows of a guest: ANSWER, NO_ANSWER, or 0 if it shows nothing. */
static char judge(const struct cycle_guest *guest)
{
	if (guest->mechanism != MECHANISM_XENSTORE || guest->requested_us == CYCLE_NEVER ||
	    guest->gone || guest->taken)
		return 0;
	if (guest->outcome == OUTCOME_SUSPENDED || guest->acknowledged)
		return ANSWER;
	return guest->outcome == OUTCOME_PAUSED || guest->outcome == OUTCOME_FAILED ? NO_ANSWER : 0;
}

static void add_cycle(struct guest_answers *guest, char shown)
{
	size_t n = strlen(guest->cycles);

	if (n == ANSWERS_MAX)
		memmove(guest->cycles, guest->cycles + 1, n--);
	guest->cycles[n] = shown;
	guest->cycles[n + 1] = '\0';
}

/* Adds a guest as it is known after the cycle, unless it has answered each of the last cycles. */
static void keep_guest(struct answers *answers, const struct answers *before,
		       const struct guest *guest, const struct cycle_guest *shown)
{
	const struct guest_answers *known = find_guest(before, guest);
	struct guest_answers kept = {
		.id = domain_id_of(guest),
		.feature = guest->feature_suspend,
	};
	char answer = judge(shown);

	if (known)
		kept = *known;
	if (answer)
		add_cycle(&kept, answer);
	if (strchr(kept.cycles, NO_ANSWER))
		add_guest(answers, &kept);
}

void answers_update(const struct roots *roots, const struct plan *plan, const struct cycle *cycle)
{
	struct answers before = answers_load(roots), after = { 0 };

	assert(plan && cycle);
	for (size_t i = 0; i < plan->n_steps && i < cycle->n_guests; i++)
		keep_guest(&after, &before, &plan->inventory.guests[plan->steps[i].guest],
			   &cycle->guests[i]);
	if (before.n_guests > 0 || after.n_guests > 0)
		save(roots, &after);
	answers_done(&before);
	answers_done(&after);
}
