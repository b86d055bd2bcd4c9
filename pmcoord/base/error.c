/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void error_format(struct error *error, int number, const char *format, va_list arguments)
{
	error->number = number;
	vsnprintf(error->text, sizeof(error->text), format, arguments);
}

int error_set(struct error *error, int number, const char *format, ...)
{
	va_list arguments;

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

	if (!error)
		return number;
	va_start(arguments, format);
	error_format(error, number, format, arguments);
	va_end(arguments);
	return number;
}

const char *error_text(const struct error *error)
{
	return error->text[0] ? error->text : strerror(-error->number);
}
