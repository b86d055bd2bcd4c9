/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_HOST_H
#define PMCOORD_HOST_HOST_H

/*
 * Facts about dom0 that a sleep depends on, read from sysfs, mountinfo and the
 * configuration of systemd. Reads only; decisions are up to the callers.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/string-list.h"
#include "host/roots.h"

enum host_sleep {
	HOST_SLEEP_UNKNOWN, /* /sys/power/state cannot be read */
	HOST_SLEEP_NONE, /* the kernel offers no suspend to RAM */
	HOST_SLEEP_S2IDLE, /* "mem" means s2idle, S3 is not offered */
	HOST_SLEEP_S3_NOT_CHOSEN, /* S3 is offered, "mem" means another state */
	HOST_SLEEP_S3,
};

enum unit_enablement {
	UNIT_ABSENT,
	UNIT_MASKED,
	UNIT_DISABLED,
	UNIT_WANTED, /* by the target in question */
	UNIT_REQUIRED, /* likewise */
};

/* systemd's and logind's configuration of sleep; "": the default holds. */
struct host_systemd {
	bool runs;
	enum unit_enablement sleep_unit; /* by sleep.target */
	enum unit_enablement daemon; /* by multi-user.target */
	const char *masked; /* a masked unit that sleep needs, or NULL */
	char allow_suspend[8]; /* sleep.conf: AllowSuspend= */
	char suspend_state[64]; /* sleep.conf: SuspendState= */
	char lid[32]; /* logind.conf: HandleLidSwitch= */
	char lid_on_power[32]; /* HandleLidSwitchExternalPower= */
	/* Hooks and units that also act on guests when the host sleeps. */
	struct string_list conflicts;
};

struct host {
	enum host_sleep sleep;
	char sleep_text[128]; /* contents of the file that decided `sleep` */
	unsigned int xen_major, xen_minor; /* 0: unknown */
	char guest_disk[64]; /* a mounted disk with a Xen frontend; "": none */
	char guest_disk_mount[128]; /* its mount point */
	int reports_error; /* errno: why reports cannot be written; 0: they can */
	uint64_t reports_free; /* bytes free for reports */
	struct host_systemd systemd;
};

/*
 * Reads all facts: systemd's and mountinfo below `root` ("" for the host), the
 * others below `roots`. What cannot be read is unknown. Returns 0 or -ENOMEM;
 * release: host_done.
 */
int host_read(const char *root, const struct roots *roots, struct host *ret_host);
void host_done(struct host *host);

/*
 * Reads only guest_disk and guest_disk_mount; they are not changed if no disk
 * with a Xen frontend is mounted.
 */
void host_read_disks(const char *root, const char *sys, struct host *host);

/* Reads only systemd's part. Returns 0 or -ENOMEM. */
int host_read_systemd(const char *root, struct host_systemd *ret);
void host_systemd_done(struct host_systemd *systemd);

/*
 * Reads the class of a PCI function (0x0c0330: a USB controller) from
 * `sys`/bus/pci. Returns 0 or a negative errno.
 */
int host_read_pci_class(const char *sys, const char *address, uint32_t *ret_class);

#endif
