/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inventory, read by the real xen/ folder from trees in xenstore that guests have written as
 * they like.
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
#include "pmcoord/protocol.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "tests/unit/xen/fake_host.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/store-client.h"
#include "tests/fakexen/store.h"
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

/* The guest writes a node of its own. */
static void write_own(const struct fake_guest *guest, const char *node, const char *text)
{
	assert_int_equal(store_write_as(fake_guest_domid(guest), node, text), 0);
}

/* Another toolstack than libxl has built it, so that its own tree tells its devices. */
static struct fake_guest *add_foreign(const char *name)
{
	struct fake_guest_params params = { .name = name, .without_record = true };

	return fake_guest_build(&params);
}

static const struct guest *find(const struct inventory *inventory, const struct fake_guest *guest)
{
	const struct guest *found = inventory_find_domid(inventory, fake_guest_domid(guest));

	assert_non_null(found);
	return found;
}

static bool needs(const struct inventory *inventory, const struct fake_guest *frontend,
		  const struct fake_guest *backend)
{
	for (size_t i = 0; i < inventory->n_links; i++)
		if (inventory->links[i].frontend == fake_guest_domid(frontend) &&
		    inventory->links[i].backend == fake_guest_domid(backend) &&
		    link_is_confirmed(&inventory->links[i]))
			return true;
	return false;
}

/* ---- what libxl has built ------------------------------------------------ */

static void lists_guests_but_neither_dom0_nor_xenstored(void **state)
{
	struct fake_guest *first = fake_host_add("first"), *xenstore = fake_host_add("xenstore");
	struct inventory inventory;

	(void)state;
	fake_guest_domain(xenstore)->is_xenstore_domain = true;
	fake_host_add("second");
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_int_equal(inventory.n_guests, 2);
	assert_string_equal(find(&inventory, first)->name, "first");
	assert_non_null(inventory_find_name(&inventory, "second"));
	assert_null(inventory_find_domid(&inventory, 0));
	assert_null(inventory_find_domid(&inventory, fake_guest_domid(xenstore)));
	inventory_done(&inventory);
}

static void lists_more_guests_than_one_hypercall_returns(void **state)
{
	struct inventory inventory;
	char name[24];

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "guest-%d", i);
		fake_host_add(name);
	}
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_int_equal(inventory.n_guests, 300);
	assert_non_null(inventory_find_name(&inventory, "guest-0"));
	assert_non_null(inventory_find_name(&inventory, "guest-299"));
	inventory_done(&inventory);
}

static void reads_the_type_of_each_kind_of_domain(void **state)
{
	struct fake_guest_params params[] = {
		{ .name = "pv", .kind = DOMAIN_PV },
		{ .name = "pvh", .kind = DOMAIN_PVH },
		{ .name = "hvm", .kind = DOMAIN_HVM },
		{ .name = "bare", .kind = DOMAIN_HVM, .without_drivers = true },
	};
	struct inventory inventory;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(params); i++)
		fake_guest_build(&params[i]);
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_int_equal(inventory_find_name(&inventory, "pv")->type, GUEST_PV);
	assert_int_equal(inventory_find_name(&inventory, "pvh")->type, GUEST_PVH);
	assert_int_equal(inventory_find_name(&inventory, "hvm")->type, GUEST_HVM);
	assert_true(inventory_find_name(&inventory, "hvm")->has_pv_drivers);
	assert_false(inventory_find_name(&inventory, "bare")->has_pv_drivers);
	inventory_done(&inventory);
}

static void notices_a_guest_in_its_own_s3(void **state)
{
	struct fake_guest_params params = { .name = "hvm", .kind = DOMAIN_HVM };
	struct fake_guest *guest = fake_guest_build(&params);
	struct inventory inventory;

	(void)state;
	fake_guest_domain(guest)->acpi_state = 3;
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_true(find(&inventory, guest)->in_acpi_s3);
	inventory_done(&inventory);
}

