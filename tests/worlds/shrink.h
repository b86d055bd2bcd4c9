/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_SHRINK_H
#define TESTS_WORLDS_SHRINK_H

/* Reduces a world to what a complaint needs. */

#include <stdbool.h>

#include "tests/worlds/world.h"

/* Whether the world still has the complaint that is looked for. */
typedef bool (*still_fails_fn)(const struct world *world, void *data);

/*
 * Removes steps, guests, settings, lines of the configuration and words of commands as
 * long as `still_fails` holds, until nothing more can be removed.
 */
void world_shrink(struct world *world, still_fails_fn still_fails, void *data);

#endif
