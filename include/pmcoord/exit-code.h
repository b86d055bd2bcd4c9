/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_EXIT_CODE_H
#define PMCOORD_EXIT_CODE_H

/* The exit codes of pmcoord(8) and pmcoord-agent(8). */
enum exit_code {
	EXIT_AS_PLANNED = 0,
	EXIT_ROLLED_BACK = 1, /* failed, and everything was undone */
	EXIT_USAGE = 2, /* the command line or the configuration is wrong */
	EXIT_DEGRADED = 3, /* done, but not all of it as planned */
	EXIT_UNSUPPORTED = 4, /* not possible on this machine, or for this user */
	EXIT_BUSY = 5, /* another cycle, job or test is running */
	EXIT_STRANDED = 6, /* something could not be undone */
};

#endif
