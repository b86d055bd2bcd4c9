/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "model/domain-id.h"

static void formats_and_parses_uuids(void **state)
{
	const uint8_t uuid[GUEST_UUID_SIZE] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0,
						0x00, 0x01, 0xff, 0x0a, 0xb0, 0x55, 0x66, 0x77 };
	uint8_t parsed[GUEST_UUID_SIZE];
	char text[GUEST_UUID_TEXT_SIZE];

	(void)state;
	assert_string_equal(guest_uuid_format(uuid, text), "12345678-9abc-def0-0001-ff0ab0556677");
	assert_int_equal(guest_uuid_parse(text, parsed), 0);
	assert_memory_equal(parsed, uuid, sizeof(uuid));
}

static void rejects_malformed_uuids(void **state)
{
	static const char *const cases[] = {
		"",
		"-",
		"12345678-9abc-def0-0001-ff0ab055667",
		"12345678-9abc-def0-0001-ff0ab05566770",
		"12345678-9abc-def0-0001-ff0ab0556677 ",
		"12345678-9ABC-def0-0001-ff0ab0556677",
		"123456789-abc-def0-0001-ff0ab0556677",
		"12345678+9abc-def0-0001-ff0ab0556677",
		"1234567g-9abc-def0-0001-ff0ab0556677",
		"123456789abcdef00001ff0ab0556677",
	};
	uint8_t parsed[GUEST_UUID_SIZE] = { 42 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(guest_uuid_parse(cases[i], parsed), -EINVAL);
	assert_int_equal(parsed[0], 42);
}

static void differs_by_domid_or_any_byte_of_the_uuid(void **state)
{
	const uint8_t uuid[GUEST_UUID_SIZE] = { 1, 2, 3 };
	const struct domain_id id = domain_id_make(7, uuid);
	struct domain_id other = domain_id_make(7, uuid);

	(void)state;
	assert_int_equal(id.domid, 7);
	assert_memory_equal(id.uuid, uuid, sizeof(uuid));
	assert_true(domain_id_equal(&id, &other));
	other.domid = 8;
	assert_false(domain_id_equal(&id, &other));
	for (size_t i = 0; i < GUEST_UUID_SIZE; i++) {
		other = id;
		other.uuid[i] ^= 1;
		assert_false(domain_id_equal(&id, &other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_and_parses_uuids),
		cmocka_unit_test(rejects_malformed_uuids),
		cmocka_unit_test(differs_by_domid_or_any_byte_of_the_uuid),
	};

	return cmocka_run_group_tests_name("domain id", tests, NULL, NULL);
}
