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

#include "pmcoord/cleanup.h"
#include "pmcoord/json.h"
#include "pmcoord/protocol.h"
#include "base/string-list.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/graph.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "host/host.h"
#include "record/report.h"
#include "record/status.h"
#include "view/findings.h"
#include "check/check.h"

#define N_GUESTS 2

/* A host without findings: netvm, with an agent and a NIC, serves app. */
struct world {
	struct guest netvm, app;
	struct inventory inventory;
	struct config config;
	struct graph *graph;
	struct check_details details[N_GUESTS]; /* of netvm, of app */
	struct check_details by_index[N_GUESTS];
	struct host host;
	struct check_context context;
	struct findings findings;
};

static struct guest guest(uint32_t domid, const char *name)
{
	struct guest made = {
		.domid = domid,
		.uuid = { (uint8_t)domid },
		.type = GUEST_PV,
		.feature_suspend = GUEST_FEATURE_YES,
		.has_pv_drivers = true,
	};

	snprintf(made.name, sizeof(made.name), "%s", name);
	return made;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	config_init(&world->config);
	world->app = guest(2, "app");
	world->netvm = guest(1, "netvm");
	world->netvm.pci_functions = 1;
	world->netvm.agent = (struct guest_agent){
		.present = true,
		.version = PROTOCOL_VERSION,
		.port = 9,
	};
	world->netvm.agent.state.state = PROTOCOL_AGENT_READY;
	world->details[0].agent.state.state = PROTOCOL_AGENT_READY;
	world->details[0].examination.n_pci = 1;
	strcpy(world->details[0].functions[0].address, "0000:03:00.0");
	world->details[0].functions[0].class = 0x020000;
	world->host = (struct host){
		.sleep = HOST_SLEEP_S3,
		.xen_major = 4,
		.xen_minor = 20,
		.reports_free = 1u << 30,
		.systemd = { .runs = true, .sleep_unit = UNIT_REQUIRED, .daemon = UNIT_WANTED },
	};
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	findings_done(&world->findings);
	graph_free(world->graph);
	inventory_done(&world->inventory);
	config_done(&world->config);
	free(world);
	return 0;
}

static void add_link(struct world *world, uint32_t frontend, uint32_t backend,
		     enum link_class class, bool is_confirmed)
{
	struct link link = {
		.frontend = frontend,
		.backend = backend,
		.class = class,
		.recorded_by_frontend = true,
		.recorded_by_backend = is_confirmed,
	};

	assert_int_equal(inventory_add_link(&world->inventory, &link), 0);
}

static void check(struct world *world)
{
	struct inventory *inventory = &world->inventory;

	assert_int_equal(inventory_add_guest(inventory, &world->netvm), 0);
	assert_int_equal(inventory_add_guest(inventory, &world->app), 0);
	if (inventory->n_links == 0)
		add_link(world, 2, 1, LINK_NETWORK, true);
	assert_int_equal(inventory_finish(inventory), 0);
	assert_int_equal(graph_build(inventory, &world->config, &world->graph), 0);
	for (size_t i = 0; i < N_GUESTS; i++)
		world->by_index[i] = world->details[inventory->guests[i].domid - 1];
	world->context.config = &world->config;
	world->context.host = &world->host;
	world->context.inventory = inventory;
	world->context.graph = world->graph;
	world->context.details = world->by_index;
	check_all(&world->context, &world->findings);
	assert_false(world->findings.out_of_memory);
}

/* Asserts that there is one finding, with these properties. */
static const struct finding *only(const struct world *world, enum finding_level level,
				  const char *subject, const char *words)
{
	const struct finding *finding = world->findings.list;

	assert_int_equal(world->findings.n, 1);
	assert_int_equal(finding->level, level);
	assert_string_equal(finding->subject, subject);
	if (!strstr(finding->message, words))
		fail_msg("'%s' is not in: %s", words, finding->message);
	return finding;
}

