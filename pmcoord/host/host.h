/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_HOST_H
#define PMCOORD_HOST_HOST_H

/*
 * Facts about dom0 itself that a sleep depends on, read from its files. Reads
 * only; nothing is decided here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/roots.h"
#include "base/string-list.h"

enum host_sleep {
	HOST_SLEEP_UNKNOWN, /* /sys/power cannot be read */
	HOST_SLEEP_NONE, /* the kernel offers no suspend to RAM */
	HOST_SLEEP_S2IDLE, /* "mem" means s2idle, and there is no S3 */
	HOST_SLEEP_S3_NOT_CHOSEN, /* there is S3; "mem" means something else */
	HOST_SLEEP_S3,
};

enum unit_enablement {
	UNIT_ABSENT,
	UNIT_MASKED,
	UNIT_DISABLED,
	UNIT_WANTED, /* by the target in question */
	UNIT_REQUIRED,
};

/* systemd's and logind's configuration, as far as sleep goes; "" is default. */
struct host_systemd {
	bool runs;
	enum unit_enablement sleep_unit; /* by sleep.target */
	enum unit_enablement daemon; /* by multi-user.target */
	const char *masked; /* a unit without which nothing sleeps, or NULL */
	char allow_suspend[8]; /* sleep.conf: AllowSuspend= */
	char suspend_state[64]; /* sleep.conf: SuspendState= */
	char lid[32]; /* logind.conf: HandleLidSwitch= */
	char lid_on_power[32]; /* HandleLidSwitchExternalPower= */
	/* Hooks and units that touch guests when we do. */
	struct string_list conflicts;
};

struct host {
	enum host_sleep sleep;
	char sleep_text[128]; /* the kernel's own words */
	unsigned int xen_major, xen_minor; /* 0: unknown */
	char guest_disk[64]; /* a disk of dom0 that another domain serves … */
	char guest_disk_mount[128]; /* … and what is mounted from it */
	int reports_error; /* why no report can be written, 0: it can */
	uint64_t reports_free; /* bytes */
	struct host_systemd systemd;
};

/*
 * Reads the facts below `root` ("" for the host's own files) and of `roots`.
 * What cannot be read is unknown. Returns 0 or -ENOMEM; release: host_done.
 */
int host_read(const char *root, const struct roots *roots, struct host *ret_host);
void host_done(struct host *host);

/*
 * The part of the disks alone: fills in guest_disk and guest_disk_mount, which
 * stay as they are where nothing is mounted from another domain's disk.
 */
void host_read_disks(const char *root, const char *sys, struct host *host);

/* The part of systemd; for host_read. */
int host_read_systemd(const char *root, struct host_systemd *ret);
void host_systemd_done(struct host_systemd *systemd);

/*
 * Reads the class of a PCI function (0x0c0330: a USB controller) from
 * `sys`/bus/pci. Returns 0 or a negative errno.
 */
int host_read_pci_class(const char *sys, const char *address, uint32_t *ret_class);

#endif
