/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_SELECTION_H
#define PMCOORD_MODEL_SELECTION_H

/* Looks up the guests that a command names. */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "model/inventory.h"

/*
 * Finds guests; each of `names` is a name or a domid. Sets *ret_selected to an array of
 * one bool per guest of the inventory, which the caller frees. Returns 0, -ENOENT if one
 * of `names` matches no guest, or -ENOMEM. On failure sets `error` and leaves
 * *ret_selected untouched.
 */
int selection_make(const struct inventory *inventory, char **names, size_t n_names,
		   bool **ret_selected, struct error *error);

#endif
