/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/memory.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/segments.h"

/*
 * What nothing calls while guests are down. libsystemd before version 256 loads
 * most of them to read journals, which we do not; tables are printed when all
 * are back. Together they are larger than all the rest.
 */
static const char *const never_called[] = {
	"libgcrypt.so", "libgpg-error.so", "liblz4.so",
	"liblzma.so",	"libzstd.so",	   "libsmartcols.so",
};

static bool is_called(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < ELEMENTSOF(never_called); i++)
		if (strncmp(name, never_called[i], strlen(never_called[i])) == 0)
			return false;
	return true;
}

/*
 * What can be read again from the file is given back; what was written to stays
 * locked. A failure costs memory only.
 */
static void give_back(void *data, const struct segment *segment)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = segment->start & ~(page - 1);
	uintptr_t end = (segment->start + segment->length + page - 1) & ~(page - 1);

	(void)data;
	if (is_called(segment->library) || segment->is_writable)
		return;
	if (munlock((void *)begin, end - begin) == 0)
		madvise((void *)begin, end - begin, MADV_DONTNEED);
}

int memory_lock(struct error *error)
{
	int r;

	/* One heap: arenas per thread would be locked too. */
	mallopt(M_ARENA_MAX, 1);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
		r = error_set(error, -errno, "cannot lock memory: %s", strerror(errno));
		error_mark(error, -EPERM, OUTCOME_NOT_PERMITTED);
		return r;
	}
	segments_each(give_back, NULL);
	return 0;
}
