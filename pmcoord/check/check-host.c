/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of dom0: Xen, S3, disks, space for reports, systemd, logind. */

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "host/sleep-conf.h"
#include "view/findings.h"
#include "check/check.h"

/*
 * Least free space for reports, in bytes: enough for fifty reports (the default of
 * KeepReports=) of a host with many guests.
 */
#define REPORTS_ROOM (4u << 20)

/*
 * The first version of Xen in which xl's monitor process of a guest outlives a
 * suspend. Up to Xen 4.19, the process ends at the first suspend that it sees.
 */
#define XEN_MAJOR_OF_PERSISTENT_MONITORS 4
#define XEN_MINOR_OF_PERSISTENT_MONITORS 20

static void check_hypervisor(const struct check_context *context, struct findings *findings)
{
	if (context->no_hypervisor)
		findings_add(findings, FINDING_ERROR, "Xen",
			     "fix this error, then run 'pmcoord check' again; no guest was checked",
			     "%s", context->no_hypervisor);
}

static void check_monitors(const struct check_context *context, struct findings *findings)
{
	const struct host *host = context->host;

	if (!host || host->xen_major == 0 || host->xen_major > XEN_MAJOR_OF_PERSISTENT_MONITORS ||
	    (host->xen_major == XEN_MAJOR_OF_PERSISTENT_MONITORS &&
	     host->xen_minor >= XEN_MINOR_OF_PERSISTENT_MONITORS))
		return;
	findings_add(
		findings, FINDING_INFO, "Xen",
		"if you rely on on_reboot= or on_poweroff=, do not suspend guests with other programs (e.g. 'xl save -c')",
		"in Xen %u.%u, a guest's 'xl' monitor process ends if a program other than pmcoord suspends the guest: on_reboot= and on_poweroff= then have no effect",
		host->xen_major, host->xen_minor);
}

static void check_sleep(const struct check_context *context, struct findings *findings)
{
	static const char advice[] =
		"enable S3 in the firmware setup, where it may be called 'Linux sleep' or 'legacy suspend'";
	const struct host *host = context->host;

	if (!host) {
		if (context->no_sleep)
			findings_add(findings, FINDING_ERROR, "sleep", advice, "%s",
				     context->no_sleep);
		return;
	}
	switch (host->sleep) {
	case HOST_SLEEP_S3:
		break;
	case HOST_SLEEP_S3_NOT_CHOSEN:
		findings_add(
			findings, FINDING_INFO, "sleep", "",
			"the kernel's default sleep state is not S3 (/sys/power/mem_sleep: %s); pmcoord selects S3 before each sleep",
			host->sleep_text);
		break;
	case HOST_SLEEP_S2IDLE:
		findings_add(
			findings, FINDING_ERROR, "sleep", advice,
			"THIS HOST OFFERS NO S3, only s2idle (/sys/power/mem_sleep: %s), in which Xen saves no power and guests keep running: pmcoord refuses to sleep",
			host->sleep_text);
		break;
	case HOST_SLEEP_NONE:
		findings_add(
			findings, FINDING_ERROR, "sleep", advice,
			"this host offers no suspend to RAM (/sys/power/state: '%s') and cannot sleep",
			host->sleep_text);
		break;
	case HOST_SLEEP_UNKNOWN:
		findings_add(
			findings, FINDING_ERROR, "sleep",
			"mount /sys, or run a dom0 kernel that is built with CONFIG_SUSPEND",
			"/sys/power/state cannot be read: pmcoord cannot put this host to sleep");
		break;
	}
}

static void check_disks(const struct check_context *context, struct findings *findings)
{
	const struct host *host = context->host;

	if (!host || !host->guest_disk[0])
		return;
	findings_add(
		findings, FINDING_WARNING, "dom0",
		"use 'pmcoord suspend-all', which needs no disk during the cycle, and keep logs and swap on another disk",
		"%s is mounted from %s, a disk that a guest serves, and systemd would need this disk while the guest is suspended: closing the lid cannot put this host to sleep",
		host->guest_disk_mount, host->guest_disk);
}

static void check_reports(const struct check_context *context, struct findings *findings)
{
	const struct host *host = context->host;

	if (!host)
		return;
	if (host->reports_error)
		findings_add(findings, FINDING_WARNING, "reports",
			     "make /var/lib/pmcoord/reports writable",
			     "the reports of cycles cannot be written: %s",
			     strerror(host->reports_error));
	else if (host->reports_free < REPORTS_ROOM)
		findings_add(findings, FINDING_WARNING, "reports",
			     "free some space, or keep fewer reports (KeepReports=)",
			     "only %" PRIu64 " KiB are free for the reports of cycles",
			     host->reports_free / 1024);
}

void check_host(const struct check_context *context, struct findings *findings)
{
	assert(context && findings);
	check_hypervisor(context, findings);
	check_sleep(context, findings);
	check_disks(context, findings);
	check_reports(context, findings);
	check_monitors(context, findings);
}

/* ---- systemd ------------------------------------------------------------- */

