/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Single verbs of the real hypervisor table on the double of Xen, and their failures. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "xen/hypervisor-xen.h"
#include "tests/unit/xen/fake_host.h"
#include "tests/fakexen/agents.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/process.h"
#include "tests/fakexen/store-client.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/toolstacks.h"
#include "tests/fakexen/virtual-time.h"

static struct fake_host host;

static int start(void **state)
{
	(void)state;
	fake_host_start(&host);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_host_stop(&host);
	return 0;
}

static const struct hypervisor_ops *ops(void)
{
	return host.hypervisor->ops;
}

/* What the inventory says of a guest now. */
static struct guest facts_of(const struct fake_guest *guest)
{
	struct inventory inventory = fake_host_inventory(&host);
	struct guest facts = *inventory_find_domid(&inventory, fake_guest_domid(guest));

	inventory_done(&inventory);
	return facts;
}

static int prepare(const struct fake_guest *guest, enum mechanism mechanism)
{
	struct guest facts = facts_of(guest);

	return ops()->prepare(host.hypervisor, &facts, mechanism);
}

/* ---- opening ------------------------------------------------------------- */

static int try_open(struct error *error)
{
	struct hypervisor *hypervisor = NULL;
	int r = hypervisor_xen_open(host.roots.run, -1, &hypervisor, error);

	if (r == 0) {
		r = hypervisor->ops->connect(hypervisor, error);
		hypervisor_close(hypervisor);
	}
	return r;
}

static void opens_only_in_dom0(void **state)
{
	struct error error = { 0 };

	(void)state;
	process_set_privileged(false);
	assert_int_equal(try_open(&error), -ENODEV);
	assert_non_null(strstr(error_text(&error), "this is a Xen guest"));
}

static void opens_only_on_xen(void **state)
{
	struct error error = { 0 };

	(void)state;
	process_set_on_xen(false);
	assert_int_equal(try_open(&error), -ENODEV);
	assert_non_null(strstr(error_text(&error), "does not run on Xen"));
}

static void opens_only_for_root(void **state)
{
	struct error error = { 0 };

	(void)state;
	process_set_root(false);
	assert_int_equal(try_open(&error), -EPERM);
	assert_non_null(strstr(error_text(&error), "only root"));
}

static void names_xenstored_when_nobody_listens(void **state)
{
	struct error error = { 0 };

	(void)state;
	store_client_stop_daemon();
	assert_int_equal(try_open(&error), -ECONNREFUSED);
	assert_non_null(strstr(error_text(&error), "xenstored does not answer"));
}

struct open_case {
	const char *function;
	unsigned int n_skipped;
	int error, expected;
	const char *text;
};

static void tells_what_could_not_be_opened(void **state)
{
	static const struct open_case cases[] = {
		{ "xc_interface_open", 0, ENOENT, -ENOENT, "/dev/xen/privcmd" },
		{ "xc_domain_getinfolist", 0, EACCES, -EPROTO, "this is Xen 4.17" },
		{ "xc_domain_getinfolist", 0, EPERM, -EPERM, "cannot list Xen's domains" },
		{ "xencall_open", 0, EACCES, -EACCES, "/dev/xen/hypercall" },
		{ "xenevtchn_open", 0, ENOENT, -ENOENT, "modprobe xen-evtchn" },
		{ "xs_open", 0, EMFILE, -ECONNREFUSED, "xenstored" },
		{ "xs_open", 1, EMFILE, -ECONNREFUSED, "xenstored" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct error error = { 0 };

		faults_add(cases[i].function, NULL, cases[i].error, cases[i].n_skipped, 1);
		assert_int_equal(try_open(&error), cases[i].expected);
		if (!strstr(error_text(&error), cases[i].text))
			fail_msg("%s: %s", cases[i].function, error_text(&error));
		faults_start();
	}
}

/* A resume must not depend on it. The daemon, which does, tries again. */
static void opens_without_a_watch_that_only_the_daemon_needs(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 4; n++) {
		faults_add("xs_watch", NULL, EIO, n % 2, n < 2 ? 1 : 2);
		fake_host_open(&host);
		assert_int_equal(ops()->watch_domains(host.hypervisor), n < 2 ? 0 : -EIO);
		fake_host_close(&host);
		faults_start();
	}
}