static void reports_nothing_on_a_host_without_problems(void **state)
{
	struct world *world = *state;

	check(world);
	assert_int_equal(world->findings.n, 0);
	assert_true(findings_are_ok(&world->findings));
}

/* ---- guests -------------------------------------------------------------- */

/* A change to one guest, and the finding that it causes. */
struct guest_case {
	const char *name;
	void (*change)(struct world *world);
	enum finding_level level;
	const char *subject;
	const char *words;
};

static void lose_agent(struct world *world)
{
	world->netvm.agent = (struct guest_agent){ 0 };
}

static void lose_agent_with_usb(struct world *world)
{
	lose_agent(world);
	world->details[0].functions[0].class = 0x0c0330;
}

static void lose_agent_in_hvm(struct world *world)
{
	lose_agent(world);
	world->netvm.type = GUEST_HVM;
}

static void lose_addresses(struct world *world)
{
	lose_agent(world);
	world->netvm.pci_functions = 3;
}

static void speak_another_version(struct world *world)
{
	world->netvm.agent.version = 7;
}

static void publish_no_port(struct world *world)
{
	world->netvm.agent.port = 0;
}

static void publish_a_stale_port(struct world *world)
{
	world->details[0].examination.agent_port_is_stale = true;
}

static void miss_each_request(struct world *world)
{
	world->details[1].never_answers = true;
	world->details[1].n_missed = 9;
	world->details[1].n_cycles = 10;
}

static void lose_the_agent_of_no_devices(struct world *world)
{
	publish_a_stale_port(world);
	world->netvm.pci_functions = 0;
	world->details[0].examination.n_pci = 0;
}

static void set_agent(struct world *world, enum protocol_agent_state state, const char *detail)
{
	struct agent_state *agent = &world->details[0].agent;

	world->netvm.agent.state.state = state;
	agent->state.state = state;
	snprintf(agent->detail, sizeof(agent->detail), "%s", detail);
}

static void report_degraded(struct world *world)
{
	set_agent(world, PROTOCOL_AGENT_DEGRADED, "0000:03:00.0 e1000e lost: no driver");
}

static void fail_to_quiesce(struct world *world)
{
	set_agent(world, PROTOCOL_AGENT_FAILED, "e1000e hangs");
}

static void stay_quiesced(struct world *world)
{
	set_agent(world, PROTOCOL_AGENT_QUIESCED, "");
}

static void report_no_state(struct world *world)
{
	set_agent(world, PROTOCOL_AGENT_NONE, "");
}

static void stop_agent_of_driver_domain(struct world *world)
{
	lose_the_agent_of_no_devices(world);
	report_no_state(world);
}

static void stop_agent_of_plain_guest(struct world *world)
{
	add_link(world, 1, 2, LINK_NETWORK, true);
	stop_agent_of_driver_domain(world);
}

static void keep_a_disk(struct world *world)
{
	set_agent(world, PROTOCOL_AGENT_READY,
		  "0000:03:00.0 e1000e eth0 ok 12ms; "
		  "0000:00:1f.2 ahci kept: sda1 mounted on /srv");
}

static void serve_disks(struct world *world)
{
	add_link(world, 2, 1, LINK_STORAGE, true);
}

static void serve_disks_and_name_them(struct world *world)
{
	add_link(world, 2, 1, LINK_STORAGE, true);
	keep_a_disk(world);
}

static void balloon(struct world *world)
{
	world->details[0].examination.memory_kib = 200 * 1024;
	world->details[0].examination.memory_max_kib = 400 * 1024;
}

static void clear_feature(struct world *world)
{
	world->app.feature_suspend = GUEST_FEATURE_NO;
}

static void leave_feature_unset(struct world *world)
{
	world->app.feature_suspend = GUEST_FEATURE_UNKNOWN;
}

static void have_no_pv_drivers(struct world *world)
{
	world->app.type = GUEST_HVM;
	world->app.has_pv_drivers = false;
}

static void be_paused(struct world *world)
{
	world->app.state = GUEST_PAUSED;
}

