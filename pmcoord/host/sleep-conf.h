/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEP_CONF_H
#define PMCOORD_HOST_SLEEP_CONF_H

/*
 * systemd's sleep.conf. systemd-sleep reads it when it starts, after all guests are suspended, and
 * writes one word after the other to /sys/power/state until the kernel takes one: by default
 * "mem", "standby", "freeze". If the kernel refuses S3, the host would end up in s2idle with its
 * guests suspended, and a laptop would stay hot.
 */

#include <stdbool.h>

#include "pmcoord/error.h"

struct sleep_conf {
	char states[128]; /* SuspendState=, or systemd's default, with single spaces */
	char memory_modes[64]; /* MemorySleepMode= (systemd 256 and later); "": not set */
	char allow_suspend[8]; /* AllowSuspend=; "": not set */
	/* A file that sets one of the first two after the drop-in of sleep_conf_restrict; "": none
	 */
	char late_file[256];
};

/* Reads what systemd-sleep below `root` ("" is this host) would use now. Returns 0 or -ENOMEM. */
int sleep_conf_read(const char *root, struct sleep_conf *ret_conf);

/* Whether systemd-sleep would try S3 ("mem" with the mode "deep"), and nothing else. */
bool sleep_conf_allows_only_s3(const struct sleep_conf *conf);

/*
 * Leaves systemd-sleep nothing but S3, by a drop-in on /run, until sleep_conf_release. Returns 0,
 * or a negative errno with `error` set if systemd-sleep would use more all the same, or if the
 * drop-in cannot be written and is needed.
 */
int sleep_conf_restrict(const char *root, struct error *error);

/* Removes the drop-in, also that of a process that has died. */
void sleep_conf_release(const char *root);

#endif
