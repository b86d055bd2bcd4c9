/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/protocol.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "pmcoord/parse.h"

static const char *const verb_names[] = {
	[PROTOCOL_NO_REQUEST] = "none",
	[PROTOCOL_SUSPEND] = "suspend",
	[PROTOCOL_ABORT] = "abort",
};
ENUM_COMPLETE(verb_names, PROTOCOL_ABORT);

static const char *const state_names[] = {
	[PROTOCOL_AGENT_NONE] = "none",		[PROTOCOL_AGENT_READY] = "ready",
	[PROTOCOL_AGENT_QUIESCED] = "quiesced", [PROTOCOL_AGENT_FAILED] = "failed",
	[PROTOCOL_AGENT_DEGRADED] = "degraded",
};
ENUM_COMPLETE(state_names, PROTOCOL_AGENT_DEGRADED);

static size_t format_word(const char *word, uint64_t cycle, char *ret)
{
	return (size_t)snprintf(ret, PROTOCOL_TEXT_MAX, "%s %" PRIu64, word, cycle);
}

size_t protocol_format_request(const struct protocol_request *request, char *ret)
{
	assert(ret);
	return format_word(ENUM_NAME(verb_names, request->verb), request->cycle, ret);
}

size_t protocol_format_state(const struct protocol_state *state, char *ret)
{
	assert(ret);
	return format_word(ENUM_NAME(state_names, state->state), state->cycle, ret);
}

/*
 * Parses "<word> <cycle>". Returns the index of the word in `names`, or -EINVAL for
 * other text. The word "none" (index 0) is never written, so it is invalid.
 */
static int parse_word(const char *text, size_t length, const char *const *names, size_t n_names,
		      uint64_t *ret_cycle)
{
	char copy[PROTOCOL_TEXT_MAX];
	char *space;
	int value;

	if (length >= sizeof(copy) || memchr(text, '\0', length))
		return -EINVAL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	space = strchr(copy, ' ');
	if (!space)
		return -EINVAL;
	*space = '\0';
	value = enum_parse(names, n_names, copy);
	if (value < 1 || parse_u64(space + 1, UINT64_MAX, ret_cycle) < 0)
		return -EINVAL;
	return value;
}

int protocol_parse_request(const char *text, size_t length, struct protocol_request *ret)
{
	uint64_t cycle;
	int verb = parse_word(text, length, verb_names, ELEMENTSOF(verb_names), &cycle);

	assert(ret);
	if (verb < 0)
		return verb;
	ret->verb = (enum protocol_verb)verb;
	ret->cycle = cycle;
	return 0;
}

int protocol_parse_state(const char *text, size_t length, struct protocol_state *ret)
{
	uint64_t cycle;
	int state = parse_word(text, length, state_names, ELEMENTSOF(state_names), &cycle);

	assert(ret);
	if (state < 0)
		return state;
	ret->state = (enum protocol_agent_state)state;
	ret->cycle = cycle;
	return 0;
}

const char *protocol_agent_state_name(enum protocol_agent_state state)
{
	return ENUM_NAME(state_names, state);
}
