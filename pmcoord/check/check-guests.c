/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of each guest: how it would be suspended, and what may fail. */

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/protocol.h"
#include "model/config.h"
#include "model/graph.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/answers.h"
#include "view/findings.h"
#include "check/check.h"

/* A guest with the facts for its checks. */
struct guest_check {
	const struct check_context *context;
	const struct guest *guest;
	const struct check_details *details;
	struct guest_config config;
	enum mechanism mechanism;
	const char *reason; /* why the mechanism was chosen; may be NULL */
	struct graph_nodes serves; /* the guests that need this guest */
	struct findings *findings;
};

#define REPORT(guest_check, level, advice, ...)                                                    \
	findings_add((guest_check)->findings, level, (guest_check)->guest->name, advice,           \
		     __VA_ARGS__)

static bool has_agent(const struct guest_check *guest_check)
{
	return guest_check->guest->agent.present;
}

static bool is_ignored(const struct guest_check *guest_check)
{
	return guest_check->config.policy == POLICY_IGNORE;
}

/* ---- devices ------------------------------------------------------------- */

/* The upper 16 bits of the class code of a USB controller. */
#define PCI_CLASS_USB 0x0c03

/* Returns the name of a 24-bit PCI class code, e.g. "USB", or NULL if unknown. */
static const char *class_name(uint32_t class)
{
	static const struct {
		uint32_t class;
		const char *name;
	} names[] = {
		{ 0x0106, "SATA" },	 { 0x0108, "NVMe" },
		{ 0x0200, "Ethernet" },	 { 0x0280, "Wi-Fi or network" },
		{ 0x0300, "graphics" },	 { 0x0302, "graphics" },
		{ 0x0401, "sound" },	 { 0x0403, "sound" },
		{ 0x0805, "SD card" },	 { PCI_CLASS_USB, "USB" },
		{ 0x0d11, "Bluetooth" },
	};

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (class >> 8 == names[i].class)
			return names[i].name;
	return NULL;
}

static bool holds_class(const struct guest_check *guest_check, uint32_t class)
{
	for (size_t i = 0; i < guest_check->details->examination.n_pci; i++)
		if (guest_check->details->functions[i].class >> 8 == class)
			return true;
	return false;
}

/*
 * Lists the guest's PCI functions, e.g. "0000:00:14.0 (USB), 0000:03:00.0". The caller
 * frees the text. Returns NULL when out of memory.
 */
static char *describe_functions(const struct guest_check *guest_check)
{
	size_t n = guest_check->details->examination.n_pci, size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const struct check_pci_function *function = &guest_check->details->functions[i];
		const char *class = class_name(function->class);

		fprintf(out, "%s%s%s%s%s", i ? ", " : "", function->address, class ? " (" : "",
			class ? class : "", class ? ")" : "");
	}
	if (n < guest_check->guest->pci_functions)
		fprintf(out, "%s%zu%s PCI functions", n ? " and " : "",
			guest_check->guest->pci_functions - n, n ? " more" : "");
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Why pmcoord cannot use an agent in the guest, and what to do. */
struct no_agent {
	char reason[160];
	const char *advice;
};

/*
 * Returns true if pmcoord cannot use an agent in the guest, with the reason and the
 * advice in `ret`.
 */
static bool lacks_agent(const struct guest_check *guest_check, struct no_agent *ret)
{
	const struct guest_agent *agent = &guest_check->guest->agent;
	size_t size = sizeof(ret->reason);

	ret->advice = "in the guest: systemctl restart pmcoord-agent";
	if (!agent->present) {
		ret->advice =
			"in the guest: 'make install-agent', then 'systemctl enable --now pmcoord-agent'";
		snprintf(ret->reason, size, "no pmcoord-agent runs in the guest");
	} else if (agent->version != PROTOCOL_VERSION) {
		ret->advice = "install the same version of pmcoord in dom0 and in the guest";
		snprintf(ret->reason, size,
			 "pmcoord-agent speaks protocol version %" PRIu64
			 ", dom0 speaks version %d",
			 agent->version, PROTOCOL_VERSION);
	} else if (agent->port == 0) {
		snprintf(ret->reason, size, "pmcoord-agent has published no event channel");
	} else if (guest_check->details->examination.agent_port_is_stale) {
		snprintf(ret->reason, size,
			 "pmcoord-agent has stopped (its event channel %" PRIu32 " does not exist)",
			 agent->port);
	} else {
		return false;
	}
	return true;
}

