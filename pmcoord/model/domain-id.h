/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_DOMAIN_ID_H
#define PMCOORD_MODEL_DOMAIN_ID_H

/* The identity of a domain. */

#include <stdbool.h>
#include <stdint.h>

#define GUEST_UUID_SIZE 16
/* "12345678-1234-1234-1234-123456789abc" and NUL */
#define GUEST_UUID_TEXT_SIZE 37

/*
 * Neither the domid nor the UUID identifies a domain alone: domids are reused, and
 * several domains may have the same UUID.
 */
struct domain_id {
	uint32_t domid;
	uint8_t uuid[GUEST_UUID_SIZE];
};

/* Returns an identity. `uuid` has GUEST_UUID_SIZE bytes. */
struct domain_id domain_id_make(uint32_t domid, const uint8_t *uuid);

bool domain_id_equal(const struct domain_id *a, const struct domain_id *b);

/* Formats a UUID into `ret`, which has GUEST_UUID_TEXT_SIZE bytes. Returns `ret`. */
char *guest_uuid_format(const uint8_t *uuid, char *ret);

/*
 * Parses a UUID in lower-case digits into `ret`, which has GUEST_UUID_SIZE bytes.
 * Returns 0, or -EINVAL with `ret` untouched.
 */
int guest_uuid_parse(const char *text, uint8_t *ret);

#endif
