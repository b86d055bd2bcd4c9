/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/domain-id.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

struct domain_id domain_id_make(uint32_t domid, const uint8_t *uuid)
{
	struct domain_id id = { .domid = domid };

	memcpy(id.uuid, uuid, sizeof(id.uuid));
	return id;
}

bool domain_id_equal(const struct domain_id *a, const struct domain_id *b)
{
	return a->domid == b->domid && memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0;
}

/* Whether a dash precedes the byte of this index (RFC 4122). */
static bool dash_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

char *guest_uuid_format(const uint8_t *uuid, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	char *end = ret;

	for (size_t i = 0; i < GUEST_UUID_SIZE; i++) {
		if (dash_before(i))
			*end++ = '-';
		*end++ = digits[uuid[i] >> 4];
		*end++ = digits[uuid[i] & 15];
	}
	*end = '\0';
	return ret;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -EINVAL;
}

int guest_uuid_parse(const char *text, uint8_t *ret)
{
	uint8_t uuid[GUEST_UUID_SIZE];

	assert(text && ret);
	for (size_t i = 0; i < GUEST_UUID_SIZE; i++) {
		int high, low;

		if (dash_before(i) && *text++ != '-')
			return -EINVAL;
		high = hex_digit(text[0]);
		low = high < 0 ? high : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		uuid[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text != '\0')
		return -EINVAL;
	memcpy(ret, uuid, sizeof(uuid));
	return 0;
}