static void be_paused_while_needed(struct world *world)
{
	world->netvm.state = GUEST_PAUSED;
}

static void shut_down(struct world *world)
{
	world->app.state = GUEST_SHUT_DOWN;
}

static void enter_acpi_s3(struct world *world)
{
	world->app.in_acpi_s3 = true;
}

static void reboot(struct world *world)
{
	strcpy(world->app.shutdown_node, "reboot");
}

static void leave_request_pending(struct world *world)
{
	strcpy(world->app.shutdown_node, "suspend");
}

static void claim_a_device(struct world *world)
{
	add_link(world, 2, 1, LINK_STORAGE, false);
}

static const struct guest_case guest_cases[] = {
	{ "no agent", lose_agent, FINDING_WARNING, "netvm", "0000:03:00.0 (Ethernet)" },
	{ "no agent, USB", lose_agent_with_usb, FINDING_ERROR, "netvm", "USB controller" },
	{ "no agent, HVM", lose_agent_in_hvm, FINDING_WARNING, "netvm", "MSI" },
	{ "more functions than named", lose_addresses, FINDING_WARNING, "netvm",
	  "and 2 more PCI functions" },
	{ "version", speak_another_version, FINDING_WARNING, "netvm", "version 7" },
	{ "no port", publish_no_port, FINDING_WARNING, "netvm", "no event channel" },
	{ "no answers", miss_each_request, FINDING_WARNING, "app",
	  "did not suspend in 9 of the last 10 cycles" },
	{ "stale port", publish_a_stale_port, FINDING_WARNING, "netvm",
	  "holds 0000:03:00.0 (Ethernet), but pmcoord-agent has stopped (its event channel 9" },
	{ "stale port, no devices", lose_the_agent_of_no_devices, FINDING_WARNING, "netvm",
	  "suspends the guest without the agent" },
	{ "stopped, serves", stop_agent_of_driver_domain, FINDING_WARNING, "netvm",
	  "suspends the guest without the agent" },
	{ "stopped, no devices", stop_agent_of_plain_guest, FINDING_INFO, "netvm",
	  "suspends the guest without the agent" },
	{ "degraded", report_degraded, FINDING_WARNING, "netvm", "lost: no driver" },
	{ "failed", fail_to_quiesce, FINDING_WARNING, "netvm", "e1000e hangs" },
	{ "quiesced", stay_quiesced, FINDING_WARNING, "netvm", "has not restored them" },
	{ "no state", report_no_state, FINDING_WARNING, "netvm", "ready" },
	{ "kept disk", keep_a_disk, FINDING_WARNING, "netvm",
	  "0000:00:1f.2 ahci kept: sda1 mounted on /srv: the device stays bound" },
	{ "storage", serve_disks, FINDING_INFO, "netvm", "serves other guests' disks" },
	{ "storage, named", serve_disks_and_name_them, FINDING_WARNING, "netvm", "sda1" },
	{ "balloon", balloon, FINDING_WARNING, "netvm", "200 of 400 MiB" },
	{ "feature 0", clear_feature, FINDING_WARNING, "app", "only pause" },
	{ "feature unknown", leave_feature_unset, FINDING_WARNING, "app", "10 s" },
	{ "no PV drivers", have_no_pv_drivers, FINDING_WARNING, "app", "PV drivers" },
	{ "paused", be_paused, FINDING_INFO, "app", "stays paused" },
	{ "paused, needed", be_paused_while_needed, FINDING_WARNING, "netvm", "may hang" },
	{ "zombie", shut_down, FINDING_INFO, "app", "shut down" },
	{ "ACPI S3", enter_acpi_s3, FINDING_INFO, "app", "S3" },
	{ "rebooting", reboot, FINDING_INFO, "app", "'reboot'" },
	{ "pending request", leave_request_pending, FINDING_WARNING, "app",
	  "has not acknowledged" },
	{ "claim", claim_a_device, FINDING_WARNING, "app", "does not confirm" },
};

