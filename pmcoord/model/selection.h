/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_SELECTION_H
#define PMCOORD_MODEL_SELECTION_H

/* The guests that a command names. */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "model/inventory.h"

/*
 * Finds guests by their names or domids. *ret_selected is one bool per guest,
 * the caller's to free. All names are checked before any is used: returns 0, or
 * -ENOENT or -ENOMEM with `error` set.
 */
int selection_make(const struct inventory *inventory, char **names, size_t n_names,
		   bool **ret_selected, struct error *error);

#endif
