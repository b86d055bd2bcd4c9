/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_PARSE_H
#define PMCOORD_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Strict parsers for text that comes from users or guests: the whole string
 * must match, nothing is skipped, and `ret_*` is untouched unless 0 is
 * returned. All return -EINVAL for bad text and -ERANGE for numbers that do
 * not fit.
 */

/* Decimal digits only, at most `max`. */
int parse_u64(const char *text, uint64_t max, uint64_t *ret_value);

/*
 * A time span: a decimal number and one of us, ms, s, min, h ("500ms", "30s",
 * "2min"); a bare number is seconds, as in systemd. Fractions are rejected.
 */
int parse_duration(const char *text, uint64_t *ret_us);

/* yes/no, true/false, on/off, 1/0, as in systemd. */
int parse_boolean(const char *text, bool *ret_value);

/*
 * Copies at most `size` - 1 bytes of `text` to `ret`, with every byte that is
 * not printable ASCII or part of valid UTF-8 replaced by '?': text from a guest
 * is printed on terminals and written to logs and JSON.
 */
void text_sanitize(const char *text, size_t length, char *ret, size_t size);

#endif
