/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each verb of the real hypervisor table, with a failure of each call that it makes to Xen's
 * libraries, one at a time: which failures the verb reports, and which it can do without.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "xen/hypervisor-xen.h"
#include "tests/unit/xen/fake_host.h"
#include "tests/fakexen/agents.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/guests.h"

static struct fake_host host;

/* The guest that the verb is called for. */
static struct fake_guest *guest;

static const struct hypervisor_ops *ops(void)
{
	return host.hypervisor->ops;
}

/* ---- the verbs ----------------------------------------------------------- */

static struct guest facts;
static struct domain_id id;

static int do_open(enum mechanism mechanism)
{
	struct hypervisor *hypervisor = NULL;
	struct error error = { 0 };
	int r = hypervisor_xen_open(host.roots.run, -1, &hypervisor, &error);

	(void)mechanism;
	if (r == 0)
		hypervisor_close(hypervisor);
	else
		assert_true(error.text[0] != '\0');
	/* Where xenstored does not answer, this is said, whatever the cause. */
	return r == -ECONNREFUSED ? -EIO : r;
}

static int do_watch_domains(enum mechanism mechanism)
{
	(void)mechanism;
	return ops()->watch_domains(host.hypervisor);
}

static int do_inventory(enum mechanism mechanism)
{
	struct inventory inventory;
	struct error error = { 0 };
	int r = ops()->inventory(host.hypervisor, &inventory, &error);

	(void)mechanism;
	if (r < 0) {
		assert_string_equal(error_text(&error),
				    "cannot read the list of guests: Input/output error");
		return r;
	}
	/* Whatever else could not be read, no guest is left out. */
	assert_int_equal(inventory.n_guests, 2);
	inventory_done(&inventory);
	return 0;
}

static int do_list_domains(enum mechanism mechanism)
{
	struct listed_domain *domains;
	size_t n;
	int r = ops()->list_domains(host.hypervisor, &domains, &n);

	(void)mechanism;
	if (r == 0) {
		assert_int_equal(n, 2);
		free(domains);
	}
	return r;
}

static int do_examine(enum mechanism mechanism)
{
	struct guest_examination examination;

	(void)mechanism;
	return ops()->examine(host.hypervisor, &facts, &examination);
}

static int do_prepare(enum mechanism mechanism)
{
	return ops()->prepare(host.hypervisor, &facts, mechanism);
}

static int do_arm(enum mechanism mechanism)
{
	static const struct agent_terms terms = { .timeout_us = 5000000 };

	(void)mechanism;
	return ops()->arm(host.hypervisor, &id, 9, &terms);
}

static int do_subscribe(enum mechanism mechanism)
{
	return ops()->subscribe(host.hypervisor, &id, mechanism);
}

static int do_request(enum mechanism mechanism)
{
	return ops()->request(host.hypervisor, &id, mechanism);
}

static int do_retract(enum mechanism mechanism)
{
	return ops()->retract(host.hypervisor, &id, mechanism, 9);
}

static int do_get_request_owner(enum mechanism mechanism)
{
	return (int)ops()->get_request_owner(host.hypervisor, &id, mechanism,
					     fake_guest_domain(guest)->is_shut_down);
}

static int do_get_state(enum mechanism mechanism)
{
	struct domain_state state;

	(void)mechanism;
	return ops()->get_state(host.hypervisor, &id, &state);
}

static int do_get_agent_state(enum mechanism mechanism)
{
	struct agent_state state;

	(void)mechanism;
	return ops()->get_agent_state(host.hypervisor, &id, &state);
}

static int do_unsubscribe(enum mechanism mechanism)
{
	(void)mechanism;
	return ops()->unsubscribe(host.hypervisor, &id);
}

static int do_pause(enum mechanism mechanism)
{
	(void)mechanism;
	return ops()->pause(host.hypervisor, &id);
}

static int do_unpause(enum mechanism mechanism)
{
	(void)mechanism;
	return ops()->unpause(host.hypervisor, &id);
}

static int do_prepare_resume(enum mechanism mechanism)
{
	(void)mechanism;
	return ops()->prepare_resume(host.hypervisor, &id);
}

