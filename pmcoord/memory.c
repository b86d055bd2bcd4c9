/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/memory.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>

int memory_lock(struct error *error)
{
	/* One heap: arenas per thread would be locked too. */
	mallopt(M_ARENA_MAX, 1);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		return error_set(error, -errno, "cannot lock memory: %s",
				 strerror(errno));
	return 0;
}
