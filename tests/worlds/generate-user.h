/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_GENERATE_USER_H
#define TESTS_WORLDS_GENERATE_USER_H

/* The user's part of a random world: the configuration, and the steps. */

#include "tests/worlds/dice.h"
#include "tests/worlds/world.h"

/* Appends lines of pmcoord.conf. The guests must be there already. */
void draw_config(struct dice *dice, struct world *world);

/*
 * Appends what the user does. Every world ends in the same way: time passes, and the
 * user resumes all guests, twice.
 */
void draw_steps(struct dice *dice, struct world *world);

#endif
