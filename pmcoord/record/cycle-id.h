/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_CYCLE_ID_H
#define PMCOORD_RECORD_CYCLE_ID_H

/* The number of a cycle. No number is used twice. */

#include <stdint.h>

#include "model/inventory.h"
#include "host/roots.h"

/*
 * Returns the number of the next cycle. It is greater than the numbers of all
 * reports and of the last cycle on /run, and not less than those of the
 * requests to agents in xenstore, which remain when reports and /run are lost.
 */
uint64_t cycle_id_next(const struct roots *roots, const struct inventory *inventory);

/* Stores on /run that the number is used. Returns 0 or a negative errno. */
int cycle_id_store(const struct roots *roots, uint64_t number);

#endif
