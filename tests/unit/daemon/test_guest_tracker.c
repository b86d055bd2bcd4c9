/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest-tracker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void note(void *data, const struct guest *guest, bool has_come)
{
	char *told = data;
	size_t used = strlen(told);

	snprintf(told + used, 64 - used, "%c%s%u ", has_come ? '+' : '-', guest->name,
		 guest->domid);
}

/* "a1 b2": guests by name and domid; a guest's UUID begins with its name. */
static const char *look(struct guest_tracker *tracker, const char *guests)
{
	static char told[64];
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
	told[0] = '\0';
	assert_int_equal(guest_tracker_update(tracker, &inventory, note, told), 0);
	inventory_done(&inventory);
	return told;
}

static void tells_who_comes_and_goes(void **state)
{
	static const struct {
		const char *guests, *told;
	} looks[] = {
		{ "b1 d2", "" }, /* who was there all along */
		{ "b1 d2", "" },
		{ "a3 b1 c4 d2 e5", "+a3 +c4 +e5 " },
		{ "b1 d2", "-a3 -c4 -e5 " },
		{ "b1 d6", "-d2 +d6 " }, /* has rebooted */
		{ "", "-b1 -d6 " },
		{ "b7", "+b7 " },
	};
	struct guest_tracker tracker = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		assert_string_equal(look(&tracker, looks[i].guests), looks[i].told);
	guest_tracker_done(&tracker);
}

static void an_empty_host_was_looked_at_as_well(void **state)
{
	struct guest_tracker tracker = { 0 };

	(void)state;
	assert_string_equal(look(&tracker, ""), "");
	assert_string_equal(look(&tracker, "a1"), "+a1 ");
	guest_tracker_done(&tracker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_who_comes_and_goes),
		cmocka_unit_test(an_empty_host_was_looked_at_as_well),
	};

	return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