/* ---- what `check` reads -------------------------------------------------- */

static void examines_memory_devices_and_port(void **state)
{
	struct fake_guest *guest = fake_host_add("netvm");
	struct fake_agent *agent;
	struct guest_examination examination;
	struct guest facts;

	(void)state;
	fake_guest_add_pci(guest, "0000:03:00.0");
	fake_guest_add_pci(guest, "0000:04:00.1");
	agent = fake_agent_start(guest, AGENT_WORKS);
	fake_host_open(&host);
	facts = facts_of(guest);
	assert_int_equal(facts.agent.port, fake_agent_port(agent));
	assert_int_equal(ops()->examine(host.hypervisor, &facts, &examination), 0);
	assert_int_equal(examination.n_pci, 2);
	assert_string_equal(examination.pci[1], "0000:04:00.1");
	assert_int_equal(examination.memory_kib, 262144);
	assert_false(examination.agent_port_is_stale);
	event_channels_reset(fake_guest_domid(guest));
	assert_int_equal(ops()->examine(host.hypervisor, &facts, &examination), 0);
	assert_true(examination.agent_port_is_stale);
}

static void examines_as_many_devices_as_fit(void **state)
{
	struct fake_guest *guest = fake_host_add("netvm");
	struct guest_examination examination;
	struct guest facts;
	char address[16], node[64];

	(void)state;
	for (unsigned int i = 0; i < EXAMINED_PCI_MAX + 2; i++) {
		snprintf(address, sizeof(address), "0000:%02x:00.0", i + 1);
		fake_guest_add_pci(guest, address);
	}
	store_write_as(0, fake_guest_path(guest, "memory/static-max"), "524288");
	fake_host_open(&host);
	facts = facts_of(guest);
	assert_int_equal(facts.pci_functions, EXAMINED_PCI_MAX + 2);
	assert_int_equal(ops()->examine(host.hypervisor, &facts, &examination), 0);
	assert_int_equal(examination.n_pci, EXAMINED_PCI_MAX);
	for (unsigned int i = 0; i < EXAMINED_PCI_MAX; i++) {
		snprintf(address, sizeof(address), "0000:%02x:00.0", i + 1);
		assert_string_equal(examination.pci[i], address);
	}
	assert_int_equal(examination.memory_kib, 262144);
	assert_int_equal(examination.memory_max_kib, 524288);
	/* Without an agent, no port of it is stale. */
	assert_false(examination.agent_port_is_stale);
	/* One that cannot be read is left out. */
	snprintf(node, sizeof(node), "/local/domain/0/backend/pci/%u/0/dev-0",
		 fake_guest_domid(guest));
	assert_int_equal(store_remove_as(0, node), 0);
	assert_int_equal(ops()->examine(host.hypervisor, &facts, &examination), 0);
	assert_int_equal(examination.n_pci, EXAMINED_PCI_MAX - 1);
	assert_string_equal(examination.pci[0], "0000:02:00.0");
	store_remove_as(0, fake_guest_path(guest, "memory/target"));
	assert_int_equal(ops()->examine(host.hypervisor, &facts, &examination), 0);
	assert_int_equal(examination.memory_kib, 0);
}

/* An agent's port that another domain than dom0 could bind is of no use. */
static void examines_whose_port_an_agent_has_published(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	uint32_t domid = fake_guest_domid(guest);
	struct guest_examination examination;
	struct guest facts;

	(void)state;
	fake_host_open(&host);
	facts = facts_of(guest);
	for (int remote = 0; remote < 2; remote++) {
		facts.agent.port = event_channels_alloc(domid, remote ? 5 : 0);
		assert_int_equal(ops()->examine(host.hypervisor, &facts, &examination), 0);
		assert_int_equal(examination.agent_port_is_stale, remote);
	}
	facts.agent.port = 4000;
	assert_int_equal(ops()->examine(host.hypervisor, &facts, &examination), 0);
	assert_true(examination.agent_port_is_stale);
	/* One that is bound to dom0 is in use. */
	facts.agent.port = event_channels_alloc(domid, 0);
	assert_true(event_channels_bind_elsewhere(domid, facts.agent.port));
	assert_int_equal(ops()->examine(host.hypervisor, &facts, &examination), 0);
	assert_false(examination.agent_port_is_stale);
}

