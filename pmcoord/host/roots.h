/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_ROOTS_H
#define PMCOORD_HOST_ROOTS_H

/* Root directories, which tests and simulations replace. */

struct roots {
	char *run; /* /run/pmcoord: lock, journals, ports */
	char *journals; /* /run/pmcoord/cycles */
	char *reports; /* /var/lib/pmcoord/reports */
	char *sys; /* /sys */
	char *dev; /* /dev */
};

/* The directories of this host. Returns 0 or -ENOMEM. Release: roots_done. */
int roots_init_host(struct roots *ret_roots);

/*
 * For a simulation: all directories are below `directory`, so that no file of
 * the host is read or written. Returns 0 or -ENOMEM. Release: roots_done.
 */
int roots_init_simulation(const char *directory, struct roots *ret_roots);

void roots_done(struct roots *roots);

#endif
