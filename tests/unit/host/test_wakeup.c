/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What woke the host, from the kernel's counts of events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/directory.h"
#include "host/wakeup.h"
#include "tests/unit/tree.h"

static char sys[32];

static int start(void **state)
{
	(void)state;
	strcpy(sys, "/tmp/pmcoord-test-XXXXXX");
	assert_non_null(mkdtemp(sys));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	return tree_remove_all(sys);
}

static void put(unsigned int source, const char *attribute, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/class/wakeup/wakeup%u", sys, source);
	assert_int_equal(directory_make(path), 0);
	snprintf(path, sizeof(path), "%s/class/wakeup/wakeup%u/%s", sys, source, attribute);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	fclose(file);
}

static void add(unsigned int source, const char *name)
{
	put(source, "name", name);
	put(source, "event_count", "7");
}

/* As the kernel does for a source of the real-time clock: its name is a bus address. */
static void add_with_driver(unsigned int source, const char *name, const char *driver)
{
	char device[128], path[192];

	add(source, name);
	snprintf(device, sizeof(device), "%s/class/wakeup/wakeup%u/device", sys, source);
	assert_int_equal(directory_make(device), 0);
	snprintf(path, sizeof(path), "%s/driver", device);
	snprintf(device, sizeof(device), "../../../../bus/pnp/drivers/%s", driver);
	assert_int_equal(symlink(device, path), 0);
}

static void add_laptop(void)
{
	add(0, "PNP0C0D:00");
	add(1, "PNP0C0C:00");
	add_with_driver(2, "00:04", "rtc_cmos");
	add(3, "alarmtimer.0.auto");
	add(4, "0000:00:14.0");
	add(5, "ACPI0003:00");
}

static void names_the_source_of_the_wake(void **state)
{
	static const struct {
		const char *name;
		unsigned int sources[3]; /* from 1; 0: no more */
	} cases[] = {
		{ "unknown", { 0 } }, { "lid", { 1 } },	   { "power button", { 2 } },
		{ "RTC", { 3 } },     { "RTC", { 3, 4 } }, { "0000:00:14.0", { 5 } },
		{ "charger", { 6 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wakeup *wakeup;
		char name[64];

		add_laptop();
		wakeup = wakeup_new(sys);
		assert_non_null(wakeup);
		for (size_t j = 0; j < 3 && cases[i].sources[j]; j++)
			put(cases[i].sources[j] - 1, "event_count", "8");
		wakeup_name(wakeup, name, sizeof(name));
		assert_string_equal(name, cases[i].name);
		wakeup_free(wakeup);
		assert_int_equal(tree_remove_all(sys), 0);
		assert_int_equal(directory_make(sys), 0);
	}
}

static void names_several_sources(void **state)
{
	struct wakeup *wakeup;
	char name[64], small[8];

	(void)state;
	add_laptop();
	wakeup = wakeup_new(sys);
	put(0, "event_count", "8");
	put(1, "event_count", "9");
	wakeup_name(wakeup, name, sizeof(name));
	assert_non_null(strstr(name, "lid"));
	assert_non_null(strstr(name, "power button"));
	assert_int_equal(strlen(name), strlen("lid, power button"));
	/* What does not fit is left out. */
	wakeup_name(wakeup, small, sizeof(small));
	assert_string_equal(small, "lid");
	wakeup_free(wakeup);
}

static void leaves_out_what_cannot_be_read(void **state)
{
	struct wakeup *wakeup;
	char name[64];

	(void)state;
	wakeup = wakeup_new(sys);
	assert_null(wakeup);
	wakeup_name(wakeup, name, sizeof(name));
	assert_string_equal(name, "unknown");
	put(0, "name", "PNP0C0D:00");
	put(1, "event_count", "7");
	put(2, "name", "PNP0C0C:00");
	put(2, "event_count", "many");
	assert_null(wakeup_new(sys));
	/* Guests and drivers choose names, too. */
	add(3, "\033[31mred");
	wakeup = wakeup_new(sys);
	put(3, "event_count", "8");
	wakeup_name(wakeup, name, sizeof(name));
	assert_null(strchr(name, '\033'));
	assert_non_null(strstr(name, "red"));
	wakeup_free(wakeup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
		T(names_the_source_of_the_wake),
		T(names_several_sources),
		T(leaves_out_what_cannot_be_read),
#undef T
	};

	return cmocka_run_group_tests_name("wakeup", tests, NULL, NULL);
}
