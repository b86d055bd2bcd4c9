/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Single values from guests and users: accepted values survive a round trip. */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/parse.h"
#include "pmcoord/protocol.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "tests/fuzz/file.h"

/* Leading zeros are accepted: compares values after a round trip, not text. */
static void check_request(const char *text, size_t length)
{
	struct protocol_request request, again;
	char written[PROTOCOL_TEXT_MAX];

	if (protocol_parse_request(text, length, &request) < 0)
		return;
	length = protocol_format_request(&request, written);
	if (protocol_parse_request(written, length, &again) < 0 || again.verb != request.verb ||
	    again.cycle != request.cycle)
		abort();
}

static void check_state(const char *text, size_t length)
{
	struct protocol_state state, again;
	char written[PROTOCOL_TEXT_MAX];

	if (protocol_parse_state(text, length, &state) < 0)
		return;
	length = protocol_format_state(&state, written);
	if (protocol_parse_state(written, length, &again) < 0 || again.state != state.state ||
	    again.cycle != state.cycle)
		abort();
}

static void check_uuid(const char *text)
{
	uint8_t uuid[GUEST_UUID_SIZE];
	char again[GUEST_UUID_TEXT_SIZE];

	if (guest_uuid_parse(text, uuid) == 0 &&
	    strcasecmp(guest_uuid_format(uuid, again), text) != 0)
		abort();
}

/* Sanitised text has no control characters and fits the buffer. */
static void check_sanitised(const char *text, size_t length)
{
	char clean[32];

	text_sanitize(text, length, clean, sizeof(clean));
	for (const char *c = clean; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	uint64_t number;
	bool yes;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_request(text, size);
	check_state(text, size);
	check_uuid(text);
	check_sanitised(text, size);
	if (parse_u64(text, 1000, &number) == 0 && number > 1000)
		abort();
	parse_duration(text, &number);
	parse_boolean(text, &yes);
	free(text);
	return 0;
}
