/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_WORLD_FILE_H
#define TESTS_WORLDS_WORLD_FILE_H

/*
 * A world as a file: a scenario for --hypervisor=sim:FILE, in which comments that
 * begin with "#$" say the rest:
 *
 *	#$ config Deadline=3s		a line of pmcoord.conf
 *	#$ run suspend-all --json	a command
 *	#$ kill 12 resume-all		a command that is killed at its 12th step
 *	#$ pass 20min			time
 *	#$ damage reports-file		a file in a bad state, see damage.h
 */

#include <stdio.h>

#include "tests/worlds/world.h"

/* Prints a world. */
void world_print(const struct world *world, FILE *out);
/* Prints the scenario alone, with `more` lines for [Host]. */
void world_print_scenario(const struct world *world, const char *more, FILE *out);

/* Reads what world_print has written. `name` is for messages. Returns 0 or -1. */
int world_parse(FILE *file, const char *name, struct world *ret_world);

/* Reads a file that world_print has written. Returns 0, or -1 with a message on stderr. */
int world_read(const char *path, struct world *ret_world);

#endif
