/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_CONFIG_FILE_H
#define PMCOORD_RECORD_CONFIG_FILE_H

/* Reads /etc/pmcoord/pmcoord.conf and pmcoord.conf.d. */

#include <stdbool.h>

#include "model/config.h"
#include "pmcoord/error.h"

#define CONFIG_DEFAULT_PATH PMCOORD_SYSCONFDIR "/pmcoord/pmcoord.conf"

/*
 * Called with each warning: one sentence, without a newline. `is_problem`: a value could
 * not be taken, see struct config.problems; otherwise a key or section is unknown.
 */
typedef void (*config_warning_fn)(void *data, bool is_problem, const char *warning);

/*
 * Reads `path` and then its drop-ins: the *.conf files in `path`.d, in the order of their
 * names. Each file replaces the values in `config` that it sets. A value that cannot be
 * taken costs only itself: the value of an earlier file or section applies, or the
 * default. A bad Policy= counts as pause. Each such value, and each file that cannot be
 * read, is passed to `warn` and added to config->problems.
 *
 * `config` is usable in every case. Returns 0, -ENOENT if there is no file `path`,
 * or another negative errno with `error` set if it cannot be read.
 */
int config_load(struct config *config, const char *path, config_warning_fn warn, void *data,
		struct error *error);

#endif