static void reads_the_state_of_each_domain(void **state)
{
	struct fake_guest *running = fake_host_add("running"), *paused = fake_host_add("paused");
	struct fake_guest *suspended = fake_host_add("suspended"), *off = fake_host_add("off");
	struct fake_guest *crashed = fake_host_add("crashed"), *dying = fake_host_add("dying");
	struct inventory inventory;

	(void)state;
	domains_pause(fake_guest_domain(paused));
	domains_shut_down(fake_guest_domain(suspended), REASON_SUSPEND);
	domains_shut_down(fake_guest_domain(off), REASON_POWEROFF);
	domains_shut_down(fake_guest_domain(crashed), REASON_CRASH);
	domains_destroy(fake_guest_domain(dying), 1000000);
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_int_equal(find(&inventory, running)->state, GUEST_RUNNING);
	assert_int_equal(find(&inventory, paused)->state, GUEST_PAUSED);
	assert_int_equal(find(&inventory, suspended)->state, GUEST_SUSPENDED);
	assert_int_equal(find(&inventory, off)->state, GUEST_SHUT_DOWN);
	assert_int_equal(find(&inventory, crashed)->state, GUEST_SHUT_DOWN);
	assert_int_equal(find(&inventory, dying)->state, GUEST_DYING);
	inventory_done(&inventory);
}

static void reads_devices_from_libxls_record(void **state)
{
	struct fake_guest *net = fake_host_add("net"), *web = fake_host_add("web");
	struct inventory inventory;

	(void)state;
	fake_guest_add_device(web, fake_guest_domid(net), "vif", 0);
	fake_guest_add_device(web, 0, "vbd", 51712);
	fake_guest_add_pci(net, "0000:03:00.0");
	fake_guest_add_pci(net, "0000:04:00.0");
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_true(needs(&inventory, web, net));
	assert_int_equal(inventory.n_links, 1);
	assert_int_equal(inventory.links[0].class, LINK_NETWORK);
	assert_int_equal(find(&inventory, net)->pci_functions, 2);
	assert_int_equal(find(&inventory, net)->role, GUEST_ROLE_DRIVER_DOMAIN);
	assert_int_equal(find(&inventory, web)->role, GUEST_ROLE_GUEST);
	inventory_done(&inventory);
}

static void reads_devices_that_both_ends_record_without_libxl(void **state)
{
	struct fake_guest *net = add_foreign("net"), *web = add_foreign("web");
	struct inventory inventory;

	(void)state;
	fake_guest_add_device(web, fake_guest_domid(net), "vif", 0);
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_true(needs(&inventory, web, net));
	inventory_done(&inventory);
}

static void knows_a_stub_domain_by_its_target(void **state)
{
	struct fake_guest *windows = fake_host_add("windows"), *stub = fake_host_add("windows-dm");
	struct inventory inventory;
	char domid[16];

	(void)state;
	snprintf(domid, sizeof(domid), "%u", fake_guest_domid(windows));
	store_write_as(0, fake_guest_path(stub, "target"), domid);
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_true(needs(&inventory, windows, stub));
	assert_int_equal(find(&inventory, stub)->role, GUEST_ROLE_STUB_DOMAIN);
	inventory_done(&inventory);
}

