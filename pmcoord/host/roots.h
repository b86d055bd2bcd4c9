/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_ROOTS_H
#define PMCOORD_HOST_ROOTS_H

/*
 * The directories that pmcoord reads and writes. The comments in struct roots name the
 * directories of a real host. Tests and simulations use other directories.
 */

struct roots {
	char *run; /* /run/pmcoord: the lock, journals, ports of event channels */
	char *journals; /* /run/pmcoord/cycles */
	char *reports; /* /var/lib/pmcoord/reports */
	char *unsaved_reports; /* /run/pmcoord/reports: those that could not be written there */
	char *sys; /* /sys */
	char *dev; /* /dev */
	char *systemd; /* "": below it are etc/systemd, run/systemd and usr/lib/systemd */
};

/* Sets the directories of this host. Returns 0 or -ENOMEM. Release: roots_done. */
int roots_init_host(struct roots *ret_roots);

/*
 * Sets the directories of a simulation: `directory` and directories below it, so that no
 * file of the host is read or written. Returns 0 or -ENOMEM. Release: roots_done.
 */
int roots_init_simulation(const char *directory, struct roots *ret_roots);

/* Frees the contents of `roots`, which may be NULL. */
void roots_done(struct roots *roots);

#endif
