/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"

static const char *const words[HAPPENS_N_TYPES] = {
	[HAPPENS_REQUESTED] = "requested",
	[HAPPENS_REQUEST_FAILED] = "request-failed",
	[HAPPENS_RETRACTED] = "retracted",
	[HAPPENS_RETRACT_FAILED] = "retract-failed",
	[HAPPENS_PAUSED] = "paused",
	[HAPPENS_PAUSE_FAILED] = "pause-failed",
	[HAPPENS_UNPAUSED] = "unpaused",
	[HAPPENS_UNPAUSE_FAILED] = "unpause-failed",
	[HAPPENS_RESUMED] = "resumed",
	[HAPPENS_RESUME_FAILED] = "resume-failed",
	[HAPPENS_ACKNOWLEDGED] = "acknowledged",
	[HAPPENS_ARMED] = "armed",
	[HAPPENS_QUIESCED] = "quiesced",
	[HAPPENS_SUSPENDED] = "suspended",
	[HAPPENS_DIED] = "died",
	[HAPPENS_REFUSED] = "refused",
	[HAPPENS_RESTORED] = "restored",
	[HAPPENS_BOOTED] = "booted",
	[HAPPENS_SAVED] = "saved",
	[HAPPENS_GONE] = "gone",
	[HAPPENS_REBOOTED] = "rebooted",
	[HAPPENS_APPEARED] = "appeared",
	[HAPPENS_CREATED] = "created",
	[HAPPENS_BUILT] = "built",
	[HAPPENS_USER_PAUSED] = "user-paused",
	[HAPPENS_LEAVES] = "leaves",
	[HAPPENS_SAVE_BEGINS] = "save-begins",
	[HAPPENS_SAVE_ENDS] = "save-ends",
	[HAPPENS_SAVE_BROKEN] = "save-broken",
	[HAPPENS_SLEEP] = "sleep",
	[HAPPENS_WAKE] = "wake",
	[HAPPENS_SLEEP_REFUSED] = "sleep-refused",
};

const char *happening_word(enum happening_type type)
{
	return words[type];
}

void history_done(struct history *history)
{
	for (size_t i = 0; i < history->n_outcomes; i++) {
		free(history->outcomes[i].out);
		free(history->outcomes[i].err);
		free(history->outcomes[i].report);
	}
	free(history->happenings);
	*history = (struct history){ 0 };
}

static int parse_word(const char *word, size_t length)
{
	for (int type = 0; type < HAPPENS_N_TYPES; type++)
		if (strlen(words[type]) == length && strncmp(words[type], word, length) == 0)
			return type;
	return -1;
}

static int parse_line(const struct world *world, const char *line, size_t length,
		      struct happening *ret)
{
	const char *word, *name;
	char *end;
	int type;

	ret->at_us = strtoull(line, &end, 10);
	word = end + 1;
	name = memchr(word, ' ', (size_t)(line + length - word));
	type = name ? parse_word(word, (size_t)(name - word)) : -1;
	if (end == line || type < 0)
		return -1;
	name++;
	ret->type = (enum happening_type)type;
	ret->guest = world_find_guest(world, name, (size_t)(line + length - name));
	return ret->guest >= 0 || *name == '-' ? 0 : -1;
}

int history_add_lines(struct history *history, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		struct happening happening;

		if (parse_line(history->world, text, length, &happening) < 0 ||
		    array_grow(&history->happenings, history->n_happenings, sizeof(happening)) < 0)
			return -1;
		history->happenings[history->n_happenings++] = happening;
		text += length + (text[length] == '\n');
	}
	return 0;
}

static void print_outcome(const struct history *history, const struct outcome *outcome)
{
	for (size_t i = outcome->first; i < outcome->end; i++) {
		const struct happening *happening = &history->happenings[i];
		const char *name = happening->guest < 0
					   ? "the host"
					   : history->world->guests[happening->guest].name;

		printf("    %12.6f  %s %s\n", (double)happening->at_us / 1e6, name,
		       words[happening->type]);
	}
	if (!outcome->out)
		return;
	printf("    exit code %d%s\n", outcome->code, outcome->was_killed ? " (killed)" : "");
	if (outcome->err && outcome->err[0])
		printf("    stderr: %s", outcome->err);
	if (outcome->out[0])
		printf("    stdout: %.2000s\n", outcome->out);
}

void history_print(const struct history *history)
{
	for (size_t i = 0; i < history->n_outcomes; i++) {
		const struct world_step *step = &history->world->steps[i];

		if (step->type == STEP_PASS)
			printf("%zu. pass %" PRIu64 " s\n", i + 1, step->number / 1000000);
		else
			printf("%zu. %s%s\n", i + 1, step->type == STEP_DAMAGE ? "damage " : "",
			       step->text);
		print_outcome(history, &history->outcomes[i]);
	}
}