/* Each fact that a guest, its agent and dom0 have written. */
static void reads_each_fact_of_a_guest(void **state)
{
	static const struct {
		const char *node, *text;
		bool by_dom0;
	} nodes[] = {
		{ "control/feature-suspend", "0", false },
		{ "control/shutdown", "poweroff", true },
		{ "device/suspend/event-channel", "77", false },
		{ "data/pmcoord/version", "4294967295", false },
		{ "data/pmcoord/event-channel", "4294967295", false },
		{ "data/pmcoord/state", "failed 41", false },
		{ PROTOCOL_NODE_REQUEST, "abort 42", true },
		{ PROTOCOL_NODE_TIMEOUT, "7001", true },
		{ PROTOCOL_NODE_INHIBITORS, PROTOCOL_INHIBITORS_IGNORE, true },
	};
	struct fake_guest *guest = fake_host_add("guest"), *plain = fake_host_add("plain");
	const struct guest *found;
	struct inventory inventory;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(nodes); i++) {
		if (nodes[i].by_dom0)
			assert_int_equal(store_write_as(0, fake_guest_path(guest, nodes[i].node),
							nodes[i].text),
					 0);
		else
			write_own(guest, nodes[i].node, nodes[i].text);
	}
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	found = find(&inventory, guest);
	assert_string_equal(found->name, "guest");
	assert_int_equal(found->feature_suspend, GUEST_FEATURE_NO);
	assert_string_equal(found->shutdown_node, "poweroff");
	assert_int_equal(found->kernel_port, 77);
	assert_int_equal(found->pci_functions, 0);
	assert_false(found->being_built);
	assert_true(found->has_pv_drivers);
	assert_false(found->in_acpi_s3);
	assert_true(found->agent.present);
	assert_int_equal(found->agent.version, UINT32_MAX);
	assert_int_equal(found->agent.port, UINT32_MAX);
	assert_int_equal(found->agent.state.state, PROTOCOL_AGENT_FAILED);
	assert_int_equal(found->agent.state.cycle, 41);
	assert_int_equal(found->agent.request.verb, PROTOCOL_ABORT);
	assert_int_equal(found->agent.request.cycle, 42);
	assert_int_equal(found->agent.terms.timeout_us, 7001000);
	assert_true(found->agent.terms.ignore_inhibitors);
	found = find(&inventory, plain);
	assert_int_equal(found->feature_suspend, GUEST_FEATURE_YES);
	assert_string_equal(found->shutdown_node, "");
	assert_int_equal(found->kernel_port, 0);
	assert_false(found->agent.present);
	assert_int_equal(found->agent.version, 0);
	assert_int_equal(found->agent.terms.timeout_us, 0);
	assert_false(found->agent.terms.ignore_inhibitors);
	inventory_done(&inventory);
	/* Terms that say nothing else. */
	store_write_as(0, fake_guest_path(guest, PROTOCOL_NODE_INHIBITORS),
		       PROTOCOL_INHIBITORS_HONOUR);
	store_write_as(0, fake_guest_path(guest, PROTOCOL_NODE_TIMEOUT), "4294967296");
	write_own(guest, "control/feature-suspend", "2");
	inventory = fake_host_inventory(&host);
	assert_false(find(&inventory, guest)->agent.terms.ignore_inhibitors);
	assert_int_equal(find(&inventory, guest)->agent.terms.timeout_us, 0);
	assert_int_equal(find(&inventory, guest)->feature_suspend, GUEST_FEATURE_UNKNOWN);
	inventory_done(&inventory);
}

/* What libxl has recorded of a device of the guest. */
static void reads_backends_of_libxls_record(void **state)
{
	static const struct {
		const char *text; /* %u: the domid of "net" */
		bool is_link;
	} cases[] = {
		{ "/local/domain/%u/backend/vif/1/0", true },

		{ "/local/domain/0/backend/vif/1/0", false },
		{ "/local/domain/x/", false },
		{ "", false },
	};
	struct fake_guest *net = fake_host_add("net"), *web = fake_host_add("web");

	(void)state;
	fake_host_open(&host);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct inventory inventory;
		char path[64], text[64];

		snprintf(path, sizeof(path), "/libxl/%u/device/vif/0/backend",
			 fake_guest_domid(web));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), cases[i].text, fake_guest_domid(net));
#pragma GCC diagnostic pop
		store_write_as(0, path, text);
		inventory = fake_host_inventory(&host);
		if ((inventory.n_links == 1) != cases[i].is_link)
			fail_msg("%s", text);
		assert_int_equal(needs(&inventory, web, net), cases[i].is_link);
		inventory_done(&inventory);
		/* Nobody needs itself. */
		snprintf(text, sizeof(text), "/local/domain/%u/", fake_guest_domid(web));
		store_write_as(0, path, text);
		inventory = fake_host_inventory(&host);
		assert_int_equal(inventory.n_links, 0);
		inventory_done(&inventory);
	}
}

