/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ERROR_H
#define PMCOORD_ERROR_H

#include "pmcoord/cleanup.h"

/* Room for a sentence with the names of several guests, and its NUL. */
#define ERROR_TEXT_MAX 2048

/* What an error means to the user, as far as its module documents that. */
enum error_outcome {
	OUTCOME_UNEXPECTED, /* not documented: only a number and a text */
	OUTCOME_USAGE, /* the request or the configuration is wrong */
	OUTCOME_NOT_FOUND, /* what the request names does not exist */
	OUTCOME_UNSUPPORTED, /* this host cannot do it */
	OUTCOME_NOT_PERMITTED, /* this user may not do it */
	OUTCOME_BUSY, /* another cycle is running */
	OUTCOME_UNRECOVERABLE, /* something cannot be undone */
};

/*
 * An error message for people: one sentence that says what failed, on what,
 * after how long, and what to do next. Modules fill it in, and only the
 * program's top level prints it, so that each error is printed once.
 *
 * `number` is the negative errno that the function returns as well. The text is
 * bounded, because it may contain strings that a guest controls.
 */
struct error {
	int number;
	enum error_outcome outcome;
	char text[ERROR_TEXT_MAX];
};

/*
 * Fills `error` with a formatted sentence (NULL: no-op) and returns `number`, so
 * that callers can `return error_set(error, -EIO, "…")`. An error that is already
 * set is kept: the first cause is the one to report.
 */
int error_set(struct error *error, int number, const char *format, ...) _printf_(3, 4);

/* As error_set, but replaces an error that is set: for callers with more context. */
int error_replace(struct error *error, int number, const char *format, ...) _printf_(3, 4);

/*
 * As error_set, for a documented outcome; returns the errno that stands for it:
 * -EINVAL, -ENOENT, -EOPNOTSUPP, -EPERM, -EBUSY or -ENOTRECOVERABLE.
 */
int error_refuse(struct error *error, enum error_outcome outcome, const char *format, ...)
	_printf_(3, 4);

/*
 * Sets the outcome of an error with this number that has none yet. NULL: no-op.
 * For modules that document what the number means there.
 */
void error_mark(struct error *error, int number, enum error_outcome outcome);

/* The sentence, or strerror() of the number if there is none; borrowed. */
const char *error_text(const struct error *error);

#endif
