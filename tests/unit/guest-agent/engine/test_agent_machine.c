/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/protocol.h"
#include "engine/machine.h"

/*
 * A test is a list of inputs. Each input has the current request ("s7": suspend 7, "a7":
 * abort 7, "": none), the expected actions (a letter each: W withdraw, D drain, P publish,
 * N notify, Q quiesce, C commit, R restore) and the state that must be published ("r7":
 * ready 7, "d7": degraded 7, "f7": failed 7, "": none).
 */
struct tale {
	enum machine_input input;
	const char *request;
	const char *actions;
	const char *published;
};

static struct protocol_request to_request(const char *text)
{
	struct protocol_request request = { PROTOCOL_NO_REQUEST, 0 };

	if (text[0] == '\0')
		return request;
	request.verb = text[0] == 's' ? PROTOCOL_SUSPEND : PROTOCOL_ABORT;
	sscanf(text + 1, "%" SCNu64, &request.cycle);
	return request;
}

static void write_actions(const struct machine_step *step, char *ret)
{
	static const char letters[] = "WDPNQCR";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		if (step->actions & (1u << i))
			ret[n++] = letters[i];
	ret[n] = '\0';
}

static void write_state(const struct machine_step *step, char *ret)
{
	if (step->actions & MACHINE_PUBLISH)
		sprintf(ret, "%c%d", protocol_agent_state_name(step->publish.state)[0],
			(int)step->publish.cycle);
	else
		ret[0] = '\0';
}

static void expect(const struct machine_step *step, const char *actions, const char *published)
{
	char seen[16], state[40];

	write_actions(step, seen);
	write_state(step, state);
	assert_string_equal(seen, actions);
	assert_string_equal(state, published);
}

static void tell_tale(struct machine *machine, const struct tale *tale, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct protocol_request request = to_request(tale[i].request);
		struct machine_step step = machine_handle(machine, tale[i].input, &request);

		expect(&step, tale[i].actions, tale[i].published);
	}
}

/* Returns a machine that was started with `request`, after checking the first step. */
static struct machine started(const char *request, const char *actions, const char *published)
{
	struct machine_past past = { .channel_kept = false };
	struct protocol_request found = to_request(request);
	struct machine machine;
	struct machine_step step = machine_start(&machine, &past, &found);

	expect(&step, actions, published);
	return machine;
}

#define TELL(machine, ...)                                                                         \
	do {                                                                                       \
		static const struct tale tale_[] = { __VA_ARGS__ };                                \
		tell_tale(machine, tale_, ELEMENTSOF(tale_));                                      \
	} while (0)

static void suspends_and_restores_once_per_cycle(void **state)
{
	struct machine machine = started("", "DP", "r0");

	(void)state;
	TELL(&machine, { MACHINE_WATCH, "s1", "DP", "r1" }, { MACHINE_WATCH, "s1", "", "" },
	     { MACHINE_EVENT, "s1", "Q", "" }, { MACHINE_QUIESCE_DONE, "s1", "C", "" },
	     { MACHINE_COMMITTED, "s1", "", "" }, { MACHINE_WOKEN, "s1", "R", "" },
	     { MACHINE_RESTORED, "s1", "DP", "r1" },
	     /* dom0's event after the resume arrives late. */
	     { MACHINE_EVENT, "s1", "", "" }, { MACHINE_WATCH, "s1", "", "" },
	     { MACHINE_EVENT, "s1", "", "" }, { MACHINE_WATCH, "s2", "DP", "r2" },
	     { MACHINE_EVENT, "s2", "Q", "" });
}

static void does_not_act_on_an_event_before_it_is_armed(void **state)
{
	struct machine machine = started("", "DP", "r0");

	(void)state;
	/* An event that arrives before the watch is drained when the agent is armed. */
	TELL(&machine, { MACHINE_EVENT, "", "", "" }, { MACHINE_EVENT, "s4", "DP", "r4" },
	     { MACHINE_WATCH, "s4", "", "" }, { MACHINE_EVENT, "s4", "Q", "" });
}

