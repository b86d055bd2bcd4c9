/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_CONFIG_FILE_H
#define PMCOORD_RECORD_CONFIG_FILE_H

/* Reads /etc/pmcoord/pmcoord.conf and pmcoord.conf.d. */

#include "model/config.h"
#include "pmcoord/error.h"

#define CONFIG_DEFAULT_PATH PMCOORD_SYSCONFDIR "/pmcoord/pmcoord.conf"

typedef void (*config_warning_fn)(void *data, const char *warning);

/*
 * Reads `path`, and then the *.conf files of `path`.d in the order of their
 * names, over what `config` holds. A file that is not there is no error.
 * Unknown keys go to `warn`. Returns 0, or -EBADMSG with all problems of the
 * main file in `error` ("file:line: key: problem", a line each), or another
 * negative errno. A broken drop-in is skipped as a whole and goes to `warn`.
 */
int config_load(struct config *config, const char *path, config_warning_fn warn, void *data,
		struct error *error);

#endif
