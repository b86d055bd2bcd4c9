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
 * Libraries that are not used while guests are suspended. Together they are larger
 * than all other memory of the process. libsmartcols prints tables. libsystemd
 * before version 256 links the others for its journal reader, which pmcoord does
 * not use.
 */
static const char *const unused[] = {
	"libgcrypt.so", "libgpg-error.so", "liblz4.so",
	"liblzma.so",	"libzstd.so",	   "libsmartcols.so",
};

static bool is_used(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < ELEMENTSOF(unused); i++)
		if (strncmp(name, unused[i], strlen(unused[i])) == 0)
			return false;
	return true;
}

/*
 * Releases the read-only pages of an unused library. If a page is used after all, the
 * kernel reads it from the file again. A failure costs only memory.
 */
static void release_if_unused(void *data, const struct segment *segment)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = segment->start & ~(page - 1);
	uintptr_t end = (segment->start + segment->length + page - 1) & ~(page - 1);

	(void)data;
	if (is_used(segment->path) || segment->is_writable)
		return;
	if (munlock((void *)begin, end - begin) == 0)
		madvise((void *)begin, end - begin, MADV_DONTNEED);
}

int memory_lock(struct error *error)
{
	int r;

	/* Allow only one arena, because the arenas of other threads would be locked, too. */
	mallopt(M_ARENA_MAX, 1);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
		r = error_set(error, -errno, "cannot lock pmcoord's memory: %s", strerror(errno));
		error_mark(error, -EPERM, OUTCOME_NOT_PERMITTED);
		return r;
	}
	segments_each(release_if_unused, NULL);
	return 0;
}