static void report_devices_without_agent(const struct guest_check *guest_check,
					 const struct no_agent *why)
{
	_cleanup_(freep) char *functions = describe_functions(guest_check);
	bool has_usb = holds_class(guest_check, PCI_CLASS_USB);

	if (!functions) {
		guest_check->findings->out_of_memory = true;
		return;
	}
	REPORT(guest_check, has_usb ? FINDING_ERROR : FINDING_WARNING, why->advice,
	       "the guest holds %s, but %s: these devices are not stopped before the sleep and may not work after it%s%s",
	       functions, why->reason,
	       has_usb ? "; a USB controller that stays bound hangs the whole guest" : "",
	       guest_check->guest->type == GUEST_HVM
		       ? "; an HVM guest also loses the MSI interrupts of these devices"
		       : "");
}

static void check_agent(const struct guest_check *guest_check)
{
	struct no_agent why;

	if (!lacks_agent(guest_check, &why))
		return;
	if (guest_check->guest->pci_functions > 0)
		report_devices_without_agent(guest_check, &why);
	else if (has_agent(guest_check))
		REPORT(guest_check,
		       guest_agent_has_stopped(guest_check->guest) ? FINDING_INFO : FINDING_WARNING,
		       why.advice,
		       "%s: pmcoord suspends the guest without the agent, so processes and devices are not quiesced",
		       why.reason);
}

static void check_memory(const struct guest_check *guest_check)
{
	const struct guest_examination *examination = &guest_check->details->examination;

	/* Up to a tenth may be missing: toolstacks reserve memory, e.g. for video. */
	if (guest_check->guest->pci_functions == 0 || examination->memory_kib == 0 ||
	    examination->memory_kib >= examination->memory_max_kib / 10 * 9)
		return;
	REPORT(guest_check, FINDING_WARNING,
	       "give the driver domain all of its memory: set memory= and maxmem= to the same value",
	       "the guest is ballooned down to %" PRIu64 " of %" PRIu64
	       " MiB: a driver that is bound again after the wake may fail to allocate memory",
	       examination->memory_kib / 1024, examination->memory_max_kib / 1024);
}

/* ---- the agent ----------------------------------------------------------- */

static void check_agent_state(const struct guest_check *guest_check)
{
	const struct agent_state *agent = &guest_check->details->agent;
	const char *detail = agent->detail[0] ? agent->detail : "no details";
	struct no_agent why;

	/* If the agent or the guest does not run, the agent's last state is out of date. */
	if (lacks_agent(guest_check, &why) || guest_check->guest->state != GUEST_RUNNING)
		return;
	switch (agent->state.state) {
	case PROTOCOL_AGENT_READY:
		break;
	case PROTOCOL_AGENT_NONE:
		REPORT(guest_check, FINDING_WARNING, "in the guest: systemctl status pmcoord-agent",
		       "the guest's agent has not reported that it is ready for a request");
		break;
	case PROTOCOL_AGENT_QUIESCED:
		REPORT(guest_check, FINDING_WARNING, "in the guest: pmcoord-agent --status",
		       "the guest's agent has stopped processes and devices and has not restored them");
		break;
	case PROTOCOL_AGENT_FAILED:
		REPORT(guest_check, FINDING_WARNING, "in the guest: pmcoord-agent --test",
		       "the guest's agent reported that the last request failed: %s", detail);
		break;
	case PROTOCOL_AGENT_DEGRADED:
		REPORT(guest_check, FINDING_WARNING,
		       "in the guest: pmcoord-agent --test; if a device stays lost, restart the guest",
		       "the guest's agent could not restore all devices after the last sleep: %s",
		       detail);
		break;
	}
}

#define KEPT " kept: "

/*
 * Reports devices that the agent keeps bound because they are in use. The xenstore node
 * data/pmcoord/detail lists them, separated by "; ". An entry: "0000:00:1f.2 ahci kept:
 * sda1 mounted on /srv".
 */