/* ---- preparing ----------------------------------------------------------- */

static void refuses_a_port_that_is_not_for_dom0(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	char port[16];

	(void)state;
	snprintf(port, sizeof(port), "%u", event_channels_alloc(fake_guest_domid(guest), 5));
	store_write_as(fake_guest_domid(guest), "device/suspend/event-channel", port);
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_EVENT_CHANNEL), PREPARE_PORT_IS_STALE);
}

static void refuses_a_port_that_another_program_holds(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	uint32_t number = event_channels_alloc(fake_guest_domid(guest), 0);
	char port[16];

	(void)state;
	assert_true(event_channels_bind_elsewhere(fake_guest_domid(guest), number));
	snprintf(port, sizeof(port), "%u", number);
	store_write_as(fake_guest_domid(guest), "device/suspend/event-channel", port);
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_EVENT_CHANNEL), PREPARE_PORT_IS_BUSY);
}

static void reports_each_step_of_preparing_that_fails(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");

	(void)state;
	fake_host_open(&host);
	faults_add("xc_evtchn_alloc_unbound", NULL, ENOSPC, 0, 1);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), -ENOSPC);
	faults_add("xenevtchn_bind_interdomain", NULL, EMFILE, 0, 1);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), -EMFILE);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	/* Again: nothing more is allocated. */
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	assert_int_equal(event_channels_count_ports(fake_guest_domid(guest)), 3);
}

static void binds_again_after_a_kexec(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	struct domain_id id;

	(void)state;
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	event_channels_reset(fake_guest_domid(guest));
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	id = fake_host_id(guest);
	assert_int_equal(ops()->request(host.hypervisor, &id, MECHANISM_XENSTORE), 0);
	virtual_time_pass(100000);
	assert_true(fake_guest_domain(guest)->is_shut_down);
}

/* ---- each verb on a domain that is gone ---------------------------------- */

static void touches_no_domain_that_has_the_domid_of_another(void **state)
{
	struct fake_guest_params params = { .name = "second", .uuid_tag = 99 };
	struct fake_guest *first = fake_host_add("first"), *second;
	const struct agent_terms terms = { .timeout_us = 1000000 };
	struct domain_id id = fake_host_id(first);
	struct domain_state domain_state;

	(void)state;
	params.domid = id.domid;
	fake_host_open(&host);
	domains_destroy(fake_guest_domain(first), 0);
	second = fake_guest_build(&params);
	assert_int_equal(ops()->arm(host.hypervisor, &id, 1, &terms), -ESRCH);
	assert_int_equal(ops()->subscribe(host.hypervisor, &id, MECHANISM_XENSTORE), -ESRCH);
	assert_int_equal(ops()->request(host.hypervisor, &id, MECHANISM_XENSTORE), -ESRCH);
	assert_int_equal(ops()->retract(host.hypervisor, &id, MECHANISM_XENSTORE, 1), -ESRCH);
	assert_int_equal(ops()->pause(host.hypervisor, &id), -ESRCH);
	assert_int_equal(ops()->unpause(host.hypervisor, &id), -ESRCH);
	assert_int_equal(ops()->prepare_resume(host.hypervisor, &id), -ESRCH);
	assert_int_equal(ops()->resume(host.hypervisor, &id), -ESRCH);
	assert_int_equal(ops()->resume_in_xenstore(host.hypervisor, &id), -ESRCH);
	assert_int_equal(ops()->get_state(host.hypervisor, &id, &domain_state), 0);
	assert_int_equal(domain_state.state, GUEST_GONE);
	assert_untouched(second);
}

