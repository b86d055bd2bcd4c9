/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/inventory.h"
#include "daemon/guest-tracker.h"

static void record_change(void *data, const struct guest *guest, bool was_added)
{
	char *changes = data;
	size_t used = strlen(changes);

	snprintf(changes + used, 64 - used, "%c%s%u ", was_added ? '+' : '-', guest->name,
		 guest->domid);
}

/* `guests`: names and domids, as "a1 b2"; a UUID begins with the name. */
static const char *update(struct guest_tracker *tracker, const char *guests)
{
	static char changes[64];
	struct inventory inventory = { 0 };
	unsigned int domid;
	char name[2];
	int length;

	for (; sscanf(guests, "%1s%u%n", name, &domid, &length) == 2; guests += length) {
		struct guest guest = {
			.domid = domid,
			.uuid = { (uint8_t)name[0] },
		};

		strcpy(guest.name, name);
		assert_int_equal(inventory_add_guest(&inventory, &guest), 0);
	}
	assert_int_equal(inventory_finish(&inventory), 0);
	changes[0] = '\0';
	assert_int_equal(guest_tracker_update(tracker, &inventory, record_change, changes), 0);
	inventory_done(&inventory);
	return changes;
}

static void reports_added_and_removed_guests(void **state)
{
	static const struct {
		const char *guests, *changes;
	} updates[] = {
		{ "b1 d2", "" }, /* the first inventory is only stored */
		{ "b1 d2", "" },
		{ "a3 b1 c4 d2 e5", "+a3 +c4 +e5 " },
		{ "b1 d2", "-a3 -c4 -e5 " },
		{ "b1 d6", "-d2 +d6 " }, /* rebooted */
		{ "", "-b1 -d6 " },
		{ "b7", "+b7 " },
	};
	struct guest_tracker tracker = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(updates) / sizeof(updates[0]); i++)
		assert_string_equal(update(&tracker, updates[i].guests), updates[i].changes);
	guest_tracker_done(&tracker);
}

static void accepts_an_empty_host_as_first_inventory(void **state)
{
	struct guest_tracker tracker = { 0 };

	(void)state;
	assert_string_equal(update(&tracker, ""), "");
	assert_string_equal(update(&tracker, "a1"), "+a1 ");
	guest_tracker_done(&tracker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_added_and_removed_guests),
		cmocka_unit_test(accepts_an_empty_host_as_first_inventory),
	};

	return cmocka_run_group_tests_name("guest-tracker", tests, NULL, NULL);
}