static int do_resume(enum mechanism mechanism)
{
	(void)mechanism;
	return ops()->resume(host.hypervisor, &id);
}

static int do_resume_in_xenstore(enum mechanism mechanism)
{
	(void)mechanism;
	return ops()->resume_in_xenstore(host.hypervisor, &id);
}

static int do_wake_agent(enum mechanism mechanism)
{
	(void)mechanism;
	return ops()->wake_agent(host.hypervisor, &id);
}

static int do_next_event(enum mechanism mechanism)
{
	uint32_t domid;

	(void)mechanism;
	return ops()->next_event(host.hypervisor, &domid);
}

/* ---- the cases ----------------------------------------------------------- */

/* The guest, and what was done before. */
#define HAS_AGENT 1u
#define IS_FOREIGN 2u /* another toolstack than libxl has built it */
#define IS_BARE 4u /* HVM without PV drivers */
#define IS_NARROW 8u /* of 32 bits */
#define IS_WATCHED 16u /* domains are watched */
#define IS_PREPARED 32u
#define IS_SUBSCRIBED 64u
#define IS_REQUESTED 128u
#define IS_SUSPENDED 256u
#define IS_PAUSED 512u
#define IS_PREPARED_TO_RESUME 1024u
#define IS_READ 2048u /* an inventory was read */

/*
 * `results` has a letter for each call that the verb makes, in their order: its result if this call
 * fails with EIO. E: -EIO, N: -ENOTCONN, D: -ENODATA, 1 and 2: this outcome, '.': as if no call
 * fails.
 */
