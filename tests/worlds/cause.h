/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_CAUSE_H
#define TESTS_WORLDS_CAUSE_H

/*
 * The cause of a complaint: words about the world that hold when it was made. A known
 * violation is recognised by them: it needs all words that its shrunk world has.
 */

#include <stdbool.h>
#include <stddef.h>

#include "tests/worlds/history.h"

/*
 * Writes the words for a step and a guest (-1: none), separated by spaces:
 *
 *	suspends, resumes or looks: what the command does
 *	after=suspend-all, killed, damage=reports-unwritable: earlier steps
 *	g:State=booting	settings of the guest; o: of other guests; h: of the host.
 *			Times have no value; g:late is a guest that takes more than 25 s,
 *			g:leaving, g:saved and g:unresumable stand for several settings.
 *	c:Policy	keys of pmcoord.conf; c:bad: a bad line; c:nonexistent: no file
 */
void cause_describe(const struct history *history, size_t step, int guest, char *ret, size_t size);

/*
 * Reduces the words of a shrunk world to those that tell its fault from others, in
 * place: what the command does, and what is wrong with the files or the configuration,
 * else with the guest, together with all that the guest is, else with the rest of the world.
 */
void cause_shorten(char *cause);

/*
 * Takes out of a world what these words stand for, in a complaint about the step and the guest.
 * What the command does is no part of the world that could be taken out.
 */
void cause_remove(struct world *world, size_t step, int guest, const char *wanted);

/* Whether `cause` has all words of `wanted`. */
bool cause_has_all(const char *cause, const char *wanted);

#endif
