/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/rfkill.h"

#include <assert.h>
#include <string.h>

#include "guest/class.h"

struct radio_walk {
	const struct roots *roots;
	struct rfkill_state *save;
	const struct rfkill_state *restore;
	int (*write)(const char *path, const char *text);
};

static int save_radio(void *data, const char *name)
{
	struct radio_walk *walk = data;
	struct rfkill_state *state = walk->save;
	size_t n = state->n_radios;

	if (n < RFKILL_MAX &&
	    file_read(state->radios[n].type, sizeof(state->radios[n].type),
		      "%s/class/rfkill/%s/type", walk->roots->sys, name) > 0 &&
	    file_read(state->radios[n].soft, sizeof(state->radios[n].soft),
		      "%s/class/rfkill/%s/soft", walk->roots->sys, name) > 0)
		state->n_radios++;
	return 0;
}

static int restore_radio(void *data, const char *name)
{
	struct radio_walk *walk = data;
	const struct rfkill_state *state = walk->restore;
	char type[16], path[FILE_PATH_MAX];

	if (file_read(type, sizeof(type), "%s/class/rfkill/%s/type", walk->roots->sys, name) <= 0 ||
	    file_path(path, "%s/class/rfkill/%s/soft", walk->roots->sys, name) < 0)
		return 0;
	for (size_t i = 0; i < state->n_radios; i++)
		if (strcmp(state->radios[i].type, type) == 0)
			(void)walk->write(path, state->radios[i].soft);
	return 0;
}

void rfkill_save(const struct roots *roots, const char *address, struct rfkill_state *ret)
{
	struct radio_walk walk = { .roots = roots, .save = ret };

	assert(roots && address && ret);
	ret->n_radios = 0;
	(void)class_each(roots, "rfkill", address, save_radio, &walk);
}

void rfkill_restore(const struct roots *roots, const char *address,
		    const struct rfkill_state *state,
		    int (*write)(const char *path, const char *text))
{
	struct radio_walk walk = { .roots = roots, .restore = state, .write = write };

	assert(state->n_radios <= RFKILL_MAX);
	assert(write);
	if (state->n_radios > 0)
		(void)class_each(roots, "rfkill", address, restore_radio, &walk);
}