static void is_armed_at_start_if_there_is_a_request(void **state)
{
	struct machine machine = started("s9", "DP", "r9");

	(void)state;
	TELL(&machine, { MACHINE_EVENT, "s9", "Q", "" });
}

static void undoes_when_dom0_gives_up_while_it_quiesces(void **state)
{
	static const char *const others[] = { "a1", "", "s2", "a7" };
	static const char *const answers[] = { "r1", "r0", "r2", "r7" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(others); i++) {
		struct machine machine = started("s1", "DP", "r1");
		struct tale tale[] = {
			{ MACHINE_EVENT, "s1", "Q", "" },
			{ MACHINE_WATCH, others[i], "R", "" },
			{ MACHINE_EVENT, others[i], "", "" },
			{ MACHINE_RESTORED, others[i], "DP", answers[i] },
		};

		tell_tale(&machine, tale, ELEMENTSOF(tale));
	}
}

static void undoes_when_dom0_gives_up_before_the_kernel_sleeps(void **state)
{
	struct machine machine = started("s1", "DP", "r1");

	(void)state;
	TELL(&machine, { MACHINE_EVENT, "s1", "Q", "" }, { MACHINE_QUIESCE_DONE, "s1", "C", "" },
	     { MACHINE_COMMITTED, "s1", "", "" }, { MACHINE_EVENT, "s1", "", "" },
	     { MACHINE_EVENT, "a1", "R", "" }, { MACHINE_RESTORED, "a1", "DP", "r1" },
	     { MACHINE_EVENT, "a1", "DP", "r1" }, { MACHINE_WATCH, "s2", "DP", "r2" });
}

static void withdraws_if_the_request_has_vanished(void **state)
{
	struct machine machine = started("s1", "DP", "r1");

	(void)state;
	TELL(&machine, { MACHINE_EVENT, "s1", "Q", "" }, { MACHINE_QUIESCE_DONE, "s1", "C", "" },
	     { MACHINE_COMMITTED, "s1", "", "" }, { MACHINE_WATCH, "", "WR", "" },
	     { MACHINE_RESTORED_DEGRADED, "", "DP", "r0" });
}

static void undoes_when_the_commit_finds_another_request(void **state)
{
	struct machine machine = started("s1", "DP", "r1");

	(void)state;
	TELL(&machine, { MACHINE_EVENT, "s1", "Q", "" }, { MACHINE_QUIESCE_DONE, "s1", "C", "" },
	     { MACHINE_RETRACTED, "s1", "R", "" }, { MACHINE_RESTORED, "a1", "DP", "r1" });
}

/* dom0 has aborted the cycle and then written the same request again. */
static void an_aborted_cycle_is_ready_even_if_it_is_requested_again(void **state)
{
	struct machine machine = started("s1", "DP", "r1");

	(void)state;
	TELL(&machine, { MACHINE_EVENT, "s1", "Q", "" }, { MACHINE_QUIESCE_DONE, "s1", "C", "" },
	     { MACHINE_RETRACTED, "s1", "R", "" }, { MACHINE_RESTORED, "s1", "DP", "r1" });
}

static void publishes_failed_and_notifies_when_it_cannot_quiesce(void **state)
{
	static const enum machine_input inputs[] = { MACHINE_QUIESCE_FAILED, MACHINE_COMMIT_FAILED,
						     MACHINE_NOT_SUSPENDED };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(inputs); i++) {
		struct machine machine = started("s1", "DP", "r1");
		struct tale tale[] = {
			{ MACHINE_EVENT, "s1", "Q", "" },
			{ inputs[i], "s1", "R", "" },
			{ MACHINE_RESTORED_DEGRADED, "s1", "DPN", "f1" },
			{ MACHINE_EVENT, "s1", "", "" },
			{ MACHINE_EVENT, "a1", "DP", "r1" },
			{ MACHINE_WATCH, "s2", "DP", "r2" },
		};

		tell_tale(&machine, tale, ELEMENTSOF(tale));
	}
}

static void publishes_ready_if_it_failed_after_an_abort(void **state)
{
	struct machine machine = started("s1", "DP", "r1");

	(void)state;
	TELL(&machine, { MACHINE_EVENT, "s1", "Q", "" }, { MACHINE_QUIESCE_FAILED, "s1", "R", "" },
	     { MACHINE_WATCH, "a1", "", "" }, { MACHINE_RESTORED, "a1", "DP", "r1" });
}