static void check_kept_devices(const struct guest_check *guest_check)
{
	_cleanup_(freep) char *detail = strdup(guest_check->details->agent.detail);
	char *rest = detail, *entry;

	while (rest && (entry = strsep(&rest, ";"))) {
		entry += strspn(entry, " ");
		if (!strstr(entry, KEPT))
			continue;
		REPORT(guest_check, FINDING_WARNING,
		       "test a sleep with data that you can lose; if the disk fails after the wake, leave its controller to dom0",
		       "%s: the device stays bound during the sleep, and whether it works afterwards depends on its driver",
		       entry);
	}
}

static bool serves_disks(const struct guest_check *guest_check)
{
	const struct inventory *inventory = guest_check->context->inventory;

	for (size_t i = 0; i < inventory->n_links; i++)
		if (inventory->links[i].backend == guest_check->guest->domid &&
		    inventory->links[i].class == LINK_STORAGE &&
		    link_is_confirmed(&inventory->links[i]))
			return true;
	return false;
}

static void check_storage_domain(const struct guest_check *guest_check)
{
	if (guest_check->guest->pci_functions == 0 || !has_agent(guest_check) ||
	    strstr(guest_check->details->agent.detail, KEPT) || !serves_disks(guest_check))
		return;
	REPORT(guest_check, FINDING_INFO,
	       "in the guest: 'pmcoord-agent --dry-run' lists the devices that it keeps",
	       "the guest serves other guests' disks: its agent does not unbind a controller whose disks are in use, because that would destroy data");
}

/* ---- suspend ------------------------------------------------------------- */

static void check_pause(const struct guest_check *guest_check)
{
	/* The last two are soon over, and have findings of their own. */
	if (guest_check->mechanism != MECHANISM_PAUSE || guest_check->guest->being_built ||
	    guest_check->guest->shutdown_node[0])
		return;
	REPORT(guest_check, FINDING_WARNING,
	       guest_check->config.policy == POLICY_PAUSE
		       ? "use Policy=suspend, unless this guest crashes when it suspends"
		       : "run a kernel with suspend support in the guest, or exempt the guest with Policy=ignore",
	       "pmcoord can only pause the guest (%s): its clock is late after each sleep, and every cycle counts as degraded",
	       guest_check->reason ? guest_check->reason : "no other mechanism");
}

static void check_feature(const struct guest_check *guest_check)
{
	if (guest_check->mechanism != MECHANISM_XENSTORE ||
	    guest_check->guest->feature_suspend != GUEST_FEATURE_UNKNOWN)
		return;
	REPORT(guest_check, FINDING_WARNING,
	       "if the guest has finished booting, its kernel has no suspend support: set Policy=pause or Policy=ignore",
	       "control/feature-suspend is not set: the guest may still be booting; if its kernel cannot suspend, each sleep is delayed by %" PRIu64
	       " s",
	       guest_check->config.timeout_us / 1000000);
}

static void check_hvm(const struct guest_check *guest_check)
{
	if (guest_check->mechanism == MECHANISM_HVM)
		REPORT(guest_check, FINDING_WARNING, "install PV drivers in the guest",
		       "the guest has no PV drivers: Xen suspends it without its kernel, and its clock may be late after the wake");
}

static void check_ignored(const struct guest_check *guest_check)
{
	const struct guest *guest = guest_check->guest;

	if (!is_ignored(guest_check) ||
	    (guest_check->serves.n_nodes == 0 && guest->pci_functions == 0))
		return;
	REPORT(guest_check, FINDING_WARNING,
	       "remove Policy=ignore for this guest, or suspend it by other means before each sleep",
	       "pmcoord neither suspends nor resumes the guest (Policy=ignore), but %s%s%s",
	       guest_check->serves.n_nodes ? "other guests need it" : "",
	       guest_check->serves.n_nodes && guest->pci_functions ? " and " : "",
	       guest->pci_functions ? "it holds devices" : "");
}

