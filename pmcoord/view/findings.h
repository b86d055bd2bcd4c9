/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_FINDINGS_H
#define PMCOORD_VIEW_FINDINGS_H

/* What a preflight has found, and how it is told. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "pmcoord/cleanup.h"

enum finding_level {
	FINDING_ERROR, /* the host will not sleep, or not all come back */
	FINDING_WARNING, /* it works, and something may be lost by it */
	FINDING_INFO, /* good to know */
};

struct finding {
	enum finding_level level;
	char *subject; /* a guest, a unit, a file */
	char *message; /* what is so, and what that means */
	char *advice; /* what to do; "" where nothing need be done */
};

struct findings {
	struct finding *list;
	size_t n;
	bool out_of_memory; /* something is missing */
};

void findings_done(struct findings *findings);

/* Adds a finding (all copied); the message is formatted. */
void findings_add(struct findings *findings, enum finding_level level, const char *subject,
		  const char *advice, const char *format, ...) _printf_(5, 6);

/* Whether there is no error among them. */
bool findings_are_ok(const struct findings *findings);

/*
 * Prints them, the worst first: as one JSON object, or for people, where what
 * is only good to know can be left out. Returns 0 or a negative errno.
 */
int findings_print(const struct findings *findings, bool json, bool with_info, FILE *out);

#endif
