/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/protocol.h"

static void parses_what_it_formats(void **state)
{
	static const uint64_t cycles[] = { 0, 1, 42, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cycles); i++) {
		for (int verb = PROTOCOL_SUSPEND; verb <= PROTOCOL_ABORT; verb++) {
			struct protocol_request out = { .verb = verb, .cycle = cycles[i] };
			struct protocol_request in = { 0 };
			char text[PROTOCOL_TEXT_MAX];
			size_t length = protocol_format_request(&out, text);

			assert_int_equal(length, strlen(text));
			assert_int_equal(protocol_parse_request(text, length, &in), 0);
			assert_int_equal(in.verb, verb);
			assert_true(in.cycle == cycles[i]);
		}
	}
}

static void rejects_malformed_text(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} cases[] = {
#define CASE(text) { text, sizeof(text) - 1 }
		CASE(""),
		CASE("ready"),
		CASE("ready "),
		CASE("ready -1"),
		CASE("ready +1"),
		CASE("ready 1 "),
		CASE("ready  1"),
		CASE(" ready 1"),
		CASE("READY 1"),
		CASE("none 1"),
		CASE("ready 0x1"),
		CASE("ready 18446744073709551616"),
		CASE("suspend 1"),
		CASE("ready 1\n"),
		CASE("ready\0001"),
		CASE("ready 1\0"),
		CASE("ready 00000000000000000000000000000000000000000000001"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct protocol_state in = { PROTOCOL_AGENT_FAILED, 77 };

		assert_int_equal(protocol_parse_state(cases[i].text, cases[i].length, &in),
				 -EINVAL);
		assert_int_equal(in.state, PROTOCOL_AGENT_FAILED);
		assert_int_equal(in.cycle, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_what_it_formats),
		cmocka_unit_test(rejects_malformed_text),
	};

	return cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
}