/* ---- requests ------------------------------------------------------------ */

static void resumes_only_what_is_suspended(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	struct domain_id id = fake_host_id(guest);

	(void)state;
	fake_host_open(&host);
	assert_int_equal(ops()->resume(host.hypervisor, &id), -EBUSY);
	assert_int_equal(ops()->prepare_resume(host.hypervisor, &id), -EBUSY);
	domains_shut_down(fake_guest_domain(guest), REASON_CRASH);
	assert_int_equal(ops()->resume(host.hypervisor, &id), -EBUSY);
	assert_true(fake_guest_domain(guest)->is_shut_down);
}

/* Prepared, resumed by somebody else, suspended again: what was prepared does not count. */
static void prepares_a_resume_again_after_the_guest_has_run(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	struct domain_id id = fake_host_id(guest);

	(void)state;
	fake_host_open(&host);
	domains_shut_down(fake_guest_domain(guest), REASON_SUSPEND);
	assert_int_equal(ops()->prepare_resume(host.hypervisor, &id), 0);
	toolstack_resume(id.domid);
	domains_shut_down(fake_guest_domain(guest), REASON_SUSPEND);
	assert_int_equal(ops()->resume(host.hypervisor, &id), 0);
	assert_int_equal(fake_guest_domain(guest)->n_not_cancelled, 0);
	assert_int_equal(fake_guest_domain(guest)->n_resumed, 2);
}

static void acknowledge(void *data)
{
	store_write_as(fake_guest_domid(data), "control/shutdown", "");
}

/* Between the read and the write of the transaction that retracts it. */
static void notices_an_acknowledgement_at_the_last_moment(void **state)
{
	struct fake_guest_params params = { .name = "guest", .answer = ANSWER_NEVER };
	struct fake_guest *guest = fake_guest_build(&params);
	struct domain_id id = fake_host_id(guest);

	(void)state;
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	assert_int_equal(ops()->request(host.hypervisor, &id, MECHANISM_XENSTORE), 0);
	assert_int_equal(fake_guest_domain(guest)->subscription, 3);
	store_client_before_end(acknowledge, guest);
	assert_int_equal(ops()->retract(host.hypervisor, &id, MECHANISM_XENSTORE, 1),
			 RETRACT_TOO_LATE);
	/* It may still suspend, so that the subscription remains. */
	assert_int_equal(fake_guest_domain(guest)->subscription, 3);
}

static void retracts_and_unsubscribes(void **state)
{
	struct fake_guest_params params = { .name = "guest", .answer = ANSWER_NEVER };
	struct fake_guest *guest = fake_guest_build(&params);
	struct domain_id id = fake_host_id(guest);

	(void)state;
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	assert_int_equal(ops()->request(host.hypervisor, &id, MECHANISM_XENSTORE), 0);
	assert_int_equal(ops()->retract(host.hypervisor, &id, MECHANISM_XENSTORE, 1), RETRACTED);
	assert_untouched(guest);
}

static void touch_node(void *data)
{
	store_write_as(fake_guest_domid(data), "control/shutdown", "suspend");
	store_client_before_end(touch_node, data);
}

/* A guest that writes its node within each transaction. */
static void retracts_in_the_end_whatever_a_guest_writes(void **state)
{
	struct fake_guest_params params = { .name = "guest", .answer = ANSWER_NEVER };
	struct fake_guest *guest = fake_guest_build(&params);
	struct domain_id id = fake_host_id(guest);

	(void)state;
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	assert_int_equal(ops()->request(host.hypervisor, &id, MECHANISM_XENSTORE), 0);
	store_client_before_end(touch_node, guest);
	assert_int_equal(ops()->retract(host.hypervisor, &id, MECHANISM_XENSTORE, 1),
			 RETRACT_TOO_LATE);
	store_client_before_end(NULL, NULL);
	assert_runs(guest);
}

