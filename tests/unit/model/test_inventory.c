/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "model/inventory.h"

static void add_guest(struct inventory *inventory, uint32_t domid, uint8_t first_uuid_byte,
		      unsigned int pci_functions)
{
	struct guest guest = {
		.domid = domid,
		.uuid = { first_uuid_byte },
		.pci_functions = pci_functions,
	};

	snprintf(guest.name, sizeof(guest.name), "guest-%u", domid);
	assert_int_equal(inventory_add_guest(inventory, &guest), 0);
}

static void add_link(struct inventory *inventory, struct link link)
{
	assert_int_equal(inventory_add_link(inventory, &link), 0);
}

static void sorts_by_uuid_and_finds_by_domid_and_name(void **state)
{
	struct inventory inventory = { 0 };

	(void)state;
	add_guest(&inventory, 9, 3, 0);
	add_guest(&inventory, 2, 1, 0);
	add_guest(&inventory, 5, 2, 0);
	assert_int_equal(inventory_finish(&inventory), 0);
	assert_int_equal(inventory.guests[0].domid, 2);
	assert_int_equal(inventory.guests[1].domid, 5);
	assert_int_equal(inventory.guests[2].domid, 9);
	assert_ptr_equal(inventory_find_domid(&inventory, 9), &inventory.guests[2]);
	assert_null(inventory_find_domid(&inventory, 0));
	assert_null(inventory_find_domid(&inventory, 10));
	assert_ptr_equal(inventory_find_name(&inventory, "guest-5"), &inventory.guests[1]);
	assert_null(inventory_find_name(&inventory, "guest"));
	inventory_done(&inventory);
}

static void accepts_a_host_without_guests(void **state)
{
	struct inventory inventory = { 0 };

	(void)state;
	assert_int_equal(inventory_finish(&inventory), 0);
	assert_null(inventory_find_domid(&inventory, 1));
	assert_null(inventory_find_name(&inventory, ""));
	inventory_done(&inventory);
	inventory_done(&inventory);
}

static void confirms_a_link_by_the_toolstack_or_both_ends(void **state)
{
	static const struct {
		bool frontend, backend, toolstack, confirmed;
	} cases[] = {
		{ false, false, false, false }, { true, false, false, false },
		{ false, true, false, false },	{ true, true, false, true },
		{ false, false, true, true },	{ true, true, true, true },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct link link = {
			.recorded_by_frontend = cases[i].frontend,
			.recorded_by_backend = cases[i].backend,
			.recorded_by_toolstack = cases[i].toolstack,
		};

		assert_int_equal(link_is_confirmed(&link), cases[i].confirmed);
	}
}

static void merges_the_records_of_one_link(void **state)
{
	struct inventory inventory = { 0 };

	(void)state;
	add_guest(&inventory, 1, 1, 0);
	add_guest(&inventory, 2, 2, 0);
	add_link(&inventory, (struct link){ .frontend = 2,
					    .backend = 1,
					    .class = LINK_NETWORK,
					    .recorded_by_backend = true });
	add_link(&inventory, (struct link){ .frontend = 2,
					    .backend = 1,
					    .class = LINK_STORAGE,
					    .recorded_by_frontend = true });
	add_link(&inventory, (struct link){ .frontend = 2,
					    .backend = 1,
					    .class = LINK_NETWORK,
					    .recorded_by_frontend = true });
	assert_int_equal(inventory_finish(&inventory), 0);
	assert_int_equal(inventory.n_links, 2);
	assert_int_equal(inventory.links[0].class, LINK_NETWORK);
	assert_true(link_is_confirmed(&inventory.links[0]));
	assert_int_equal(inventory.links[1].class, LINK_STORAGE);
	assert_false(link_is_confirmed(&inventory.links[1]));
	inventory_done(&inventory);
}