static void reports_each_risk_of_a_guest(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(guest_cases); i++) {
		const struct guest_case *test = &guest_cases[i];
		struct world *world;
		const struct finding *finding;

		print_message("    %s\n", test->name);
		set_up((void **)&world);
		test->change(world);
		check(world);
		finding = only(world, test->level, test->subject, test->words);
		/* Errors and warnings come with advice. */
		assert_true(test->level == FINDING_INFO || finding->advice[0]);
		tear_down((void **)&world);
	}
}

static void set_policy(struct world *world, const char *pattern, enum guest_policy policy,
		       uint64_t timeout_us)
{
	struct config_rule *rule = calloc(1, sizeof(*rule));

	assert_non_null(rule);
	rule->pattern = strdup(pattern);
	rule->where = strdup("a.conf:3");
	rule->has_policy = true;
	rule->policy = policy;
	rule->has_timeout = timeout_us > 0;
	rule->timeout_us = timeout_us;
	world->config.rules = rule;
	world->config.n_rules = 1;
}

static void warns_of_an_ignored_guest_that_others_need(void **state)
{
	struct world *world = *state;

	set_policy(world, "netvm", POLICY_IGNORE, 0);
	check(world);
	only(world, FINDING_WARNING, "netvm", "other guests need it and it holds devices");
}

static void accepts_an_ignored_guest_that_no_guest_needs(void **state)
{
	struct world *world = *state;

	set_policy(world, "app", POLICY_IGNORE, 0);
	check(world);
	assert_int_equal(world->findings.n, 0);
}

static void warns_of_a_guest_that_policy_pauses(void **state)
{
	struct world *world = *state;

	set_policy(world, "app", POLICY_PAUSE, 0);
	check(world);
	only(world, FINDING_WARNING, "app", "paused by policy");
}

static void warns_of_a_timeout_beyond_the_deadline(void **state)
{
	struct world *world = *state;

	set_policy(world, "app", POLICY_SUSPEND, 60000000);
	check(world);
	only(world, FINDING_WARNING, "app", "60 s");
}

/* ---- configuration ------------------------------------------------------- */

static void names_the_section_that_matches_no_guest(void **state)
{
	struct world *world = *state;

	set_policy(world, "bakup-*", POLICY_PAUSE, 0);
	check(world);
	only(world, FINDING_INFO, "configuration",
	     "a.conf:3: [Guest \"bakup-*\"] matches no running guest");
}

static void names_the_missing_guest_of_suspend_before(void **state)
{
	struct world *world = *state;

	set_policy(world, "app", POLICY_SUSPEND, 0);
	world->config.rules->suspend_before = strdup("netvm, store");
	check(world);
	only(world, FINDING_INFO, "configuration", "names 'store'");
}

static void passes_on_errors_of_the_files(void **state)
{
	static const char *const errors[] = { "a.conf:1: no", NULL };
	static const char *const warnings[] = { "b.conf:2: hm", NULL };
	struct world *world = *state;

	world->context.config_errors = errors;
	world->context.config_warnings = warnings;
	check(world);
	assert_int_equal(world->findings.n, 2);
	assert_string_equal(world->findings.list[0].message, "a.conf:1: no");
	assert_int_equal(world->findings.list[0].level, FINDING_ERROR);
	assert_int_equal(world->findings.list[1].level, FINDING_WARNING);
}

static void warns_of_a_guest_timeout_beyond_the_deadline(void **state)
{
	struct world *world = *state;

	world->config.guest_timeout_us = world->config.deadline_us + 1000000;
	check(world);
	only(world, FINDING_WARNING, "configuration", "GuestTimeout=");
}

static void reports_a_dependency_loop_with_its_path(void **state)
{
	struct world *world = *state;

	add_link(world, 2, 1, LINK_NETWORK, true);
	set_policy(world, "netvm", POLICY_SUSPEND, 0);
	world->config.rules->suspend_before = strdup("app");
	check(world);
	only(world, FINDING_WARNING, "order", "netvm");
}