/* How each domain has ended, as long as Xen has it. */
static void tells_how_domains_have_ended(void **state)
{
	static const struct {
		int reason; /* -1: it is destroyed while it runs */
		bool is_dying;
		enum guest_state state;
		enum guest_end end;
	} cases[] = {
		{ REASON_POWEROFF, false, GUEST_SHUT_DOWN, GUEST_POWERED_OFF },
		{ REASON_REBOOT, false, GUEST_SHUT_DOWN, GUEST_REBOOTED },
		{ REASON_SOFT_RESET, false, GUEST_SHUT_DOWN, GUEST_REBOOTED },
		{ REASON_CRASH, false, GUEST_SHUT_DOWN, GUEST_CRASHED },
		{ REASON_WATCHDOG, false, GUEST_SHUT_DOWN, GUEST_CRASHED },
		{ REASON_SUSPEND, false, GUEST_SUSPENDED, GUEST_NOT_ENDED },
		{ REASON_POWEROFF, true, GUEST_DYING, GUEST_POWERED_OFF },
		{ REASON_REBOOT, true, GUEST_DYING, GUEST_REBOOTED },
		{ REASON_CRASH, true, GUEST_DYING, GUEST_CRASHED },
		{ REASON_SUSPEND, true, GUEST_DYING, GUEST_DESTROYED },
		{ -1, true, GUEST_DYING, GUEST_DESTROYED },
	};
	struct fake_guest *guests[ELEMENTSOF(cases)], *running;
	struct listed_domain *domains;
	struct domain_state look;
	struct domain_id id;
	char name[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		snprintf(name, sizeof(name), "guest-%zu", i);
		guests[i] = fake_host_add(name);
		if (cases[i].reason >= 0)
			domains_shut_down(fake_guest_domain(guests[i]),
					  (enum domain_reason)cases[i].reason);
		if (cases[i].is_dying)
			domains_destroy(fake_guest_domain(guests[i]), 1000000000);
	}
	running = fake_host_add("running");
	fake_guest_domain(fake_host_add("xenstore"))->is_xenstore_domain = true;
	fake_host_open(&host);
	assert_int_equal(host.hypervisor->ops->list_domains(host.hypervisor, &domains, &n), 0);
	assert_int_equal(n, ELEMENTSOF(cases) + 1);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		id = fake_host_id(guests[i]);
		assert_int_equal(host.hypervisor->ops->get_state(host.hypervisor, &id, &look), 0);
		if (look.state != cases[i].state || look.end != cases[i].end)
			fail_msg("case %zu: %d, %d", i, (int)look.state, (int)look.end);
		assert_true(domain_id_equal(&domains[i].id, &id));
		assert_int_equal(domains[i].state.state, cases[i].state);
		assert_int_equal(domains[i].state.end, cases[i].end);
	}
	id = fake_host_id(running);
	assert_true(domain_id_equal(&domains[n - 1].id, &id));
	assert_int_equal(domains[n - 1].state.state, GUEST_RUNNING);
	assert_int_equal(domains[n - 1].state.end, GUEST_NOT_ENDED);
	assert_false(domains[n - 1].state.paused);
	free(domains);
	domains_destroy(fake_guest_domain(running), 0);
	assert_int_equal(host.hypervisor->ops->get_state(host.hypervisor, &id, &look), 0);
	assert_int_equal(look.state, GUEST_GONE);
	assert_int_equal(look.end, GUEST_DESTROYED);
	assert_false(look.paused);
}

/* A suspended domain can be paused, too, and one that has never run is being built. */
static void tells_pauses_of_domains(void **state)
{
	struct fake_guest_params young = { .name = "young", .still_built = true };
	struct fake_guest *suspended = fake_host_add("suspended"),
			  *paused = fake_host_add("paused");
	struct fake_guest *built = fake_guest_build(&young);
	struct domain_state look;
	struct domain_id id;

	(void)state;
	virtual_time_pass(1000000);
	domains_shut_down(fake_guest_domain(suspended), REASON_SUSPEND);
	domains_pause(fake_guest_domain(suspended));
	domains_pause(fake_guest_domain(paused));
	fake_host_open(&host);
	id = fake_host_id(suspended);
	assert_int_equal(host.hypervisor->ops->get_state(host.hypervisor, &id, &look), 0);
	assert_int_equal(look.state, GUEST_SUSPENDED);
	assert_true(look.paused);
	assert_false(look.being_built);
	id = fake_host_id(paused);
	assert_int_equal(host.hypervisor->ops->get_state(host.hypervisor, &id, &look), 0);
	assert_int_equal(look.state, GUEST_PAUSED);
	assert_true(look.paused);
	assert_false(look.being_built);
	id = fake_host_id(built);
	assert_int_equal(host.hypervisor->ops->get_state(host.hypervisor, &id, &look), 0);
	assert_int_equal(look.state, GUEST_PAUSED);
	assert_true(look.being_built);
}

