/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl-each: suspends domains in memory and resumes them as a toolstack does it, by libxl, one after another.
 *
 * Usage: libxl-each DOMID...
 * Prints {"suspend_us": U, "resume_us": U}: all calls together, without setting up the library.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <libxl.h>
#include <xentoollog.h>

#include "clock.h"

static void must(int r, const char *what, uint32_t domid) {
	if (r == 0)
		return;
	fprintf(stderr, "libxl-each: %s of domain %u failed: %d\n", what, domid, r);
	exit(1);
}

int main(int argc, char **argv) {
	xentoollog_logger *log = (xentoollog_logger *) xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
	uint64_t start, down, back;
	libxl_ctx *libxl;

	must(libxl_ctx_alloc(&libxl, LIBXL_VERSION, 0, log), "opening libxl instead", 0);
	start = now_us();
	for (int i = 1; i < argc; i++) {
		uint32_t domid = (uint32_t) strtoul(argv[i], NULL, 10);

		must(libxl_domain_suspend_only(libxl, domid, NULL), "suspend", domid);
	}
	down = now_us();
	for (int i = argc - 1; i > 0; i--) {
		uint32_t domid = (uint32_t) strtoul(argv[i], NULL, 10);

		/* 1: the guest's hypercall is cancelled, as pmcoord does it; 0 would break its devices. */
		must(libxl_domain_resume(libxl, domid, 1, NULL), "resume", domid);
	}
	back = now_us();
	printf("{\"suspend_us\": %llu, \"resume_us\": %llu}\n", (unsigned long long) (down - start),
	       (unsigned long long) (back - down));
	return 0;
}
