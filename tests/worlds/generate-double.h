/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_GENERATE_DOUBLE_H
#define TESTS_WORLDS_GENERATE_DOUBLE_H

#include <stdint.h>

#include "tests/worlds/world.h"

/*
 * Makes the world of a seed for the double of Xen (double-host.h). Its configuration and its
 * user are those of world_generate; guests and what others do to them are the double's.
 */
void world_generate_double(uint64_t seed, struct world *ret_world);

#endif