static void restores_if_the_kernel_does_not_suspend(void **state)
{
	struct machine machine = started("s1", "DP", "r1");

	(void)state;
	TELL(&machine, { MACHINE_EVENT, "s1", "Q", "" }, { MACHINE_QUIESCE_DONE, "s1", "C", "" },
	     { MACHINE_COMMITTED, "s1", "", "" }, { MACHINE_NOT_SUSPENDED, "s1", "WR", "" },
	     { MACHINE_RESTORED, "s1", "DPN", "f1" });
}

static void stays_degraded_through_the_abort_of_that_cycle(void **state)
{
	struct machine machine = started("s1", "DP", "r1");

	(void)state;
	TELL(&machine, { MACHINE_EVENT, "s1", "Q", "" }, { MACHINE_QUIESCE_DONE, "s1", "C", "" },
	     { MACHINE_COMMITTED, "s1", "", "" }, { MACHINE_WOKEN, "s1", "R", "" },
	     { MACHINE_RESTORED_DEGRADED, "s1", "DP", "d1" }, { MACHINE_EVENT, "a1", "DP", "d1" },
	     { MACHINE_WATCH, "s2", "DP", "r2" });
}

static void an_abort_before_it_began_ends_that_cycle(void **state)
{
	struct machine machine = started("s1", "DP", "r1");

	(void)state;
	TELL(&machine, { MACHINE_WATCH, "a1", "DP", "r1" }, { MACHINE_WATCH, "s1", "", "" },
	     { MACHINE_EVENT, "s1", "", "" }, { MACHINE_WATCH, "s2", "DP", "r2" });
}

static void takes_a_lower_cycle_for_what_dom0_wants_now(void **state)
{
	struct machine machine = started("s9", "DP", "r9");

	(void)state;
	TELL(&machine, { MACHINE_WATCH, "s3", "DP", "r3" }, { MACHINE_EVENT, "s3", "Q", "" });
}

static void a_request_that_vanishes_disarms(void **state)
{
	struct machine machine = started("s1", "DP", "r1");

	(void)state;
	TELL(&machine, { MACHINE_WATCH, "", "DP", "r0" }, { MACHINE_WATCH, "", "", "" },
	     { MACHINE_EVENT, "", "", "" }, { MACHINE_WATCH, "s1", "DP", "r1" },
	     { MACHINE_EVENT, "s1", "Q", "" });
}

static void a_restarted_agent_does_not_repeat_a_cycle(void **state)
{
	struct machine_past past = {
		.published = { PROTOCOL_AGENT_READY, 5 },
		.done = { PROTOCOL_AGENT_DEGRADED, 5 },
	};
	struct protocol_request request = to_request("s5");
	struct machine machine;
	struct machine_step step;

	(void)state;
	for (int kept = 0; kept <= 1; kept++) {
		past.channel_kept = kept == 1;
		step = machine_start(&machine, &past, &request);
		expect(&step, "DP", "d5");
		TELL(&machine, { MACHINE_EVENT, "s5", "", "" });
	}
}

static void a_kept_channel_keeps_what_was_armed(void **state)
{
	struct machine_past past = {
		.published = { PROTOCOL_AGENT_READY, 6 },
		.done = { PROTOCOL_AGENT_READY, 5 },
		.channel_kept = true,
	};
	struct protocol_request request = to_request("s6");
	struct machine machine;
	struct machine_step step = machine_start(&machine, &past, &request);

	(void)state;
	/* Nothing is drained, because an event may be pending. */
	expect(&step, "", "");
	TELL(&machine, { MACHINE_EVENT, "s6", "Q", "" });
	past.channel_kept = false;
	step = machine_start(&machine, &past, &request);
	expect(&step, "DP", "r6");
}

