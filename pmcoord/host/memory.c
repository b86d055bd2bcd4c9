/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/memory.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"

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
static int give_back(struct dl_phdr_info *info, size_t size, void *data)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)data;
	if (is_called(info->dlpi_name))
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
		uintptr_t end = begin + segment->p_memsz;

		if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
			continue;
		begin &= ~(page - 1);
		end = (end + page - 1) & ~(page - 1);
		if (munlock((void *)begin, end - begin) == 0)
			madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
	return 0;
}

int memory_lock(struct error *error)
{
	/* One heap: arenas per thread would be locked too. */
	mallopt(M_ARENA_MAX, 1);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		return error_set(error, -errno, "cannot lock memory: %s", strerror(errno));
	dl_iterate_phdr(give_back, NULL);
	return 0;
}