static const struct verb_case {
	const char *name;
	int (*run)(enum mechanism mechanism);
	enum mechanism mechanism;
	enum domain_kind kind;
	unsigned int flags;
	int expected; /* if no call fails */
	const char *results;
} cases[] = {
	{ "open", do_open, 0, DOMAIN_PV, 0, 0, "EEEE" },
	{ "watch_domains", do_watch_domains, 0, DOMAIN_PV, 0, 0, "E" },
	{ "inventory", do_inventory, 0, DOMAIN_PV, HAS_AGENT, 0, "E.........................." },
	{ "inventory of HVM", do_inventory, 0, DOMAIN_HVM, 0, 0, "E......................." },
	{ "inventory without libxl", do_inventory, 0, DOMAIN_PV, IS_FOREIGN, 0,
	  "E............................." },
	{ "inventory while watching", do_inventory, 0, DOMAIN_PV, HAS_AGENT | IS_WATCHED, 0,
	  "E...................................." },
	{ "inventory again", do_inventory, 0, DOMAIN_HVM, IS_WATCHED | IS_READ, 0,
	  "E......................." },
	{ "list_domains", do_list_domains, 0, DOMAIN_PV, 0, 0, "E" },
	{ "examine", do_examine, 0, DOMAIN_PV, HAS_AGENT, 0, "...." },
	{ "prepare agent", do_prepare, MECHANISM_AGENT, DOMAIN_PV, HAS_AGENT, 0, "E1EE" },
	{ "prepare agent again", do_prepare, MECHANISM_AGENT, DOMAIN_PV, HAS_AGENT | IS_PREPARED, 0,
	  "E." },
	{ "prepare xenstore", do_prepare, MECHANISM_XENSTORE, DOMAIN_PV, 0, 0, "E...EE" },
	{ "prepare xenstore again", do_prepare, MECHANISM_XENSTORE, DOMAIN_PV, IS_PREPARED, 0,
	  "E." },
	{ "prepare xenstore while watching", do_prepare, MECHANISM_XENSTORE, DOMAIN_PV,
	  IS_WATCHED | IS_READ, 0, "E..EE" },
	{ "prepare HVM", do_prepare, MECHANISM_HVM, DOMAIN_HVM, IS_BARE, 0, "EEE" },
	{ "arm", do_arm, MECHANISM_AGENT, DOMAIN_PV, HAS_AGENT, 0, "EEEEEEEEEE" },
	{ "subscribe", do_subscribe, MECHANISM_XENSTORE, DOMAIN_PV, IS_PREPARED, 0, "EE" },
	{ "request xenstore", do_request, MECHANISM_XENSTORE, DOMAIN_PV, IS_PREPARED, 0, "EEEE" },
	{ "request xenstore, subscribed", do_request, MECHANISM_XENSTORE, DOMAIN_PV,
	  IS_PREPARED | IS_SUBSCRIBED, 0, "EE" },
	{ "request agent", do_request, MECHANISM_AGENT, DOMAIN_PV,
	  HAS_AGENT | IS_PREPARED | IS_SUBSCRIBED, 0, "EE" },
	{ "request HVM", do_request, MECHANISM_HVM, DOMAIN_HVM,
	  IS_BARE | IS_PREPARED | IS_SUBSCRIBED, 0, "EEE" },
	{ "request HVM with drivers", do_request, MECHANISM_HVM, DOMAIN_HVM,
	  IS_PREPARED | IS_SUBSCRIBED, REQUEST_HAS_DRIVERS, "EE" },
	{ "retract xenstore", do_retract, MECHANISM_XENSTORE, DOMAIN_PV, IS_PREPARED | IS_REQUESTED,
	  RETRACTED, "EE1EE." },
	{ "retract agent", do_retract, MECHANISM_AGENT, DOMAIN_PV,
	  HAS_AGENT | IS_PREPARED | IS_REQUESTED, RETRACTED, "EE.E.E.." },
	{ "retract HVM", do_retract, MECHANISM_HVM, DOMAIN_HVM, IS_BARE | IS_PREPARED,
	  RETRACT_TOO_LATE, "E" },
	{ "get_request_owner", do_get_request_owner, MECHANISM_XENSTORE, DOMAIN_PV,
	  IS_PREPARED | IS_REQUESTED, REQUEST_OF_US, "" },
	{ "get_request_owner, suspended", do_get_request_owner, MECHANISM_XENSTORE, DOMAIN_PV,
	  IS_PREPARED | IS_REQUESTED | IS_SUSPENDED, REQUEST_OF_ANOTHER, "0" },
	{ "get_request_owner of agent", do_get_request_owner, MECHANISM_AGENT, DOMAIN_PV,
	  HAS_AGENT | IS_PREPARED | IS_REQUESTED | IS_SUSPENDED, REQUEST_OF_US, "." },
	{ "get_state", do_get_state, 0, DOMAIN_PV, 0, 0, "E" },
	{ "get_agent_state", do_get_agent_state, 0, DOMAIN_PV, HAS_AGENT, 0, "E." },
	{ "unsubscribe", do_unsubscribe, MECHANISM_XENSTORE, DOMAIN_PV, IS_PREPARED | IS_SUBSCRIBED,
	  0, "E" },
	{ "pause", do_pause, 0, DOMAIN_PV, 0, 0, "EE" },
	{ "unpause", do_unpause, 0, DOMAIN_PV, IS_PAUSED, 0, "EE" },
	{ "prepare_resume", do_prepare_resume, 0, DOMAIN_PV, IS_SUSPENDED, 0, "EEEE" },
	{ "prepare_resume of 32 bits", do_prepare_resume, 0, DOMAIN_PV, IS_SUSPENDED | IS_NARROW, 0,
	  "EEEE" },
	{ "prepare_resume of PVH", do_prepare_resume, 0, DOMAIN_PVH, IS_SUSPENDED, 0, "EEE" },
	{ "prepare_resume of HVM", do_prepare_resume, 0, DOMAIN_HVM, IS_SUSPENDED, 0, "EEEE" },
	{ "resume", do_resume, 0, DOMAIN_PV, IS_SUSPENDED, 0, "EEEEE" },
	{ "resume, prepared", do_resume, 0, DOMAIN_PV, IS_SUSPENDED | IS_PREPARED_TO_RESUME, 0,
	  "EE" },
	{ "resume of HVM, prepared", do_resume, 0, DOMAIN_HVM, IS_SUSPENDED | IS_PREPARED_TO_RESUME,
	  0, "EE" },
	{ "resume_in_xenstore", do_resume_in_xenstore, MECHANISM_XENSTORE, DOMAIN_PV, IS_PREPARED,
	  0, "EE" },
	{ "wake_agent", do_wake_agent, MECHANISM_AGENT, DOMAIN_PV, HAS_AGENT | IS_PREPARED, 0,
	  "E" },
	{ "wake_agent of an earlier process", do_wake_agent, MECHANISM_AGENT, DOMAIN_PV, HAS_AGENT,
	  0, "NNE.E" },
	{ "next_event", do_next_event, MECHANISM_XENSTORE, DOMAIN_PV, IS_PREPARED, 1, "" },
};