static void check_sleep_unit(const struct host_systemd *systemd, struct findings *findings)
{
	static const char unit[] = "pmcoord-sleep.service";
	static const char advice[] = "systemctl enable pmcoord-sleep.service";

	switch (systemd->sleep_unit) {
	case UNIT_REQUIRED:
		break;
	case UNIT_ABSENT:
		findings_add(
			findings, FINDING_ERROR, unit, "install pmcoord's units ('make install')",
			"the unit is not installed: no guest is suspended when the lid or 'systemctl suspend' puts the host to sleep");
		break;
	case UNIT_MASKED:
		findings_add(
			findings, FINDING_ERROR, unit,
			"systemctl unmask pmcoord-sleep.service && systemctl enable pmcoord-sleep.service",
			"the unit is masked: no guest is suspended when the lid or 'systemctl suspend' puts the host to sleep");
		break;
	case UNIT_DISABLED:
		findings_add(
			findings, FINDING_ERROR, unit, advice,
			"the unit is not enabled: no guest is suspended when the lid or 'systemctl suspend' puts the host to sleep");
		break;
	case UNIT_WANTED:
		findings_add(
			findings, FINDING_ERROR, unit, "systemctl reenable pmcoord-sleep.service",
			"sleep.target only wants this unit instead of requiring it: the host would sleep even if guests cannot be suspended");
		break;
	}
}

static void check_daemon(const struct check_context *context, struct findings *findings)
{
	enum unit_enablement daemon = context->host->systemd.daemon;
	bool is_enabled = daemon == UNIT_WANTED || daemon == UNIT_REQUIRED;

	if (!is_enabled)
		findings_add(
			findings, FINDING_INFO, "pmcoord.service",
			"systemctl enable --now pmcoord.service",
			"the daemon is %s: commands and sleeps work without the daemon, but each of them first reads all guests from Xen",
			daemon == UNIT_ABSENT	? "not installed"
			: daemon == UNIT_MASKED ? "masked"
						: "not enabled");
	else if (context->status && !context->status->has_daemon)
		findings_add(
			findings, FINDING_WARNING, "pmcoord.service",
			"systemctl status pmcoord.service",
			"the daemon is enabled but does not answer: each command and each sleep first reads all guests from Xen");
}

/* Other keys than these do not matter: pmcoord's own drop-in replaces them for each sleep. */
static void check_late_states(const struct sleep_conf *conf, struct findings *findings)
{
	char advice[sizeof(conf->late_file) + 64];

	if (!conf->late_file[0] || sleep_conf_allows_only_s3(conf))
		return;
	snprintf(advice, sizeof(advice), "remove SuspendState= and MemorySleepMode= from %s",
		 conf->late_file);
	findings_add(
		findings, FINDING_ERROR, "sleep.conf", advice,
		"SuspendState=%s%s%s: if the kernel refused S3, the host would enter another sleep state; pmcoord refuses each sleep",
		conf->states, conf->memory_modes[0] ? ", MemorySleepMode=" : "",
		conf->memory_modes);
}

static void check_sleep_targets(const struct host_systemd *systemd, struct findings *findings)
{
	char advice[128];

	if (systemd->masked) {
		snprintf(advice, sizeof(advice), "systemctl unmask %s", systemd->masked);
		findings_add(
			findings, FINDING_ERROR, systemd->masked, advice,
			"the unit is masked: neither the lid nor 'systemctl suspend' can put this host to sleep");
	}
	if (strcmp(systemd->sleep_conf.allow_suspend, "no") == 0)
		findings_add(
			findings, FINDING_ERROR, "sleep.conf",
			"remove AllowSuspend= from systemd's sleep.conf",
			"AllowSuspend=no: neither the lid nor 'systemctl suspend' can put this host to sleep");
	check_late_states(&systemd->sleep_conf, findings);
}

static void check_lid(const char *key, const char *value, struct findings *findings)
{
	if (!value[0] || strcmp(value, "suspend") == 0)
		return;
	if (strstr(value, "hibernate") || strcmp(value, "hybrid-sleep") == 0)
		findings_add(
			findings, FINDING_WARNING, "logind.conf",
			"set this option to 'suspend' in logind.conf",
			"%s=%s: closing the lid cannot put the host to sleep, because dom0 cannot hibernate",
			key, value);
	else
		findings_add(
			findings, FINDING_INFO, "logind.conf",
			"set this option to 'suspend' in logind.conf, unless its value is intended",
			"%s=%s: closing the lid does not suspend the host", key, value);
}

static void check_conflicts(const struct host_systemd *systemd, struct findings *findings)
{
	for (size_t i = 0; i < systemd->conflicts.n; i++)
		findings_add(
			findings, FINDING_WARNING, systemd->conflicts.texts[i],
			"disable this hook or unit, or set Policy=ignore for the guests that the hook or unit handles",
			"this hook or unit seems to handle guests when the host sleeps: it would interfere with pmcoord");
}

void check_systemd(const struct check_context *context, struct findings *findings)
{
	const struct host_systemd *systemd;

	assert(context && findings);
	if (!context->host)
		return;
	systemd = &context->host->systemd;
	if (!systemd->runs) {
		findings_add(
			findings, FINDING_INFO, "systemd",
			"let the program that handles the lid run 'pmcoord suspend-all'",
			"systemd does not run here: only 'pmcoord suspend-all' suspends guests and host together");
		return;
	}
	check_sleep_unit(systemd, findings);
	check_sleep_targets(systemd, findings);
	check_lid("HandleLidSwitch", systemd->lid, findings);
	check_lid("HandleLidSwitchExternalPower", systemd->lid_on_power, findings);
	check_conflicts(systemd, findings);
	check_daemon(context, findings);
}
