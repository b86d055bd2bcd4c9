/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_FINDINGS_H
#define PMCOORD_VIEW_FINDINGS_H

/* A list of findings of `pmcoord check`, and its output as text or JSON. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "pmcoord/cleanup.h"

enum finding_level {
	FINDING_ERROR, /* the host cannot sleep, or a guest would not resume */
	FINDING_WARNING, /* a cycle works, but something may be lost */
	FINDING_INFO, /* worth knowing, no risk */
};

struct finding {
	enum finding_level level;
	char *subject; /* a guest, a unit, a file */
	char *message; /* what was found, and why it matters */
	char *advice; /* what to do; "": nothing */
};

struct findings {
	struct finding *list;
	size_t n;
	bool out_of_memory; /* a finding is missing from the list */
};

void findings_done(struct findings *findings);

/*
 * Appends a finding with copies of all strings. `format` makes the message. When
 * out of memory, appends nothing and sets out_of_memory.
 */
void findings_add(struct findings *findings, enum finding_level level, const char *subject,
		  const char *advice, const char *format, ...) _printf_(5, 6);

/* Returns false if any finding is an error. */
bool findings_are_ok(const struct findings *findings);

/*
 * Prints the findings, errors first, as text or as one JSON object. The text
 * contains findings of level info only if `with_info` is set; JSON always
 * contains them. Returns 0, -EIO or -ENOMEM; always -ENOMEM if out_of_memory is
 * set.
 */
int findings_print(const struct findings *findings, bool json, bool with_info, FILE *out);

#endif
