/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_CYCLE_ID_H
#define PMCOORD_RECORD_CYCLE_ID_H

/* The number of a cycle, which never comes twice. */

#include <stdint.h>

#include "model/inventory.h"
#include "host/roots.h"

/*
 * Above all that is known to have been used; where reports and /run are lost,
 * what dom0 has once told the agents still stands in xenstore.
 */
uint64_t cycle_id_next(const struct roots *roots, const struct inventory *inventory);

/* Notes on /run that the number is used. Returns 0 or a negative errno. */
int cycle_id_store(const struct roots *roots, uint64_t number);

#endif