static void check_state(const struct guest_check *guest_check)
{
	switch (guest_check->guest->state) {
	case GUEST_PAUSED:
		if (guest_check->guest->being_built) {
			REPORT(guest_check, FINDING_INFO, "",
			       "the guest is being built: until that is done, pmcoord pauses it for the time of a sleep");
			break;
		}
		REPORT(guest_check, guest_check->serves.n_nodes ? FINDING_WARNING : FINDING_INFO,
		       "run 'xl unpause', unless the guest is meant to be paused",
		       "the guest is paused, but not by pmcoord, and stays paused during the sleep%s",
		       guest_check->serves.n_nodes
			       ? "; guests that need it may hang when they suspend"
			       : "");
		break;
	case GUEST_SHUT_DOWN:
	case GUEST_DYING:
		REPORT(guest_check, FINDING_INFO,
		       "run 'xl destroy', if the toolstack does not remove the domain",
		       "the guest has shut down, but its domain still exists");
		break;
	case GUEST_RUNNING:
	case GUEST_SUSPENDED:
	case GUEST_GONE:
		break;
	}
	if (guest_check->guest->in_acpi_s3)
		REPORT(guest_check, FINDING_INFO, "",
		       "the guest's operating system has put the guest into ACPI S3: pmcoord neither suspends nor resumes it");
}

static void check_pending_shutdown(const struct guest_check *guest_check)
{
	const char *request = guest_check->guest->shutdown_node;

	if (guest_check->guest->state != GUEST_RUNNING || !request[0])
		return;
	if (strcmp(request, PROTOCOL_SHUTDOWN_SUSPEND) == 0)
		REPORT(guest_check, FINDING_WARNING,
		       "see the guest's console: if the guest is not being saved or migrated, it hangs or ignores requests",
		       "the guest has not acknowledged an earlier request to suspend (control/shutdown): pmcoord sends no further request");
	else
		REPORT(guest_check, FINDING_INFO, "",
		       "the guest is shutting down ('%s' in control/shutdown): pmcoord waits for it, and pauses it if it still runs at its timeout",
		       request);
}

static void check_answers(const struct guest_check *guest_check)
{
	const struct check_details *details = guest_check->details;

	if (details->never_answers)
		REPORT(guest_check, FINDING_WARNING,
		       "use a kernel that supports suspend in the guest, or set Policy=pause",
		       "the guest did not suspend in %u of the last %u cycles: a cycle waits for it no longer than %d s, and then pauses it or fails (OnFailure=)",
		       details->n_missed, details->n_cycles, ANSWERS_TIMEOUT_US / 1000000);
}

static void check_timeout(const struct guest_check *guest_check)
{
	const struct config *config = guest_check->context->config;

	/*
	 * Skip guests without their own Timeout=. GuestTimeout= applies to them, and
	 * check_config() reports GuestTimeout= once.
	 */
	if (guest_check->config.timeout_us <= config->deadline_us ||
	    guest_check->config.timeout_us == config->guest_timeout_us)
		return;
	REPORT(guest_check, FINDING_WARNING, "shorten the guest's Timeout=, or lengthen Deadline=",
	       "the guest's Timeout= (%" PRIu64 " s) exceeds Deadline= (%" PRIu64
	       " s), the time limit for all guests together",
	       guest_check->config.timeout_us / 1000000, config->deadline_us / 1000000);
}

/* ---- all ----------------------------------------------------------------- */

static void (*const checks[])(const struct guest_check *) = {
	check_agent,	      check_memory, check_agent_state,	    check_kept_devices,
	check_storage_domain, check_pause,  check_feature,	    check_hvm,
	check_ignored,	      check_state,  check_pending_shutdown, check_timeout,
	check_answers,
};

static void check_guest(const struct check_context *context, size_t index,
			struct findings *findings)
{
	const struct guest *guest = &context->inventory->guests[index];
	struct guest_check guest_check = {
		.context = context,
		.guest = guest,
		.details = &context->details[index],
		.config = config_for_guest(context->config, guest->name),
		.serves = graph_serves(context->graph, index),
		.findings = findings,
	};

	guest_check.mechanism =
		plan_choose_mechanism(guest, guest_check.config.policy, &guest_check.reason);
	for (size_t i = 0; i < ELEMENTSOF(checks); i++)
		checks[i](&guest_check);
}

void check_guests(const struct check_context *context, struct findings *findings)
{
	const struct inventory *inventory = context->inventory;

	assert(context->config && findings);
	if (!inventory)
		return;
	assert(context->graph && context->details);
	if (inventory->n_guests == 0)
		findings_add(
			findings, FINDING_INFO, "guests", "",
			"no guest is running: only the host and the configuration were checked");
	for (size_t i = 0; i < inventory->n_guests; i++)
		check_guest(context, inventory->by_domid.entries[i].element, findings);
}