static void lists_more_domains_than_one_hypercall_returns(void **state)
{
	struct listed_domain *domains;
	char name[24];
	size_t n;

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "guest-%d", i);
		fake_host_add(name);
	}
	fake_host_open(&host);
	assert_int_equal(host.hypervisor->ops->list_domains(host.hypervisor, &domains, &n), 0);
	assert_int_equal(n, 300);
	for (size_t i = 1; i < n; i++)
		assert_true(domains[i - 1].id.domid < domains[i].id.domid);
	free(domains);
}

/* ---- hostile trees ------------------------------------------------------- */

/* A guest that is alone in a record of a link changes the order of nobody. */
static void believes_no_guest_alone(void **state)
{
	struct fake_guest *liar = add_foreign("liar"), *victim = add_foreign("victim");
	char node[64], domid[16];
	struct inventory inventory;

	(void)state;
	snprintf(domid, sizeof(domid), "%u", fake_guest_domid(victim));
	/* dom0 owns device/ and backend/, so the liar must have been given an entry of each. */
	store_write_as(0, fake_guest_path(liar, "device/vif/0"), "");
	store_own(fake_guest_path(liar, "device/vif/0"), fake_guest_domid(liar), 0, 0);
	write_own(liar, "device/vif/0/backend-id", domid);
	snprintf(node, sizeof(node), "backend/vbd/%s/0", domid);
	store_write_as(0, fake_guest_path(liar, node), "");
	store_own(fake_guest_path(liar, node), fake_guest_domid(liar), 0, 0);
	snprintf(node, sizeof(node), "backend/vbd/%s/0/frontend-id", domid);
	write_own(liar, node, domid);
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_int_equal(inventory.n_links, 2);
	assert_false(needs(&inventory, liar, victim));
	assert_false(needs(&inventory, victim, liar));
	assert_int_equal(find(&inventory, liar)->role, GUEST_ROLE_GUEST);
	inventory_done(&inventory);
}

struct text_case {
	const char *node, *text;
};

/* Texts that are no number, no domid or too long must only cost themselves. */
static void ignores_nodes_that_make_no_sense(void **state)
{
	static const struct text_case cases[] = {
		{ "control/feature-suspend", "yes" },
		{ "control/shutdown", "\x01\x02 halt now, this is longer than any request" },
		{ "data/pmcoord/version", "1e9" },
		{ "data/pmcoord/event-channel", "-1" },
		{ "data/pmcoord/state", "ready 99999999999999999999999" },
		{ "data/pmcoord/detail", "\x1b[31m" },
		{ "device/suspend/event-channel", "0x10" },
	};
	struct fake_guest *guest = fake_host_add("hostile");
	const struct guest *found;
	struct inventory inventory;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		write_own(guest, cases[i].node, cases[i].text);
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	found = find(&inventory, guest);
	assert_int_equal(found->feature_suspend, GUEST_FEATURE_UNKNOWN);
	assert_true(strlen(found->shutdown_node) > 0);
	for (const char *c = found->shutdown_node; *c; c++)
		assert_true(*c >= ' ' && *c < 0x7f);
	assert_true(found->agent.present);
	assert_int_equal(found->agent.version, 0);
	assert_int_equal(found->agent.port, 0);
	assert_int_equal(found->agent.state.state, PROTOCOL_AGENT_NONE);
	assert_int_equal(found->kernel_port, 0);
	inventory_done(&inventory);
}

static void limits_what_a_guest_fills_its_directories_with(void **state)
{
	struct fake_guest *guest = add_foreign("filler");
	uint64_t before;
	struct inventory inventory;
	char node[64];
	int written = 0;

	(void)state;
	store_write_as(0, fake_guest_path(guest, "device/vif"), "");
	store_own(fake_guest_path(guest, "device/vif"), fake_guest_domid(guest), 0, 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(node, sizeof(node), "device/vif/%d", i);
		written += store_write_as(fake_guest_domid(guest), node, "") == 0;
	}
	assert_true(written > 900 && written < 1000);
	fake_host_open(&host);
	before = store_client_count();
	inventory = fake_host_inventory(&host);
	assert_true(store_client_count() - before < 300);
	assert_int_equal(inventory.n_guests, 1);
	inventory_done(&inventory);
}

