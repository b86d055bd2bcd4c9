/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/segments.h"

#include <assert.h>
#include <link.h>

struct visit {
	segment_fn handle;
	void *data;
};

static int visit_object(struct dl_phdr_info *info, size_t size, void *data)
{
	const struct visit *visit = data;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		struct segment segment = {
			.path = info->dlpi_name,
			.start = info->dlpi_addr + header->p_vaddr,
			.length = header->p_memsz,
			.is_readable = header->p_flags & PF_R,
			.is_writable = header->p_flags & PF_W,
		};

		if (header->p_type == PT_LOAD)
			visit->handle(visit->data, &segment);
	}
	return 0;
}

void segments_each(segment_fn handle, void *data)
{
	struct visit visit = { .handle = handle, .data = data };

	assert(handle);
	dl_iterate_phdr(visit_object, &visit);
}