static void the_next_agent_undoes_and_publishes_the_result(void **state)
{
	struct machine_past past = {
		.published = { PROTOCOL_AGENT_READY, 6 },
		.unfinished = true,
		.cycle = 6,
		.channel_kept = true,
	};
	struct protocol_request request = to_request("s6");
	struct machine machine;
	struct machine_step step = machine_start(&machine, &past, &request);

	(void)state;
	expect(&step, "WR", "");
	TELL(&machine, { MACHINE_RESTORED, "s6", "DPN", "f6" });
	past.published.state = PROTOCOL_AGENT_QUIESCED;
	step = machine_start(&machine, &past, &request);
	expect(&step, "WR", "");
	TELL(&machine, { MACHINE_RESTORED, "s6", "DP", "r6" });
}

/* After any inputs in any order, an abort and the end of a restore lead to idle. */
static void every_sequence_of_inputs_can_be_ended(void **state)
{
	static const char *const requests[] = { "", "s1", "s2", "a1", "a2" };
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct machine machine;
		struct machine_past past = { .channel_kept = round % 2 };
		struct protocol_request request = to_request("");

		machine_start(&machine, &past, &request);
		for (int i = 0; i < 24; i++) {
			struct machine_step step;
			unsigned int x = seed = seed * 1103515245u + 12345u;
			enum machine_phase before = machine.phase;

			request = to_request(requests[(x >> 16) % 5]);
			step = machine_handle(&machine, (x >> 20) % 11, &request);
			/* Quiescing starts only if `ready` was published for the cycle. */
			if (step.actions & MACHINE_QUIESCE) {
				assert_int_equal(before, MACHINE_IDLE);
				assert_int_equal(machine.published.state, PROTOCOL_AGENT_READY);
				assert_true(machine.cycle == machine.published.cycle);
				assert_true(request.verb == PROTOCOL_SUSPEND &&
					    request.cycle == machine.cycle);
				assert_false(machine.done.state != PROTOCOL_AGENT_NONE &&
					     machine.done.cycle == machine.cycle);
			}
			/* Restoring starts only while quiescing or quiesced. */
			if (step.actions & MACHINE_RESTORE)
				assert_true(before == MACHINE_QUIESCING ||
					    before == MACHINE_QUIESCED);
		}
		request = to_request("a9");
		machine_handle(&machine, MACHINE_EVENT, &request);
		machine_handle(&machine, MACHINE_RESTORED, &request);
		assert_int_equal(machine.phase, MACHINE_IDLE);
		assert_int_equal(machine.published.state, PROTOCOL_AGENT_READY);
		assert_int_equal(machine.published.cycle, 9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suspends_and_restores_once_per_cycle),
		cmocka_unit_test(does_not_act_on_an_event_before_it_is_armed),
		cmocka_unit_test(is_armed_at_start_if_there_is_a_request),
		cmocka_unit_test(undoes_when_dom0_gives_up_while_it_quiesces),
		cmocka_unit_test(undoes_when_dom0_gives_up_before_the_kernel_sleeps),
		cmocka_unit_test(withdraws_if_the_request_has_vanished),
		cmocka_unit_test(undoes_when_the_commit_finds_another_request),
		cmocka_unit_test(an_aborted_cycle_is_ready_even_if_it_is_requested_again),
		cmocka_unit_test(publishes_failed_and_notifies_when_it_cannot_quiesce),
		cmocka_unit_test(publishes_ready_if_it_failed_after_an_abort),
		cmocka_unit_test(restores_if_the_kernel_does_not_suspend),
		cmocka_unit_test(stays_degraded_through_the_abort_of_that_cycle),
		cmocka_unit_test(an_abort_before_it_began_ends_that_cycle),
		cmocka_unit_test(takes_a_lower_cycle_for_what_dom0_wants_now),
		cmocka_unit_test(a_request_that_vanishes_disarms),
		cmocka_unit_test(a_restarted_agent_does_not_repeat_a_cycle),
		cmocka_unit_test(a_kept_channel_keeps_what_was_armed),
		cmocka_unit_test(the_next_agent_undoes_and_publishes_the_result),
		cmocka_unit_test(every_sequence_of_inputs_can_be_ended),
	};

	return cmocka_run_group_tests_name("agent-machine", tests, NULL, NULL);
}