static void ignores_paths_that_are_too_long(void **state)
{
	struct fake_guest *guest = add_foreign("deep");
	char node[600] = "device/vif";
	struct inventory inventory;

	(void)state;
	memset(node + strlen(node), 'x', 300);
	store_write_as(0, fake_guest_path(guest, "device"), "");
	store_own(fake_guest_path(guest, "device"), fake_guest_domid(guest), 0, 0);
	write_own(guest, node, "");
	strcat(node, "/0/backend-id");
	write_own(guest, node, "0");
	write_own(guest, "device/vbd/0/backend-id", "70000");
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_int_equal(inventory.n_links, 0);
	assert_string_equal(find(&inventory, guest)->name, "deep");
	inventory_done(&inventory);
}

static void shows_names_without_control_characters(void **state)
{
	struct fake_guest *guest = fake_host_add("plain");
	char name[400];
	struct inventory inventory;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	name[3] = '\n';
	name[4] = '\x1b';
	store_write_as(0, fake_guest_path(guest, "name"), name);
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_int_equal(strlen(find(&inventory, guest)->name), GUEST_NAME_MAX - 1);
	for (const char *c = find(&inventory, guest)->name; *c; c++)
		assert_true(*c >= ' ' && *c < 0x7f);
	inventory_done(&inventory);
}

static void names_a_guest_without_a_name_by_its_domid(void **state)
{
	struct fake_guest *guest = fake_host_add("lost");
	char expected[32];
	struct inventory inventory;

	(void)state;
	store_remove_as(0, fake_guest_path(guest, "name"));
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	snprintf(expected, sizeof(expected), "domain-%u", fake_guest_domid(guest));
	assert_string_equal(find(&inventory, guest)->name, expected);
	inventory_done(&inventory);
}

/* ---- the cache ----------------------------------------------------------- */

static uint64_t requests_of_an_inventory(void)
{
	uint64_t before = store_client_count();
	struct inventory inventory = fake_host_inventory(&host);

	inventory_done(&inventory);
	return store_client_count() - before;
}

static void open_watching(void)
{
	fake_host_open(&host);
	assert_int_equal(host.hypervisor->ops->watch_domains(host.hypervisor), 0);
}

static void reads_nothing_again_until_a_watch_fires(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");

	(void)state;
	fake_host_add("other");
	open_watching();
	assert_true(requests_of_an_inventory() > 0);
	/* The first events of the watches themselves still make it read each domain. */
	requests_of_an_inventory();
	assert_int_equal(requests_of_an_inventory(), 0);
	write_own(guest, "data/pmcoord/version", "1");
	assert_true(requests_of_an_inventory() > 0);
	assert_int_equal(requests_of_an_inventory(), 0);
}

static void notices_each_change_of_a_watched_guest(void **state)
{
	struct fake_guest *guest = fake_host_add("guest"), *net = fake_host_add("net");
	struct inventory inventory;

	(void)state;
	open_watching();
	requests_of_an_inventory();
	requests_of_an_inventory();
	write_own(guest, "data/pmcoord/version", "1");
	write_own(guest, "data/pmcoord/state", "ready 7");
	store_write_as(0, fake_guest_path(guest, "name"), "renamed");
	fake_guest_add_device(guest, fake_guest_domid(net), "vbd", 1);
	inventory = fake_host_inventory(&host);
	assert_string_equal(find(&inventory, guest)->name, "renamed");
	assert_int_equal(find(&inventory, guest)->agent.state.cycle, 7);
	assert_true(needs(&inventory, guest, net));
	inventory_done(&inventory);
}

/* There are more events than are read at once; the last ones are of another guest. */
static void notices_a_change_behind_many_of_another_guest(void **state)
{
	struct fake_guest *noisy = fake_host_add("noisy"), *quiet = fake_host_add("quiet");
	struct inventory inventory;

	(void)state;
	open_watching();
	requests_of_an_inventory();
	requests_of_an_inventory();
	for (int i = 0; i < 5000; i++)
		write_own(noisy, "data/pmcoord/state", i % 2 ? "ready 1" : "ready 2");
	write_own(quiet, "data/pmcoord/version", "1");
	write_own(quiet, "data/pmcoord/state", "ready 7");
	inventory = fake_host_inventory(&host);
	assert_int_equal(find(&inventory, quiet)->agent.state.cycle, 7);
	inventory_done(&inventory);
}

