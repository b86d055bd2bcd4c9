/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_CONFIG_FILE_H
#define PMCOORD_RECORD_CONFIG_FILE_H

/* Reads /etc/pmcoord/pmcoord.conf and pmcoord.conf.d. */

#include "model/config.h"
#include "pmcoord/error.h"

#define CONFIG_DEFAULT_PATH PMCOORD_SYSCONFDIR "/pmcoord/pmcoord.conf"

/* Called with each warning: one sentence, without a newline. */
typedef void (*config_warning_fn)(void *data, const char *warning);

/*
 * Reads `path` and then its drop-ins: the *.conf files in `path`.d, in the
 * order of their names. Each file replaces the values in `config` that it sets.
 * A missing file is no error. Unknown keys and sections are passed to `warn`. A
 * drop-in with an error is skipped as a whole, and its errors are passed to
 * `warn`. Returns 0; -EBADMSG with all errors of the file `path` in `error`,
 * one per line ("file:line: key: problem"); or another negative errno with
 * `error` set.
 */
int config_load(struct config *config, const char *path, config_warning_fn warn, void *data,
		struct error *error);

#endif
