/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_EXIT_CODE_H
#define PMCOORD_EXIT_CODE_H

/* The exit codes of both programs, as in pmcoord(8) and pmcoord-agent(8). */
enum exit_code {
	EXIT_AS_PLANNED = 0,
	EXIT_ROLLED_BACK = 1, /* failed: all undone, the host is awake */
	EXIT_USAGE = 2, /* command line or configuration */
	EXIT_DEGRADED = 3,
	EXIT_UNSUPPORTED = 4, /* not possible on this host, or for this user */
	EXIT_BUSY = 5,
	EXIT_STRANDED = 6, /* something could not be undone */
};

#endif
