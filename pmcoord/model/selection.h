/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_SELECTION_H
#define PMCOORD_MODEL_SELECTION_H

/* Looks up the guests that a command names. */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "model/inventory.h"

/*
 * Finds guests by name or domid. *ret_selected is an array of one bool per
 * guest of the inventory, freed by the caller; untouched if one name is unknown.
 * Returns 0, or -ENOENT or -ENOMEM with `error` set.
 */
int selection_make(const struct inventory *inventory, char **names, size_t n_names,
		   bool **ret_selected, struct error *error);

#endif
