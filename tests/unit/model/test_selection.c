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

#include "pmcoord/error.h"
#include "model/inventory.h"
#include "model/selection.h"

/* Guests in the order of their UUIDs: web (7), 12 (9) and db (12). */
static int set_up(void **state)
{
	static const struct {
		const char *name;
		uint32_t domid;
	} guests[] = { { "web", 7 }, { "12", 9 }, { "db", 12 } };
	struct inventory *inventory = calloc(1, sizeof(*inventory));

	for (size_t i = 0; i < 3; i++) {
		struct guest guest = {
			.domid = guests[i].domid,
			.uuid = { (uint8_t)(i + 1) },
		};

		snprintf(guest.name, sizeof(guest.name), "%s", guests[i].name);
		assert_int_equal(inventory_add_guest(inventory, &guest), 0);
	}
	assert_int_equal(inventory_finish(inventory), 0);
	*state = inventory;
	return 0;
}

static int tear_down(void **state)
{
	inventory_done(*state);
	free(*state);
	return 0;
}

/* Selects up to two guests; returns them as "web 12 db". */
static const char *select_guests(const struct inventory *inventory, const char *first,
				 const char *second)
{
	static char text[4 * GUEST_NAME_MAX];
	char names[2][32], *list[2] = { names[0], names[1] };
	struct error error = { 0 };
	bool *selected = NULL;

	snprintf(names[0], sizeof(names[0]), "%s", first);
	snprintf(names[1], sizeof(names[1]), "%s", second ? second : "");
	if (selection_make(inventory, list, second ? 2 : 1, &selected, &error) < 0)
		fail_msg("%s", error_text(&error));
	text[0] = '\0';
	for (size_t i = 0; i < inventory->n_guests; i++) {
		size_t used = strlen(text);

		if (selected[i])
			snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "",
				 inventory->guests[i].name);
	}
	free(selected);
	return text;
}

static void finds_guests_by_name_or_domid(void **state)
{
	assert_string_equal(select_guests(*state, "web", NULL), "web");
	assert_string_equal(select_guests(*state, "7", NULL), "web");
	assert_string_equal(select_guests(*state, "9", "web"), "web 12");
	assert_string_equal(select_guests(*state, "web", "7"), "web");
}

static void a_name_wins_over_a_domid(void **state)
{
	assert_string_equal(select_guests(*state, "12", NULL), "12");
}

static void names_the_guest_that_does_not_exist(void **state)
{
	static const char *const names[] = { "we", "8", "0", "70000", "-7", "7x", "" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char web[] = "web", name[32], *list[] = { web, name };
		struct error error = { 0 };
		char expected[64];
		bool *selected = NULL;

		snprintf(name, sizeof(name), "%s", names[i]);
		snprintf(expected, sizeof(expected), "'%s'", names[i]);
		assert_int_equal(selection_make(*state, list, 2, &selected, &error), -ENOENT);
		assert_int_equal(error.outcome, OUTCOME_NOT_FOUND);
		assert_non_null(strstr(error_text(&error), expected));
		assert_null(selected);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(finds_guests_by_name_or_domid),
		TEST(a_name_wins_over_a_domid),
		TEST(names_the_guest_that_does_not_exist),
	};

	return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
