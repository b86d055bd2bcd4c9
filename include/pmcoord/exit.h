/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_EXIT_H
#define PMCOORD_EXIT_H

/* The exit codes of both programs, as pmcoord(8) documents them. */
enum exit_code {
	EXIT_AS_PLANNED = 0,
	EXIT_ROLLED_BACK = 1, /* failed, and undone */
	EXIT_USAGE = 2,
	EXIT_DEGRADED = 3,
	EXIT_UNSUPPORTED = 4, /* no Xen, not dom0, no privilege */
	EXIT_BUSY = 5, /* another cycle is running */
	EXIT_STRANDED = 6, /* failed, and something could not be undone */
};

#endif