/* Between two verbs the domid can become that of another domain. */
static void requests_from_no_domain_that_has_the_domid_of_another(void **state)
{
	struct fake_guest_params params = { .name = "second", .uuid_tag = 99 };
	struct fake_guest *first = fake_host_add("first"), *second;
	struct domain_id id = fake_host_id(first);

	(void)state;
	params.domid = id.domid;
	fake_host_open(&host);
	assert_int_equal(prepare(first, MECHANISM_XENSTORE), PREPARED);
	assert_int_equal(ops()->subscribe(host.hypervisor, &id, MECHANISM_XENSTORE), 0);
	domains_destroy(fake_guest_domain(first), 0);
	second = fake_guest_build(&params);
	assert_int_equal(ops()->request(host.hypervisor, &id, MECHANISM_XENSTORE), -ESRCH);
	assert_untouched(second);
}

static void tells_a_failed_write_from_a_conflict(void **state)
{
	struct fake_guest_params params = { .name = "guest", .answer = ANSWER_NEVER };
	struct fake_guest *guest = fake_guest_build(&params);
	struct domain_id id = fake_host_id(guest);

	(void)state;
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	assert_int_equal(ops()->request(host.hypervisor, &id, MECHANISM_XENSTORE), 0);
	faults_add("xs_write", "control/shutdown", EAGAIN, 0, 1);
	assert_int_equal(ops()->retract(host.hypervisor, &id, MECHANISM_XENSTORE, 1), -EIO);
	faults_add("xs_transaction_start", NULL, ENOMEM, 0, 1);
	assert_int_equal(ops()->retract(host.hypervisor, &id, MECHANISM_XENSTORE, 1), -ENOMEM);
	assert_int_equal(ops()->retract(host.hypervisor, &id, MECHANISM_XENSTORE, 1), RETRACTED);
}

static void cannot_take_back_an_event_or_a_hypercall(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	struct domain_id id = fake_host_id(guest);

	(void)state;
	fake_host_open(&host);
	assert_int_equal(ops()->retract(host.hypervisor, &id, MECHANISM_HVM, 1), RETRACT_TOO_LATE);
	assert_int_equal(ops()->retract(host.hypervisor, &id, MECHANISM_EVENT_CHANNEL, 1),
			 RETRACT_TOO_LATE);
	assert_int_equal(ops()->request(host.hypervisor, &id, MECHANISM_AGENT), -ENOTCONN);
}

/* ---- agents -------------------------------------------------------------- */

static void reads_what_an_agent_has_published(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	struct domain_id id = fake_host_id(guest);
	struct agent_state agent;

	(void)state;
	fake_host_open(&host);
	assert_int_equal(ops()->get_agent_state(host.hypervisor, &id, &agent), -ENODATA);
	store_write_as(id.domid, "data/pmcoord/state", "ready  3");
	assert_int_equal(ops()->get_agent_state(host.hypervisor, &id, &agent), -EBADMSG);
	store_write_as(id.domid, "data/pmcoord/state", "failed 3");
	store_write_as(id.domid, "data/pmcoord/detail", "card\x07 busy");
	assert_int_equal(ops()->get_agent_state(host.hypervisor, &id, &agent), 0);
	assert_int_equal(agent.state.state, PROTOCOL_AGENT_FAILED);
	assert_int_equal(agent.state.cycle, 3);
	assert_string_equal(agent.detail, "card? busy");
}

/* dom0 owns its requests: the guest reads them, and nobody else. */
static void writes_requests_that_only_their_guest_can_read(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	const struct agent_terms terms = { .timeout_us = 5000000, .ignore_inhibitors = true };
	struct domain_id id = fake_host_id(guest);
	const struct store_node *node;

	(void)state;
	fake_host_open(&host);
	assert_int_equal(ops()->arm(host.hypervisor, &id, 9, &terms), 0);
	assert_string_equal(store_text(fake_guest_path(guest, PROTOCOL_NODE_REQUEST)), "suspend 9");
	assert_string_equal(store_text(fake_guest_path(guest, PROTOCOL_NODE_TIMEOUT)), "5000");
	assert_string_equal(store_text(fake_guest_path(guest, PROTOCOL_NODE_INHIBITORS)), "ignore");
	node = store_tree_find(store_tree(), fake_guest_path(guest, PROTOCOL_NODE_REQUEST));
	assert_int_equal(store_tree_permissions(node, id.domid), XS_PERM_READ);
	assert_int_equal(store_tree_permissions(node, id.domid + 1), XS_PERM_NONE);
	assert_int_equal(store_write_as(id.domid, PROTOCOL_NODE_REQUEST, "abort 9"), -EACCES);
	faults_add("xs_set_permissions", NULL, ENOMEM, 0, 1);
	assert_int_equal(ops()->arm(host.hypervisor, &id, 10, &terms), -ENOMEM);
}

