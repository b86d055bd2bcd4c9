/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void error_format(struct error *error, int number, const char *format, va_list arguments)
{
	error->number = number;
	error->outcome = OUTCOME_UNEXPECTED;
	vsnprintf(error->text, sizeof(error->text), format, arguments);
}

/*
 * Returns a negative `number` unchanged and -EIO otherwise, because a library
 * function may fail without setting errno.
 */
static int as_error(int number)
{
	return number < 0 ? number : -EIO;
}

int error_set(struct error *error, int number, const char *format, ...)
{
	va_list arguments;

	number = as_error(number);
	if (!error || error->number)
		return number;
	va_start(arguments, format);
	error_format(error, number, format, arguments);
	va_end(arguments);
	return number;
}

int error_replace(struct error *error, int number, const char *format, ...)
{
	va_list arguments;

	number = as_error(number);
	if (!error)
		return number;
	va_start(arguments, format);
	error_format(error, number, format, arguments);
	va_end(arguments);
	return number;
}

static int number_of(enum error_outcome outcome)
{
	switch (outcome) {
	case OUTCOME_UNEXPECTED:
		break;
	case OUTCOME_USAGE:
		return -EINVAL;
	case OUTCOME_NOT_FOUND:
		return -ENOENT;
	case OUTCOME_UNSUPPORTED:
		return -EOPNOTSUPP;
	case OUTCOME_NOT_PERMITTED:
		return -EPERM;
	case OUTCOME_BUSY:
		return -EBUSY;
	case OUTCOME_UNRECOVERABLE:
		return -ENOTRECOVERABLE;
	}
	assert(false);
	return -EIO;
}

int error_refuse(struct error *error, enum error_outcome outcome, const char *format, ...)
{
	int number = number_of(outcome);
	va_list arguments;

	if (!error || error->number)
		return number;
	va_start(arguments, format);
	error_format(error, number, format, arguments);
	va_end(arguments);
	error->outcome = outcome;
	return number;
}

void error_mark(struct error *error, int number, enum error_outcome outcome)
{
	if (error && error->number == number && error->outcome == OUTCOME_UNEXPECTED)
		error->outcome = outcome;
}

const char *error_text(const struct error *error)
{
	assert(error);
	return error->text[0] ? error->text : strerror(-error->number);
}
