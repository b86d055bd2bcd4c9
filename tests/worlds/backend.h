/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_BACKEND_H
#define TESTS_WORLDS_BACKEND_H

/*
 * Where worlds happen. A back end makes a host of a world and does its steps. The
 * generator, the laws and the shrinking know only this table.
 */

#include <stdbool.h>

#include "tests/worlds/history.h"
#include "tests/worlds/world.h"

struct backend {
	const char *name;
	const char *kept; /* directory of its kept worlds */
	bool is_random; /* the same world may happen in another way the next time */
	/* Makes the world of a seed: one that can happen here. */
	void (*generate)(uint64_t seed, struct world *ret_world);
	/* Sets up what all worlds use. Returns 0, or -1 with a message on stderr. */
	int (*open)(void);
	void (*close)(void);
	/*
	 * Lets a world happen from its beginning. Returns 0 with *ret_history set
	 * (release: history_done), or -1 with a message on stderr if that was not
	 * possible; pmcoord is not to blame then. `world` is borrowed by *ret_history.
	 */
	int (*run)(const struct world *world, struct history *ret_history);
};

/* The simulator, and each command by calling pmcoord's main in this process. */
extern const struct backend backend_calls;
/* The simulator, and each command as a process of its own. */
extern const struct backend backend_processes;
/*
 * The same, but STEP_KILL kills the process at a moment of real time: `number` times
 * 100 µs after its start. So a world is not the same each time.
 */
extern const struct backend backend_random_kills;

/*
 * The double of Xen, and each command by calling pmcoord's main, with its real xen/ folder, in
 * this process. STEP_KILL kills it within the `number`-th call of Xen's libraries.
 */
extern const struct backend backend_double;

#endif
