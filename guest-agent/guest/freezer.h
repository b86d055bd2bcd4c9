/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_FREEZER_H
#define GUEST_AGENT_GUEST_FREEZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"
#include "pmcoord/error.h"

/*
 * Stopping processes by the cgroup v2 freezer. A cgroup is named by its path
 * below /sys/fs/cgroup ("user.slice", "system.slice/foo.service").
 */

enum freezer_state {
	FREEZER_ABSENT, /* no such cgroup: nothing to stop */
	FREEZER_THAWED,
	FREEZER_FROZEN, /* by someone else, and not ours to thaw */
};

/*
 * May this cgroup be frozen? Not the root, not what the agent itself, PID 1,
 * udev, the bus, a network manager or a backend daemon lives in. Returns 0, or
 * -EPERM with the reason in `error`.
 */
int freezer_check(const struct roots *roots, const char *cgroup, struct error *error);

/* What the cgroup was told to be. */
enum freezer_state freezer_get(const struct roots *roots, const char *cgroup);

/* Tells the kernel; takes effect a little later. Returns 0 or negative errno.
 */
int freezer_set(const struct roots *roots, const char *cgroup, bool frozen);

/*
 * Names processes that wait in the kernel (state D), the usual reason why the
 * kernel's own freezer gives up; "" if there are none.
 */
void freezer_name_blocked(const struct roots *roots, char *ret, size_t size);

struct freezer_wait;

/*
 * Called once: r is 0 when all are frozen, -ETIMEDOUT with the processes that
 * hold out named in `error`, or another negative errno.
 */
typedef void (*freezer_done_fn)(void *userdata, int r, const struct error *error);

/*
 * Waits for cgroups that were told to freeze. `cgroups` must outlive the wait.
 * Returns 1 if all are frozen already (no wait, no call), 0 if `ret` was
 * started, or negative errno.
 */
int freezer_wait_start(sd_event *event, const struct roots *roots, const char *const *cgroups,
		       size_t n_cgroups, uint64_t timeout_us, freezer_done_fn done, void *userdata,
		       struct freezer_wait **ret);

void freezer_wait_free(struct freezer_wait *wait);

#endif
