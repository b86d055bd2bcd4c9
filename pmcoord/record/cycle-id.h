/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_CYCLE_ID_H
#define PMCOORD_RECORD_CYCLE_ID_H

/* The number of a cycle. No number is used twice. */

#include <stdint.h>

#include "model/inventory.h"
#include "host/roots.h"

/*
 * Returns the number of the next cycle. This number is greater than the last
 * number on /run and the numbers of all reports, and at least the number in each
 * request to an agent. The requests count because they are in xenstore, which
 * remains when the reports and /run are lost.
 */
uint64_t cycle_id_next(const struct roots *roots, const struct inventory *inventory);

/*
 * Stores `number` on /run as the number of the last cycle. Returns 0 or a
 * negative errno.
 */
int cycle_id_store(const struct roots *roots, uint64_t number);

#endif