static struct guest facts_of_guest(void)
{
	struct inventory inventory = fake_host_inventory(&host);
	struct guest found = *inventory_find_domid(&inventory, fake_guest_domid(guest));

	inventory_done(&inventory);
	return found;
}

static void begin(const struct verb_case *verb_case)
{
	unsigned int flags = verb_case->flags;
	struct fake_guest_params params = {
		.name = "guest",
		.kind = verb_case->kind,
		.answer = ANSWER_NEVER,
		.without_record = flags & IS_FOREIGN,
		.without_drivers = flags & IS_BARE,
	};

	fake_host_start(&host);
	fake_host_add("other");
	guest = fake_guest_build(&params);
	id = fake_host_id(guest);
	fake_guest_add_device(guest, fake_guest_domid(guest) - 1, "vif", 0);
	fake_guest_add_pci(guest, "0000:03:00.0");
	if (flags & IS_NARROW)
		fake_guest_domain(guest)->width = 4;
	if (flags & HAS_AGENT)
		fake_agent_start(guest, AGENT_IS_DEAD);
	fake_host_open(&host);
	if (flags & IS_WATCHED)
		assert_int_equal(ops()->watch_domains(host.hypervisor), 0);
	if (flags & IS_READ || !(flags & IS_WATCHED))
		facts = facts_of_guest();
	if (flags & IS_PREPARED)
		assert_int_equal(do_prepare(verb_case->mechanism), 0);
	if (flags & IS_SUBSCRIBED)
		assert_int_equal(do_subscribe(verb_case->mechanism), 0);
	if (flags & IS_REQUESTED && verb_case->mechanism == MECHANISM_AGENT)
		assert_int_equal(do_arm(verb_case->mechanism), 0);
	if (flags & IS_REQUESTED)
		assert_int_equal(do_request(verb_case->mechanism), 0);
	if (flags & IS_SUSPENDED)
		domains_shut_down(fake_guest_domain(guest), REASON_SUSPEND);
	if (flags & IS_PAUSED)
		domains_pause(fake_guest_domain(guest));
	if (flags & IS_PREPARED_TO_RESUME)
		assert_int_equal(do_prepare_resume(0), 0);
}

static char letter_of(int r, int expected)
{
	if (r == expected)
		return '.';
	switch (r) {
	case -EIO:
		return 'E';
	case -ENOTCONN:
		return 'N';
	case -ENODATA:
		return 'D';
	case 0:
	case 1:
	case 2:
		return (char)('0' + r);
	}
	return '?';
}

static void reports_a_failure_of_each_call(void **state)
{
	bool is_wrong = false;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct verb_case *verb_case = &cases[i];
		char results[128] = "";

		for (unsigned int n = 1;; n++) {
			unsigned int before;
			bool was_reached;
			int r;

			begin(verb_case);
			before = faults_count();
			faults_fail_call(n, EIO);
			r = verb_case->run(verb_case->mechanism);
			was_reached = faults_count() - before >= n;
			faults_start();
			if (was_reached)
				results[n - 1] = letter_of(r, verb_case->expected);
			else
				assert_int_equal(r, verb_case->expected);
			fake_host_stop(&host);
			if (!was_reached)
				break;
		}
		if (strcmp(results, verb_case->results) == 0)
			continue;
		print_error("%s: \"%s\", not \"%s\"\n", verb_case->name, results,
			    verb_case->results);
		is_wrong = true;
	}
	assert_false(is_wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_a_failure_of_each_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