static void wakes_an_agent_that_it_has_not_prepared(void **state)
{
	struct fake_guest *guest = fake_host_add("guest"), *other = fake_host_add("other");
	struct domain_id id = fake_host_id(guest), other_id = fake_host_id(other);

	(void)state;
	fake_agent_start(guest, AGENT_WORKS);
	fake_host_open(&host);
	assert_int_equal(ops()->wake_agent(host.hypervisor, &id), 0);
	assert_int_equal(ops()->wake_agent(host.hypervisor, &other_id), -ENOTCONN);
	store_write_as(other_id.domid, "data/pmcoord/event-channel", "77");
	assert_int_equal(ops()->wake_agent(host.hypervisor, &other_id), -ENOTCONN);
}

/* ---- events -------------------------------------------------------------- */

static int count_events(uint32_t domid)
{
	uint32_t of;
	int n = 0;

	while (ops()->next_event(host.hypervisor, &of) > 0)
		n += of == domid;
	return n;
}

static void reports_the_domain_of_each_event(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	struct domain_id id = fake_host_id(guest);

	(void)state;
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	count_events(id.domid);
	assert_int_equal(ops()->subscribe(host.hypervisor, &id, MECHANISM_XENSTORE), 0);
	domains_shut_down(fake_guest_domain(guest), REASON_SUSPEND);
	assert_int_equal(count_events(id.domid), 1);
	assert_int_equal(count_events(id.domid), 0);
	/* Another end of the domain comes by xenstored. */
	domains_resume(fake_guest_domain(guest), true);
	domains_shut_down(fake_guest_domain(guest), REASON_CRASH);
	assert_int_equal(count_events(HYPERVISOR_ALL_DOMAINS), 1);
}

/* Looking takes no event from who waits, and what was read ahead makes the descriptor readable. */
static void keeps_events_when_guests_are_listed(void **state)
{
	struct fake_guest *guest = fake_host_add("guest"), *other = fake_host_add("other");
	struct inventory inventory;
	struct pollfd pollfd = { .events = POLLIN };

	(void)state;
	fake_agent_start(guest, AGENT_WORKS);
	fake_host_open(&host);
	assert_int_equal(ops()->watch_domains(host.hypervisor), 0);
	inventory = fake_host_inventory(&host);
	inventory_done(&inventory);
	count_events(0);
	pollfd.fd = ops()->fd(host.hypervisor);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	store_write_as(fake_guest_domid(guest), "data/pmcoord/state", "ready 7");
	store_write_as(fake_guest_domid(other), "control/feature-suspend", "0");
	for (int i = 0; i < 3; i++) {
		inventory = fake_host_inventory(&host);
		inventory_done(&inventory);
	}
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	assert_int_equal(count_events(fake_guest_domid(guest)), 1);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	assert_int_equal(count_events(fake_guest_domid(other)), 0);
}

