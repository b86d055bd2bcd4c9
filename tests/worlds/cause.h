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
 *	cmd=resume	the command, with +guests-only or +force
 *	code=1		its exit code
 *	after=suspend-all, killed=suspend-all, damage=reports-file: earlier steps
 *	g:State=booting	settings of the guest; o: of other guests; h: of the host.
 *			Times have no value, but LateTime is >25s or not.
 *	c:Policy	keys of pmcoord.conf, and "bad"
 */
void cause_describe(const struct history *history, size_t step, int guest, char *ret, size_t size);

/* Whether `cause` has all words of `wanted`. */
bool cause_has_all(const char *cause, const char *wanted);

#endif
