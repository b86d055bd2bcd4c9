/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_GENERATE_H
#define TESTS_WORLDS_GENERATE_H

/*
 * Makes random worlds. All that a scenario can express is drawn from tables, each with
 * a chance of its own; nothing is drawn because it is known to go wrong.
 */

#include <stddef.h>
#include <stdint.h>

#include "tests/worlds/dice.h"
#include "tests/worlds/world.h"

/* Makes the world of a seed. The same seed makes the same world on every machine. */
void world_generate(uint64_t seed, struct world *ret_world);

/* Draws the number of guests. */
size_t world_draw_size(struct dice *dice);

#endif
