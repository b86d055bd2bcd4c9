/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of each guest: how it would go down, and what would be lost by it. */

#include "check/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"

/* A guest and all that it is judged by. */
struct guest_check {
	const struct check_context *context;
	const struct guest *guest;
	const struct check_details *details;
	struct guest_config wanted;
	enum mechanism mechanism;
	const char *reason; /* for the mechanism; may be NULL */
	struct graph_nodes serves;
	struct findings *findings;
};

#define TELL(guest_check, level, advice, ...)                                                      \
	findings_add((guest_check)->findings, level, (guest_check)->guest->name, advice,           \
		     __VA_ARGS__)

static bool has_agent(const struct guest_check *guest_check)
{
	return guest_check->guest->agent.present;
}

static bool is_ignored(const struct guest_check *guest_check)
{
	return guest_check->wanted.policy == POLICY_IGNORE;
}

/* ---- devices ------------------------------------------------------------- */

#define PCI_CLASS_USB 0x0c03

/* What a person calls the class (the upper 16 bits); NULL: not that common. */
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

/* "0000:00:14.0 (USB), 0000:03:00.0"; the caller's, NULL without memory. */
static char *describe_functions(const struct guest_check *guest_check)
{
	size_t n = guest_check->details->examination.n_pci, size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const struct check_function *function = &guest_check->details->functions[i];
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

/* Why the guest goes down without an agent's help, and what to do about it. */
struct no_agent {
	char reason[160];
	const char *advice;
};

/* Returns false where its agent can be asked. */
static bool lacks_agent(const struct guest_check *guest_check, struct no_agent *ret)
{
	const struct guest_agent *agent = &guest_check->guest->agent;
	size_t size = sizeof(ret->reason);

	ret->advice = "in the guest: systemctl restart pmcoord-agent";
	if (!agent->present) {
		ret->advice =
			"install pmcoord-agent in it ('make install-agent', then 'systemctl enable --now pmcoord-agent')";
		snprintf(ret->reason, size, "runs no agent");
	} else if (agent->version != PROTOCOL_VERSION) {
		ret->advice = "install the same version of pmcoord in dom0 and in the guest";
		snprintf(ret->reason, size,
			 "its agent speaks version %" PRIu64
			 " of the protocol, which dom0 does not",
			 agent->version);
	} else if (agent->port == 0) {
		snprintf(ret->reason, size, "its agent has published no event channel");
	} else if (guest_check->details->examination.agent_port_is_stale) {
		snprintf(ret->reason, size,
			 "its agent is gone (the event channel %" PRIu32
			 " that it published does not exist)",
			 agent->port);
	} else {
		return false;
	}
	return true;
}

static void tell_devices_without_agent(const struct guest_check *guest_check,
				       const struct no_agent *why)
{
	_cleanup_(freep) char *functions = describe_functions(guest_check);
	bool has_usb = holds_class(guest_check, PCI_CLASS_USB);

	if (!functions) {
		guest_check->findings->out_of_memory = true;
		return;
	}
	TELL(guest_check, has_usb ? FINDING_ERROR : FINDING_WARNING, why->advice,
	     "it holds %s and %s: nobody stops these devices before the sleep, and after it they may be dead%s%s",
	     functions, why->reason,
	     has_usb ? "; a USB controller takes its whole guest with it" : "",
	     guest_check->guest->type == GUEST_HVM
		     ? "; an HVM guest also loses their MSI interrupts"
		     : "");
}

static void check_agent(const struct guest_check *guest_check)
{
	struct no_agent why;

	if (!lacks_agent(guest_check, &why))
		return;
	if (guest_check->guest->pci_functions > 0)
		tell_devices_without_agent(guest_check, &why);
	else if (has_agent(guest_check))
		TELL(guest_check,
		     guest_has_given_up_agent(guest_check->guest) ? FINDING_INFO : FINDING_WARNING,
		     why.advice, "%s: its kernel is asked to suspend without it", why.reason);
}

static void check_memory(const struct guest_check *guest_check)
{
	const struct guest_examination *examination = &guest_check->details->examination;

	/* A tenth is what toolstacks keep back for video and the like. */
	if (guest_check->guest->pci_functions == 0 || examination->memory_kib == 0 ||
	    examination->memory_kib >= examination->memory_max_kib / 10 * 9)
		return;
	TELL(guest_check, FINDING_WARNING,
	     "give a driver domain all of its memory (memory= and maxmem= the same)",
	     "it is ballooned down to %" PRIu64 " of %" PRIu64
	     " MiB: a driver that is bound again after the wake may not find the memory that it needs",
	     examination->memory_kib / 1024, examination->memory_max_kib / 1024);
}

/* ---- the agent ----------------------------------------------------------- */

static void check_agent_state(const struct guest_check *guest_check)
{
	const struct agent_state *look = &guest_check->details->agent;
	const char *detail = look->detail[0] ? look->detail : "no details";
	struct no_agent why;

	/* What one that is gone has left there says nothing. */
	if (lacks_agent(guest_check, &why) || guest_check->guest->state != GUEST_RUNNING)
		return;
	switch (look->state.state) {
	case PROTOCOL_AGENT_READY:
		break;
	case PROTOCOL_AGENT_NONE:
		TELL(guest_check, FINDING_WARNING, "in the guest: systemctl status pmcoord-agent",
		     "its agent does not say that it is ready");
		break;
	case PROTOCOL_AGENT_QUIESCED:
		TELL(guest_check, FINDING_WARNING, "in the guest: pmcoord-agent --status",
		     "its agent has stopped processes and devices and has not brought them back");
		break;
	case PROTOCOL_AGENT_FAILED:
		TELL(guest_check, FINDING_WARNING, "in the guest: pmcoord-agent --test",
		     "its agent could not stop its devices the last time: %s", detail);
		break;
	case PROTOCOL_AGENT_DEGRADED:
		TELL(guest_check, FINDING_WARNING,
		     "in the guest: pmcoord-agent --test; if a device stays lost, restart the guest",
		     "not all of its devices came back from the last sleep: %s", detail);
		break;
	}
}

#define KEPT " kept: "

/*
 * The agent names what it keeps bound because it is in use, as
 * "0000:00:1f.2 ahci kept: sda1 mounted on /srv", apart by "; ".
 */
static void check_kept_devices(const struct guest_check *guest_check)
{
	_cleanup_(freep) char *detail = strdup(guest_check->details->agent.detail);
	char *rest = detail, *entry;

	while (rest && (entry = strsep(&rest, ";"))) {
		entry += strspn(entry, " ");
		if (!strstr(entry, KEPT))
			continue;
		TELL(guest_check, FINDING_WARNING,
		     "rehearse a sleep with data that you can lose; if the disk does not come back, let dom0 hold its controller",
		     "%s: it stays bound over the sleep, and whether it survives that is up to its driver",
		     entry);
	}
}

static bool serves_disks(const struct guest_check *guest_check)
{
	const struct inventory *inventory = guest_check->context->inventory;

	for (size_t i = 0; i < inventory->n_links; i++)
		if (inventory->links[i].backend == guest_check->guest->domid &&
		    inventory->links[i].class == LINK_STORAGE &&
		    link_is_believed(&inventory->links[i]))
			return true;
	return false;
}

static void check_storage_domain(const struct guest_check *guest_check)
{
	if (guest_check->guest->pci_functions == 0 || !has_agent(guest_check) ||
	    strstr(guest_check->details->agent.detail, KEPT) || !serves_disks(guest_check))
		return;
	TELL(guest_check, FINDING_INFO, "in the guest: pmcoord-agent --dry-run names what it keeps",
	     "it serves other guests' disks: its agent leaves a controller with disks in use bound over the sleep, as taking it away would destroy data");
}

/* ---- going down ---------------------------------------------------------- */

static void check_pause(const struct guest_check *guest_check)
{
	if (guest_check->mechanism != MECHANISM_PAUSE)
		return;
	TELL(guest_check, FINDING_WARNING,
	     guest_check->wanted.policy == POLICY_PAUSE
		     ? "use Policy=suspend, unless this guest dies of it"
		     : "give it a kernel that can suspend, or live with it (Policy=ignore leaves it alone)",
	     "%s: it can only be paused; its clock will be late after each sleep, and every cycle counts as degraded",
	     guest_check->reason ? guest_check->reason : "no other mechanism");
}

static void check_feature(const struct guest_check *guest_check)
{
	if (guest_check->mechanism != MECHANISM_XENSTORE ||
	    guest_check->guest->feature_suspend != GUEST_FEATURE_UNKNOWN)
		return;
	TELL(guest_check, FINDING_WARNING,
	     "if it has long booted, its kernel has no suspend support: set Policy=pause or Policy=ignore",
	     "it has not said whether it can suspend; it may still be booting, and if it never answers, each sleep waits %" PRIu64
	     " s for it",
	     guest_check->wanted.timeout_us / 1000000);
}

static void check_hvm(const struct guest_check *guest_check)
{
	if (guest_check->mechanism == MECHANISM_HVM)
		TELL(guest_check, FINDING_WARNING, "install PV drivers in it",
		     "it has no PV drivers and notices nothing of the sleep: it is stopped from outside, and its clock may be late");
}

static void check_ignored(const struct guest_check *guest_check)
{
	const struct guest *guest = guest_check->guest;

	if (!is_ignored(guest_check) ||
	    (guest_check->serves.n_nodes == 0 && guest->pci_functions == 0))
		return;
	TELL(guest_check, FINDING_WARNING, "remove Policy=ignore for it, or see to it yourself",
	     "policy ignores it, but %s%s%s: they go down and come back without it",
	     guest_check->serves.n_nodes ? "other guests need it" : "",
	     guest_check->serves.n_nodes && guest->pci_functions ? " and " : "",
	     guest->pci_functions ? "it holds devices" : "");
}

static void check_state(const struct guest_check *guest_check)
{
	switch (guest_check->guest->state) {
	case GUEST_PAUSED:
		TELL(guest_check, guest_check->serves.n_nodes ? FINDING_WARNING : FINDING_INFO, "",
		     "it is paused, not by pmcoord, and stays so%s",
		     guest_check->serves.n_nodes
			     ? "; guests that need it may hang when they are asked to suspend"
			     : "");
		break;
	case GUEST_SHUT_DOWN:
	case GUEST_DYING:
		TELL(guest_check, FINDING_INFO, "if it stays, nobody cleans it up: 'xl destroy' it",
		     "it has shut down but is still there");
		break;
	case GUEST_RUNNING:
	case GUEST_SUSPENDED:
	case GUEST_GONE:
		break;
	}
	if (guest_check->guest->in_acpi_s3)
		TELL(guest_check, FINDING_INFO, "",
		     "it sleeps by its own ACPI S3 and is left alone");
}

static void check_pending_shutdown(const struct guest_check *guest_check)
{
	const char *asked = guest_check->guest->shutdown_node;

	if (guest_check->guest->state != GUEST_RUNNING || !asked[0])
		return;
	if (strcmp(asked, PROTOCOL_SHUTDOWN_SUSPEND) == 0)
		TELL(guest_check, FINDING_WARNING,
		     "if nobody is suspending or saving it now, it hangs or ignores requests: look at its console",
		     "it was asked to suspend and has not taken the request yet");
	else
		TELL(guest_check, FINDING_INFO, "",
		     "it was asked to go ('%s'): it is left alone while it does", asked);
}

static void check_timeout(const struct guest_check *guest_check)
{
	const struct config *config = guest_check->context->config;

	/* What comes from GuestTimeout= is told once. */
	if (guest_check->wanted.timeout_us <= config->deadline_us ||
	    guest_check->wanted.timeout_us == config->guest_timeout_us)
		return;
	TELL(guest_check, FINDING_WARNING, "shorten its Timeout=, or lengthen Deadline=",
	     "its Timeout= of %" PRIu64 " s is longer than Deadline= (%" PRIu64
	     " s), which ends the wait for all guests",
	     guest_check->wanted.timeout_us / 1000000, config->deadline_us / 1000000);
}

/* ---- all ----------------------------------------------------------------- */

static void (*const checks[])(const struct guest_check *) = {
	check_agent,	      check_memory, check_agent_state,	    check_kept_devices,
	check_storage_domain, check_pause,  check_feature,	    check_hvm,
	check_ignored,	      check_state,  check_pending_shutdown, check_timeout,
};

static void check_guest(const struct check_context *context, size_t index,
			struct findings *findings)
{
	const struct guest *guest = &context->inventory->guests[index];
	struct guest_check guest_check = {
		.context = context,
		.guest = guest,
		.details = &context->details[index],
		.wanted = config_for_guest(context->config, guest->name),
		.serves = graph_serves(context->graph, index),
		.findings = findings,
	};

	guest_check.mechanism =
		plan_choose_mechanism(guest, guest_check.wanted.policy, &guest_check.reason);
	for (size_t i = 0; i < ELEMENTSOF(checks); i++)
		checks[i](&guest_check);
}

void check_guests(const struct check_context *context, struct findings *findings)
{
	const struct inventory *inventory = context->inventory;

	if (!inventory)
		return;
	if (inventory->n_guests == 0)
		findings_add(findings, FINDING_INFO, "guests", "",
			     "no guest is running; there is little to check");
	for (size_t i = 0; i < inventory->n_guests; i++)
		check_guest(context, inventory->by_domid.entries[i].element, findings);
}