static void sets_the_role_of_each_guest(void **state)
{
	static const struct {
		uint32_t domid;
		enum guest_role role;
	} expected[] = {
		{ 1, GUEST_ROLE_DRIVER_DOMAIN }, /* has a device */
		{ 2, GUEST_ROLE_DRIVER_DOMAIN }, /* serves storage */
		{ 3, GUEST_ROLE_GUEST }, /* is served */
		{ 4, GUEST_ROLE_STUB_DOMAIN }, /* is a device model */
		{ 5, GUEST_ROLE_GUEST }, /* claimed backend, not confirmed */
		{ 6, GUEST_ROLE_GUEST }, /* only by SuspendBefore= */
		{ 7, GUEST_ROLE_STUB_DOMAIN }, /* stub domain with a device */
	};
	struct inventory inventory = { 0 };

	(void)state;
	for (uint32_t domid = 1; domid <= 7; domid++)
		add_guest(&inventory, domid, (uint8_t)(9 - domid), domid == 1 || domid == 7);
	add_link(&inventory, (struct link){ .frontend = 3,
					    .backend = 2,
					    .class = LINK_STORAGE,
					    .recorded_by_toolstack = true });
	add_link(&inventory, (struct link){ .frontend = 3,
					    .backend = 4,
					    .class = LINK_DEVICE_MODEL,
					    .recorded_by_toolstack = true });
	add_link(&inventory, (struct link){ .frontend = 3,
					    .backend = 4,
					    .class = LINK_CONSOLE,
					    .recorded_by_toolstack = true });
	add_link(&inventory, (struct link){ .frontend = 3,
					    .backend = 5,
					    .class = LINK_NETWORK,
					    .recorded_by_frontend = true });
	add_link(&inventory, (struct link){ .frontend = 3,
					    .backend = 6,
					    .class = LINK_CONFIGURED,
					    .recorded_by_toolstack = true });
	add_link(&inventory, (struct link){ .frontend = 3,
					    .backend = 7,
					    .class = LINK_DEVICE_MODEL,
					    .recorded_by_toolstack = true });
	/* dom0 and domains that no longer exist are not guests. */
	add_link(&inventory, (struct link){ .frontend = 3,
					    .backend = 0,
					    .class = LINK_STORAGE,
					    .recorded_by_toolstack = true });
	assert_int_equal(inventory_finish(&inventory), 0);
	for (size_t i = 0; i < ELEMENTSOF(expected); i++)
		assert_int_equal(inventory_find_domid(&inventory, expected[i].domid)->role,
				 expected[i].role);
	inventory_done(&inventory);
}

static void maps_devices_to_classes(void **state)
{
	static const struct {
		const char *device;
		enum link_class class;
	} cases[] = {
		{ "vif", LINK_NETWORK },  { "vbd", LINK_STORAGE },	{ "qdisk", LINK_STORAGE },
		{ "9pfs", LINK_STORAGE }, { "xen_9pfs", LINK_STORAGE }, { "vfb", LINK_CONSOLE },
		{ "vusb", LINK_USB },	  { "pci", LINK_PCI },		{ "vkbd", LINK_CONSOLE },
		{ "", LINK_CONSOLE },	  { "vifx", LINK_CONSOLE },
	};
	enum link_class class = LINK_PCI;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(link_class_of_device(cases[i].device), cases[i].class);
	assert_int_equal(link_class_parse_device("console", &class), 0);
	assert_int_equal(class, LINK_CONSOLE);
	assert_int_equal(link_class_parse_device("vifx", &class), -EINVAL);
}

/* Unknown devices are an error in a scenario, so each known one must be in the table. */
static void knows_each_device_of_a_scenario(void **state)
{
	static const char *const consoles[] = {
		"vkbd", "vfb", "vsnd", "vdispl", "vtpm", "console"
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(consoles); i++) {
		enum link_class class = LINK_PCI;

		assert_int_equal(link_class_parse_device(consoles[i], &class), 0);
		assert_int_equal(class, LINK_CONSOLE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_by_uuid_and_finds_by_domid_and_name),
		cmocka_unit_test(accepts_a_host_without_guests),
		cmocka_unit_test(confirms_a_link_by_the_toolstack_or_both_ends),
		cmocka_unit_test(merges_the_records_of_one_link),
		cmocka_unit_test(sets_the_role_of_each_guest),
		cmocka_unit_test(maps_devices_to_classes),
		cmocka_unit_test(knows_each_device_of_a_scenario),
	};

	return cmocka_run_group_tests_name("inventory", tests, NULL, NULL);
}
