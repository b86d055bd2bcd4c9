/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ERROR_H
#define PMCOORD_ERROR_H

#include "pmcoord/cleanup.h"

/*
 * Size of an error's text in bytes, with its NUL: enough for a sentence that names
 * several guests. A longer text is truncated.
 */
#define ERROR_TEXT_MAX 2048

/* What an error means to the user. */
enum error_outcome {
	OUTCOME_UNEXPECTED, /* no documented meaning */
	OUTCOME_USAGE, /* the request or the configuration is wrong */
	OUTCOME_NOT_FOUND, /* what the request names does not exist */
	OUTCOME_UNSUPPORTED, /* this host cannot do what is requested */
	OUTCOME_NOT_PERMITTED, /* this user may not do what is requested */
	OUTCOME_BUSY, /* another cycle is running */
	OUTCOME_UNRECOVERABLE, /* something cannot be undone */
};

/*
 * An error message for people: one sentence that says what failed, on what,
 * after how long, and what to do next. Modules set the message, and only the
 * program's top level prints the message, so that each error is printed once.
 *
 * `number` is the negative errno that the failed function also returns. The text is
 * bounded, because it may contain strings that a guest controls.
 */
struct error {
	int number;
	enum error_outcome outcome;
	char text[ERROR_TEXT_MAX];
};

/*
 * Sets `error` to a formatted sentence. Keeps an error that is already set, because
 * users need the first cause. `error` may be NULL. Returns `number`, so that callers
 * can `return error_set(error, -EIO, "…")`. If `number` is not negative, uses -EIO
 * instead, because some library functions fail without setting errno.
 */
int error_set(struct error *error, int number, const char *format, ...) _printf_(3, 4);

/*
 * As error_set, but overwrites an error that is already set. For callers that can
 * describe the failure better than the function that they called.
 */
int error_replace(struct error *error, int number, const char *format, ...) _printf_(3, 4);

/*
 * As error_set, but also sets the outcome. Returns the number that belongs to the
 * outcome: -EINVAL (usage), -ENOENT (not found), -EOPNOTSUPP (unsupported), -EPERM
 * (not permitted), -EBUSY (busy) or -ENOTRECOVERABLE (unrecoverable). `outcome`
 * must not be OUTCOME_UNEXPECTED.
 */
int error_refuse(struct error *error, enum error_outcome outcome, const char *format, ...)
	_printf_(3, 4);

/*
 * Sets the outcome of `error` if its number is `number` and its outcome is still
 * OUTCOME_UNEXPECTED. `error` may be NULL. For callers that know what this number
 * means.
 */
void error_mark(struct error *error, int number, enum error_outcome outcome);

/* Returns the sentence, or strerror() of the number if there is no sentence; borrowed. */
const char *error_text(const struct error *error);

#endif
