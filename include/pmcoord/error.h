/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ERROR_H
#define PMCOORD_ERROR_H

#include "pmcoord/cleanup.h"

/* Room for a sentence with several guests' names, and its NUL. */
#define ERROR_TEXT_MAX 2048

/* What an error means to the user, as far as its module documents that. */
enum error_outcome {
	OUTCOME_UNEXPECTED, /* nothing is documented: the number and the text */
	OUTCOME_USAGE, /* the request or the configuration is wrong */
	OUTCOME_NOT_FOUND, /* what the request names does not exist */
	OUTCOME_UNSUPPORTED, /* this host cannot do it */
	OUTCOME_NOT_PERMITTED, /* this user may not do it */
	OUTCOME_BUSY, /* another cycle is running */
	OUTCOME_UNRECOVERABLE, /* something cannot be undone */
};

/*
 * What a person is told when something went wrong: one sentence with who,
 * what, after how long, and what to do next. Libraries fill it, and only the
 * program's top level prints it, so that everything is said once.
 *
 * The number is a negative errno and is what functions return beside it. It
 * comes from wherever it may, so nothing is concluded from it: what an error
 * means is its outcome. The text is bounded: guest-controlled strings end up
 * here.
 */
struct error {
	int number;
	enum error_outcome outcome;
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

/*
 * As error_set, for a documented outcome; returns the errno that stands for it:
 * -EINVAL, -ENOENT, -EOPNOTSUPP, -EPERM, -EBUSY or -ENOTRECOVERABLE.
 */
int error_refuse(struct error *error, enum error_outcome outcome, const char *format, ...)
	_printf_(3, 4);

/*
 * Documents what this number means where an error comes from: one that has it,
 * and no outcome yet, gets the outcome. NULL is allowed.
 */
void error_mark(struct error *error, int number, enum error_outcome outcome);

/* The sentence, or strerror() of the number where nothing was said. */
const char *error_text(const struct error *error);

#endif
