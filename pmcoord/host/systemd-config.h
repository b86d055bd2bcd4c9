/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SYSTEMD_CONFIG_H
#define PMCOORD_HOST_SYSTEMD_CONFIG_H

/* Reads NAME.conf of systemd and its drop-ins, as systemd's programs do. */

/* Receives a key of the wanted section, and the path of its file. Later values count more. */
typedef void (*systemd_config_fn)(void *data, const char *path, const char *key, const char *value);

/*
 * Reads, below the directory `root` ("" is the host's own), the file `name`, such as "sleep.conf",
 * of the directory of highest precedence, and then the drop-ins of all directories in the order of
 * their names. A drop-in replaces one of the same name in a directory of lower precedence, so that
 * a link to /dev/null masks it. Calls `handle` for each key of `section`. Ignores problems of the
 * files, because systemd itself reports them. Returns 0 or -ENOMEM.
 */
int systemd_config_read(const char *root, const char *name, const char *section,
			systemd_config_fn handle, void *data);

#endif