/* ---- the host ------------------------------------------------------------ */

struct host_case {
	const char *name;
	struct host host; /* what differs from a host without findings */
	enum finding_level level;
	const char *subject;
	const char *words;
};

#define WELL .runs = true, .sleep_unit = UNIT_REQUIRED, .daemon = UNIT_WANTED
#define AWAKE .sleep = HOST_SLEEP_S3, .reports_free = 1u << 30

static const struct host_case host_cases[] = {
	{ "s2idle only",
	  { .sleep = HOST_SLEEP_S2IDLE,
	    .sleep_text = "[s2idle]",
	    .reports_free = 1u << 30,
	    .systemd = { WELL } },
	  FINDING_ERROR,
	  "sleep",
	  "[s2idle]" },
	{ "no suspend",
	  { .sleep = HOST_SLEEP_NONE, .reports_free = 1u << 30, .systemd = { WELL } },
	  FINDING_ERROR,
	  "sleep",
	  "no suspend to RAM" },
	{ "no sysfs",
	  { .reports_free = 1u << 30, .systemd = { WELL } },
	  FINDING_ERROR,
	  "sleep",
	  "cannot be read" },
	{ "S3 not chosen",
	  { .sleep = HOST_SLEEP_S3_NOT_CHOSEN, .reports_free = 1u << 30, .systemd = { WELL } },
	  FINDING_INFO,
	  "sleep",
	  "selects S3" },
	{ "old monitors",
	  { AWAKE, .xen_major = 4, .xen_minor = 17, .systemd = { WELL } },
	  FINDING_INFO,
	  "Xen",
	  "4.17" },
	{ "served disk",
	  { AWAKE, .guest_disk = "xvda", .guest_disk_mount = "/", .systemd = { WELL } },
	  FINDING_WARNING,
	  "dom0",
	  "/ is mounted from xvda" },
	{ "read-only reports",
	  { .sleep = HOST_SLEEP_S3, .reports_error = EROFS, .systemd = { WELL } },
	  FINDING_WARNING,
	  "reports",
	  "Read-only" },
	{ "no room for reports",
	  { .sleep = HOST_SLEEP_S3, .reports_free = 4096, .systemd = { WELL } },
	  FINDING_WARNING,
	  "reports",
	  "4 KiB" },
	{ "no systemd", { AWAKE }, FINDING_INFO, "systemd", "does not run" },
	{ "unit absent",
	  { AWAKE, .systemd = { .runs = true, .daemon = UNIT_WANTED } },
	  FINDING_ERROR,
	  "pmcoord-sleep.service",
	  "not installed" },
	{ "unit disabled",
	  { AWAKE,
	    .systemd = { .runs = true, .sleep_unit = UNIT_DISABLED, .daemon = UNIT_WANTED } },
	  FINDING_ERROR,
	  "pmcoord-sleep.service",
	  "not enabled" },
	{ "unit masked",
	  { AWAKE, .systemd = { .runs = true, .sleep_unit = UNIT_MASKED, .daemon = UNIT_WANTED } },
	  FINDING_ERROR,
	  "pmcoord-sleep.service",
	  "masked" },
	{ "unit only wanted",
	  { AWAKE, .systemd = { .runs = true, .sleep_unit = UNIT_WANTED, .daemon = UNIT_WANTED } },
	  FINDING_ERROR,
	  "pmcoord-sleep.service",
	  "only wants" },
	{ "no daemon",
	  { AWAKE,
	    .systemd = { .runs = true, .sleep_unit = UNIT_REQUIRED, .daemon = UNIT_DISABLED } },
	  FINDING_INFO,
	  "pmcoord.service",
	  "not enabled" },
	{ "masked target",
	  { AWAKE, .systemd = { WELL, .masked = "sleep.target" } },
	  FINDING_ERROR,
	  "sleep.target",
	  "masked" },
	{ "sleep.conf",
	  { AWAKE, .systemd = { WELL, .sleep_conf.allow_suspend = "no" } },
	  FINDING_ERROR,
	  "sleep.conf",
	  "AllowSuspend=no" },
	{ "freeze",
	  { AWAKE, .systemd = { WELL, .sleep_conf = { .states = "mem freeze",
						      .late_file = "/etc/~~.conf" } } },
	  FINDING_ERROR,
	  "sleep.conf",
	  "SuspendState=mem freeze" },
	{ "s2idle",
	  { AWAKE, .systemd = { WELL, .sleep_conf = { .states = "mem",
						      .memory_modes = "s2idle",
						      .late_file = "/etc/~~.conf" } } },
	  FINDING_ERROR,
	  "sleep.conf",
	  "MemorySleepMode=s2idle" },
	{ "lid ignored",
	  { AWAKE, .systemd = { WELL, .lid = "ignore" } },
	  FINDING_INFO,
	  "logind.conf",
	  "HandleLidSwitch=ignore" },
	{ "lid hibernates",
	  { AWAKE, .systemd = { WELL, .lid_on_power = "hibernate" } },
	  FINDING_WARNING,
	  "logind.conf",
	  "HandleLidSwitchExternalPower=hibernate" },
};

