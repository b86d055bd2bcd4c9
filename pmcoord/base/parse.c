/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/parse.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "pmcoord/cleanup.h"

/* Reads leading digits. Returns their count, or -ERANGE if the value is greater than `max`. */
static int parse_digits(const char *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	int count = 0;

	for (; text[count] >= '0' && text[count] <= '9'; count++) {
		uint64_t digit = (uint64_t)(text[count] - '0');

		if (digit > max || value > (max - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return count;
}

int parse_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value;
	int count;

	assert(text && ret_value);
	count = parse_digits(text, max, &value);
	if (count < 0)
		return count;
	if (count == 0 || text[count] != '\0')
		return -EINVAL;
	*ret_value = value;
	return 0;
}

int parse_duration(const char *text, uint64_t *ret_us)
{
	static const struct {
		const char *suffix;
		uint64_t us;
	} units[] = {
		{ "us", 1 },	     { "ms", 1000 },	{ "", 1000000 },	{ "s", 1000000 },
		{ "min", 60000000 }, { "m", 60000000 }, { "h", 3600000000ull },
	};
	uint64_t value;
	int count;

	assert(text && ret_us);
	count = parse_digits(text, UINT64_MAX, &value);
	if (count < 0)
		return count;
	if (count == 0)
		return -EINVAL;
	for (text += count; *text == ' '; text++)
		;
	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		if (strcmp(text, units[i].suffix) != 0)
			continue;
		if (value > UINT64_MAX / 4 / units[i].us)
			return -ERANGE;
		*ret_us = value * units[i].us;
		return 0;
	}
	return -EINVAL;
}

int parse_boolean(const char *text, bool *ret_value)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	assert(text && ret_value);
	for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*ret_value = true;
			return 0;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*ret_value = false;
			return 0;
		}
	}
	return -EINVAL;
}

/*
 * Returns the length in bytes of the first UTF-8 character of `text`, a text of
 * `left` bytes. Returns 0 if the character is ASCII, invalid or not printable.
 */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	size_t length;
	uint32_t point;

	if (text[0] >= 0xc2 && text[0] <= 0xdf) {
		length = 2;
		point = text[0] & 0x1f;
	} else if ((text[0] & 0xf0) == 0xe0) {
		length = 3;
		point = text[0] & 0x0f;
	} else if (text[0] >= 0xf0 && text[0] <= 0xf4) {
		length = 4;
		point = text[0] & 0x07;
	} else {
		return 0;
	}
	if (left < length)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (length == 3 && (point < 0x800 || (point & 0xf800) == 0xd800))
		return 0;
	if (length == 4 && (point < 0x10000 || point > 0x10ffff))
		return 0;
	/* C1 control characters are not printable: terminals treat them as escape sequences. */
	if (point < 0xa0)
		return 0;
	return length;
}

void text_sanitize(const char *text, size_t length, char *ret, size_t size)
{
	const unsigned char *from = (const unsigned char *)text;
	size_t in = 0, out = 0;

	assert((text || length == 0) && ret && size > 0);
	while (in < length && out + 1 < size) {
		size_t sequence = 1;

		if (from[in] < 0x20 || from[in] == 0x7f) {
			ret[out++] = '?';
		} else if (from[in] < 0x80) {
			ret[out++] = (char)from[in];
		} else {
			sequence = utf8_length(from + in, length - in);
			if (sequence > 0 && out + sequence >= size)
				break;
			if (sequence > 0) {
				memcpy(ret + out, from + in, sequence);
				out += sequence;
			} else {
				ret[out++] = '?';
				sequence = 1;
			}
		}
		in += sequence;
	}
	ret[out] = '\0';
}
