/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ERROR_H
#define PMCOORD_ERROR_H

#include "pmcoord/cleanup.h"

/* Room for a sentence with several guests' names, and its NUL. */
#define ERROR_TEXT_MAX 2048

/*
 * What a person is told when something went wrong: one sentence with who,
 * what, after how long, and what to do next. Libraries fill it, and only the
 * program's top level prints it, so that everything is said once.
 *
 * The number is a negative errno (unexpected, forwarded) and is what functions
 * return beside it. The text is bounded: guest-controlled strings end up here.
 */
struct error {
	int number;
	char text[ERROR_TEXT_MAX];
};

/*
 * Fills `error` (NULL: nobody listens) with a formatted sentence and returns
 * `number`, so that callers can `return error_set(error, -EIO, "…")`. The first
 * cause wins: an error that is already set is kept.
 */
int error_set(struct error *error, int number, const char *format, ...) _printf_(3, 4);

/* As error_set, replacing what stands: for a caller that can say it better. */
int error_replace(struct error *error, int number, const char *format, ...) _printf_(3, 4);

/* The sentence, or strerror() of the number where nothing was said. */
const char *error_text(const struct error *error);

#endif