static void reports_each_risk_of_the_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(host_cases); i++) {
		const struct host_case *test = &host_cases[i];
		struct world *world;

		print_message("    %s\n", test->name);
		set_up((void **)&world);
		world->host = test->host;
		check(world);
		only(world, test->level, test->subject, test->words);
		tear_down((void **)&world);
	}
}

static void names_other_services_that_handle_guests(void **state)
{
	struct world *world = *state;
	char name[] = "qubes-suspend.service";
	char *conflicts[] = { name };

	world->host.systemd.conflicts = (struct string_list){ .texts = conflicts, .n = 1 };
	check(world);
	only(world, FINDING_WARNING, "qubes-suspend.service", "handle guests");
}

static void without_a_hypervisor_the_rest_is_checked(void **state)
{
	struct world *world = *state;
	struct check_context context = {
		.config = &world->config,
		.host = &world->host,
		.no_hypervisor = "this system does not run on Xen",
	};

	world->host.sleep = HOST_SLEEP_S2IDLE;
	check_all(&context, &world->findings);
	assert_int_equal(world->findings.n, 2);
	assert_false(findings_are_ok(&world->findings));
}

/* ---- earlier cycles ------------------------------------------------------ */

static void reports_guests_that_are_kept_suspended(void **state)
{
	struct world *world = *state;
	struct cycle_guest held = { .name = "app", .hold = HOLD_SUSPENDED };
	struct cycle cycle = {
		.head.number = 3,
		.kept_suspended = true,
		.guests = &held,
		.n_guests = 1,
	};
	struct status status = {
		.state = STATUS_KEPT_SUSPENDED,
		.has_daemon = true,
		.cycles = &cycle,
		.n_cycles = 1,
	};

	world->context.status = &status;
	check(world);
	only(world, FINDING_INFO, "app", "cycle 3");
}

static void a_stranded_guest_is_an_error(void **state)
{
	struct world *world = *state;
	struct cycle_guest guest = { .name = "app", .hold = HOLD_SUSPENDED, .stranded = true };
	struct cycle cycle = { .head.number = 3, .guests = &guest, .n_guests = 1 };
	struct status status = {
		.state = STATUS_STRANDED,
		.has_daemon = true,
		.cycles = &cycle,
		.n_cycles = 1,
	};

	world->context.status = &status;
	/* Even if it was to be kept suspended at first. */
	cycle.kept_suspended = true;
	check(world);
	only(world, FINDING_ERROR, "app", "could not be resumed in cycle 3");
}

static void warns_of_a_daemon_that_should_run(void **state)
{
	struct world *world = *state;
	struct status status = { .has_daemon = false };

	world->context.status = &status;
	check(world);
	only(world, FINDING_WARNING, "pmcoord.service", "does not answer");
}

