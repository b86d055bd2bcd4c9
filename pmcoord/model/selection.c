/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/selection.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

static const struct guest *find_guest(const struct inventory *inventory, const char *name)
{
	const struct guest *guest = inventory_find_name(inventory, name);
	uint64_t domid;

	if (!guest && parse_u64(name, UINT16_MAX, &domid) == 0)
		guest = inventory_find_domid(inventory, (uint32_t)domid);
	return guest;
}

int selection_make(const struct inventory *inventory, char **names, size_t n_names,
		   bool **ret_selected, struct error *error)
{
	_cleanup_(freep) bool *selected = calloc(inventory->n_guests + 1, sizeof(*selected));

	assert((names || n_names == 0) && ret_selected);
	if (!selected)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n_names; i++) {
		const struct guest *guest = find_guest(inventory, names[i]);

		if (!guest)
			return error_refuse(
				error, OUTCOME_NOT_FOUND,
				"no guest has the name or domid '%s': see 'pmcoord list'",
				names[i]);
		selected[guest - inventory->guests] = true;
	}
	*ret_selected = TAKE_PTR(selected);
	return 0;
}