static void forgets_guests_that_are_gone(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	unsigned int ports = event_channels_count_ports(0);
	struct inventory inventory;

	(void)state;
	open_watching();
	inventory = fake_host_inventory(&host);
	assert_int_equal(host.hypervisor->ops->prepare(host.hypervisor, find(&inventory, guest),
						       MECHANISM_XENSTORE),
			 PREPARED);
	inventory_done(&inventory);
	assert_int_equal(event_channels_count_ports(0), ports + 1);
	domains_destroy(fake_guest_domain(guest), 0);
	inventory = fake_host_inventory(&host);
	assert_int_equal(inventory.n_guests, 0);
	inventory_done(&inventory);
	/* Xen has not freed dom0's port; the ports of xenstored and the console remain. */
	assert_int_equal(event_channels_count_ports(0), ports);
}

static void reads_a_reused_domid_anew(void **state)
{
	struct fake_guest_params params = { .name = "second", .uuid_tag = 99 };
	struct fake_guest *guest = fake_host_add("first");
	struct inventory inventory;

	(void)state;
	open_watching();
	requests_of_an_inventory();
	requests_of_an_inventory();
	params.domid = fake_guest_domid(guest);
	domains_destroy(fake_guest_domain(guest), 0);
	guest = fake_guest_build(&params);
	inventory = fake_host_inventory(&host);
	assert_int_equal(inventory.n_guests, 1);
	assert_string_equal(find(&inventory, guest)->name, "second");
	inventory_done(&inventory);
}

/* ---- failures ------------------------------------------------------------ */

static void fails_when_domains_cannot_be_listed(void **state)
{
	struct inventory inventory = { 0 };
	struct error error = { 0 };

	(void)state;
	fake_host_add("guest");
	fake_host_open(&host);
	faults_add("xc_domain_getinfolist", "1", EPERM, 0, 1);
	assert_int_equal(host.hypervisor->ops->inventory(host.hypervisor, &inventory, &error),
			 -EPERM);
	assert_non_null(strstr(error_text(&error), "cannot read the list of guests"));
}

static void lists_guests_whose_nodes_cannot_be_read(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	struct inventory inventory;
	struct error error = { 0 };

	(void)state;
	fake_host_open(&host);
	assert_int_equal(host.hypervisor->ops->connect(host.hypervisor, &error), 0);
	store_client_lose();
	inventory = fake_host_inventory(&host);
	assert_int_equal(inventory.n_guests, 1);
	assert_int_equal(find(&inventory, guest)->feature_suspend, GUEST_FEATURE_UNKNOWN);
	inventory_done(&inventory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
		T(lists_guests_but_neither_dom0_nor_xenstored),
		T(lists_more_guests_than_one_hypercall_returns),
		T(reads_the_type_of_each_kind_of_domain),
		T(notices_a_guest_in_its_own_s3),
		T(reads_the_state_of_each_domain),
		T(reads_devices_from_libxls_record),
		T(reads_devices_that_both_ends_record_without_libxl),
		T(knows_a_stub_domain_by_its_target),
		T(reads_each_fact_of_a_guest),
		T(reads_backends_of_libxls_record),
		T(tells_how_domains_have_ended),
		T(tells_pauses_of_domains),
		T(lists_more_domains_than_one_hypercall_returns),
		T(believes_no_guest_alone),
		T(ignores_nodes_that_make_no_sense),
		T(limits_what_a_guest_fills_its_directories_with),
		T(ignores_paths_that_are_too_long),
		T(shows_names_without_control_characters),
		T(names_a_guest_without_a_name_by_its_domid),
		T(reads_nothing_again_until_a_watch_fires),
		T(notices_each_change_of_a_watched_guest),
		T(notices_a_change_behind_many_of_another_guest),
		T(forgets_guests_that_are_gone),
		T(reads_a_reused_domid_anew),
		T(fails_when_domains_cannot_be_listed),
		T(lists_guests_whose_nodes_cannot_be_read),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