/* A guest writes its own nodes without end: one event, then its watches are removed. */
static void mutes_a_guest_that_writes_without_end(void **state)
{
	struct fake_guest *guest = fake_host_add("guest"), *other = fake_host_add("other");
	uint32_t domid = fake_guest_domid(guest);
	struct inventory inventory;
	char text[16];

	(void)state;
	fake_host_open(&host);
	assert_int_equal(ops()->watch_domains(host.hypervisor), 0);
	inventory = fake_host_inventory(&host);
	inventory_done(&inventory);
	count_events(0);
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		store_write_as(domid, "control/feature-suspend", text);
	}
	for (int i = 0; i < 20; i++)
		assert_true(count_events(domid) <= 2);
	/* From now on it causes no events, and is read with those of others. */
	store_write_as(domid, "control/feature-suspend", "0");
	store_write_as(fake_guest_domid(other), "control/feature-suspend", "0");
	assert_int_equal(count_events(domid), 1);
	inventory = fake_host_inventory(&host);
	assert_int_equal(inventory_find_domid(&inventory, domid)->feature_suspend,
			 GUEST_FEATURE_NO);
	inventory_done(&inventory);
}

/* The port of a guest that sends without end stays masked; each turn ends with the guest. */
static void reports_a_guest_with_a_masked_port_in_each_turn(void **state)
{
	struct fake_guest *guest = fake_host_add("guest"), *other = fake_host_add("other");
	struct domain_id id = fake_host_id(guest);

	(void)state;
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	assert_int_equal(prepare(other, MECHANISM_XENSTORE), PREPARED);
	count_events(0);
	/* Its third port is the one that was allocated. */
	event_channels_storm(id.domid, 3, virtual_time_now() + 1000000);
	for (int i = 0; i < 1000; i++)
		count_events(0);
	virtual_time_pass(2000000);
	count_events(0);
	for (int i = 0; i < 3; i++) {
		event_channels_send(fake_guest_domid(other), 3);
		assert_int_equal(count_events(id.domid), 1);
	}
	event_channels_send(fake_guest_domid(other), 3);
	assert_int_equal(count_events(fake_guest_domid(other)), 1);
}

static void reports_that_events_cannot_be_read(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	uint32_t domid;

	(void)state;
	fake_host_open(&host);
	assert_int_equal(prepare(guest, MECHANISM_XENSTORE), PREPARED);
	count_events(0);
	faults_add("xenevtchn_pending", NULL, EIO, 0, 1);
	assert_int_equal(ops()->next_event(host.hypervisor, &domid), -EIO);
	assert_int_equal(count_events(0), 0);
}

static void reports_a_lost_connection(void **state)
{
	uint32_t domid;

	(void)state;
	fake_host_open(&host);
	count_events(0);
	store_client_lose();
	assert_int_equal(ops()->next_event(host.hypervisor, &domid), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
		T(opens_only_in_dom0),
		T(opens_only_on_xen),
		T(opens_only_for_root),
		T(names_xenstored_when_nobody_listens),
		T(tells_what_could_not_be_opened),
		T(opens_without_a_watch_that_only_the_daemon_needs),
		T(examines_memory_devices_and_port),
		T(examines_as_many_devices_as_fit),
		T(examines_whose_port_an_agent_has_published),
		T(refuses_a_port_that_is_not_for_dom0),
		T(refuses_a_port_that_another_program_holds),
		T(reports_each_step_of_preparing_that_fails),
		T(binds_again_after_a_kexec),
		T(touches_no_domain_that_has_the_domid_of_another),
		T(resumes_only_what_is_suspended),
		T(prepares_a_resume_again_after_the_guest_has_run),
		T(notices_an_acknowledgement_at_the_last_moment),
		T(retracts_and_unsubscribes),
		T(retracts_in_the_end_whatever_a_guest_writes),
		T(requests_from_no_domain_that_has_the_domid_of_another),
		T(tells_a_failed_write_from_a_conflict),
		T(cannot_take_back_an_event_or_a_hypercall),
		T(reads_what_an_agent_has_published),
		T(writes_requests_that_only_their_guest_can_read),
		T(wakes_an_agent_that_it_has_not_prepared),
		T(reports_the_domain_of_each_event),
		T(keeps_events_when_guests_are_listed),
		T(mutes_a_guest_that_writes_without_end),
		T(reports_a_guest_with_a_masked_port_in_each_turn),
		T(reports_that_events_cannot_be_read),
		T(reports_a_lost_connection),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