static void an_interrupted_cycle_is_an_error(void **state)
{
	struct world *world = *state;
	struct status status = {
		.state = STATUS_INTERRUPTED,
		.has_daemon = true,
	};

	world->context.status = &status;
	check(world);
	only(world, FINDING_ERROR, "cycles", "before it had resumed its guests");
}

static void reports_unreadable_journals_and_a_degraded_cycle(void **state)
{
	struct world *world = *state;
	struct report report = { .cycle = 7, .result = RESULT_DEGRADED };
	struct status status = {
		.has_daemon = true,
		.n_unreadable = 2,
		.last = &report,
	};

	world->context.status = &status;
	check(world);
	assert_int_equal(world->findings.n, 2);
	assert_non_null(strstr(world->findings.list[0].message, "cycles: 2"));
	assert_string_equal(world->findings.list[1].advice, "pmcoord report 7");
}

/* ---- printing ------------------------------------------------------------ */

static char *print(const struct world *world, bool json, bool with_info)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(findings_print(&world->findings, json, with_info, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void add_three(struct world *world)
{
	findings_add(&world->findings, FINDING_INFO, "i", "", "just so");
	findings_add(&world->findings, FINDING_ERROR, "e", "fix it", "%s",
		     "one word after another until the line is longer than any "
		     "terminal would want it to be, and more");
	findings_add(&world->findings, FINDING_WARNING, "w", "see", "hm");
}

static void prints_the_worst_first_and_breaks_lines(void **state)
{
	struct world *world = *state;
	char *text, *line;

	add_three(world);
	text = print(world, false, true);
	assert_true(strstr(text, "error: e: one") < strstr(text, "warning: w"));
	assert_true(strstr(text, "warning: w") < strstr(text, "info: i"));
	assert_non_null(strstr(text, "    -> fix it\n"));
	assert_non_null(strstr(text, "1 error, 1 warning.\n"));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 79);
	free(text);
	text = print(world, false, false);
	assert_null(strstr(text, "info"));
	free(text);
}

static void prints_json_with_the_keys_of_the_contract(void **state)
{
	struct world *world = *state;
	struct json_object *object, *first;
	char *text;

	add_three(world);
	text = print(world, true, false);
	object = json_tokener_parse(text);
	free(text);
	assert_false(json_read_boolean(object, "ok"));
	first = json_read_item(object, "findings", 0);
	assert_string_equal(json_read_string(first, "level"), "error");
	assert_string_equal(json_read_string(first, "subject"), "e");
	assert_non_null(json_object_object_get(first, "message"));
	assert_string_equal(json_read_string(first, "advice"), "fix it");
	assert_non_null(json_read_item(object, "findings", 2));
	json_object_put(object);
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(reports_nothing_on_a_host_without_problems),
		cmocka_unit_test(reports_each_risk_of_a_guest),
		world_test(warns_of_an_ignored_guest_that_others_need),
		world_test(accepts_an_ignored_guest_that_no_guest_needs),
		world_test(warns_of_a_guest_that_policy_pauses),
		world_test(warns_of_a_timeout_beyond_the_deadline),
		world_test(names_the_section_that_matches_no_guest),
		world_test(names_the_missing_guest_of_suspend_before),
		world_test(passes_on_errors_of_the_files),
		world_test(warns_of_a_guest_timeout_beyond_the_deadline),
		world_test(reports_a_dependency_loop_with_its_path),
		cmocka_unit_test(reports_each_risk_of_the_host),
		world_test(names_other_services_that_handle_guests),
		world_test(without_a_hypervisor_the_rest_is_checked),
		world_test(reports_guests_that_are_kept_suspended),
		world_test(a_stranded_guest_is_an_error),
		world_test(warns_of_a_daemon_that_should_run),
		world_test(an_interrupted_cycle_is_an_error),
		world_test(reports_unreadable_journals_and_a_degraded_cycle),
		world_test(prints_the_worst_first_and_breaks_lines),
		world_test(prints_json_with_the_keys_of_the_contract),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
