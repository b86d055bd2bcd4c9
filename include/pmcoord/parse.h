/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_PARSE_H
#define PMCOORD_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Strict parsers for text that comes from users or guests: the whole string must
 * match. They return 0, -EINVAL for bad text, or -ERANGE for a number that does not
 * fit, and set the result only if they return 0.
 */

/* Parses a number from 0 to `max`, in decimal digits only. */
int parse_u64(const char *text, uint64_t max, uint64_t *ret_value);

/*
 * Parses a time span: a decimal number and a unit (us, ms, s, min, m or h), e.g. "500ms"
 * or "2 min". A number without a unit is in seconds, as in systemd. Fractions are
 * rejected.
 */
int parse_duration(const char *text, uint64_t *ret_us);

/* Parses yes/no, true/false, on/off or 1/0 in upper or lower case, as systemd does. */
int parse_boolean(const char *text, bool *ret_value);

/*
 * Copies `length` bytes of `text` to `ret`, which has `size` bytes, and adds a NUL.
 * A text that does not fit is truncated. Control characters, and bytes that are not
 * part of valid UTF-8, become '?'. Text from a guest needs this, because it is
 * printed on terminals and written to logs and JSON.
 */
void text_sanitize(const char *text, size_t length, char *ret, size_t size);

#endif
