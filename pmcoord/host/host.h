/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_HOST_H
#define PMCOORD_HOST_HOST_H

/*
 * Facts about dom0 that a sleep depends on, read from sysfs, mountinfo and the
 * configuration of systemd. Nothing is written; the callers judge the facts.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/string-list.h"
#include "host/roots.h"
#include "host/sleep-conf.h"

enum host_sleep {
	HOST_SLEEP_UNKNOWN, /* /sys/power/state cannot be read */
	HOST_SLEEP_NONE, /* the kernel offers no suspend to RAM */
	HOST_SLEEP_S2IDLE, /* "mem" means s2idle; the kernel does not offer S3 */
	HOST_SLEEP_S3_NOT_CHOSEN, /* "mem" means another state, but the kernel offers S3 */
	HOST_SLEEP_S3, /* "mem" means S3 */
};

/* Whether a unit is started with a target. */
enum unit_enablement {
	UNIT_ABSENT, /* there is no such unit */
	UNIT_MASKED,
	UNIT_DISABLED,
	UNIT_WANTED, /* the target wants the unit */
	UNIT_REQUIRED, /* the target requires the unit */
};

/* systemd's and logind's configuration of sleep. A value of "" means systemd's default. */
struct host_systemd {
	bool runs; /* systemd is the host's service manager */
	enum unit_enablement sleep_unit; /* pmcoord-sleep.service with sleep.target */
	enum unit_enablement daemon; /* pmcoord.service with multi-user.target */
	const char *masked; /* a masked unit that sleep needs, or NULL */
	struct sleep_conf sleep_conf;
	char lid[32]; /* logind.conf: HandleLidSwitch= */
	char lid_on_power[32]; /* logind.conf: HandleLidSwitchExternalPower= */
	/* Other programs' hooks and units that seem to act on guests when the host sleeps. */
	struct string_list conflicts;
};

struct host {
	enum host_sleep sleep;
	char sleep_text[128]; /* contents of the file from which `sleep` was read */
	unsigned int xen_major, xen_minor; /* 0: unknown */
	char guest_disk[64]; /* name of a Xen frontend that is mounted; "": none */
	char guest_disk_mount[128]; /* mount point of guest_disk */
	int reports_error; /* the errno if reports cannot be written, else 0 */
	uint64_t reports_free; /* bytes free for reports */
	struct host_systemd systemd;
};

/*
 * Reads all facts. The files of systemd and mountinfo are read below `root` ("" on
 * the host), the other files below `roots`. A fact that cannot be read is left
 * unknown. Returns 0 or -ENOMEM. Release: host_done.
 */
int host_read(const char *root, const struct roots *roots, struct host *ret_host);

/* Frees the contents of `host`, which may be NULL. */
void host_done(struct host *host);

/*
 * Reads only guest_disk and guest_disk_mount. Leaves both unchanged if no mounted
 * disk is a Xen frontend or is stacked on a Xen frontend.
 */
void host_read_disks(const char *root, const char *sys, struct host *host);

/* Reads only struct host_systemd. Returns 0 or -ENOMEM. Release: host_systemd_done. */
int host_read_systemd(const char *root, struct host_systemd *ret);

/* Frees the contents of `systemd`, which may be NULL. */
void host_systemd_done(struct host_systemd *systemd);

/*
 * Reads the class of a PCI function, e.g. 0x0c0330 of a USB controller, from
 * <sys>/bus/pci. Returns 0 or a negative errno.
 */
int host_read_pci_class(const char *sys, const char *address, uint32_t *ret_class);

#endif
