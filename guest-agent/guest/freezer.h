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
 * Freezes processes with the cgroup v2 freezer. A cgroup is named by its path
 * below /sys/fs/cgroup ("user.slice", "system.slice/foo.service").
 */

enum freezer_state {
	FREEZER_ABSENT, /* no such cgroup: nothing to freeze */
	FREEZER_THAWED,
	FREEZER_FROZEN, /* before a cycle: by another program, and not thawed */
};

/*
 * May this cgroup be frozen? Not the root, and not a cgroup that contains the agent,
 * PID 1, udev, D-Bus, a network manager or a backend daemon. Returns 0, or -EPERM with
 * the reason in `error`.
 */
int freezer_check(const struct roots *roots, const char *cgroup, struct error *error);

/* The requested state, which processes may not have reached yet. */
enum freezer_state freezer_get(const struct roots *roots, const char *cgroup);

/* Requests a state; it takes effect later. Returns 0 or negative errno. */
int freezer_set(const struct roots *roots, const char *cgroup, bool frozen);

/*
 * Names processes that wait in the kernel (state D), the usual reason for a failure
 * of the kernel's own freezer; "" if there are none.
 */
void freezer_name_blocked(const struct roots *roots, char *ret, size_t size);

struct freezer_wait;

/*
 * Called once. r: 0 when all are frozen; -ETIMEDOUT, and `error` names the processes
 * that are not; or another negative errno.
 */
typedef void (*freezer_done_fn)(void *userdata, int r, const struct error *error);

/*
 * Waits for cgroups after freezer_set(). `cgroups` must outlive the wait. Returns 1 if
 * all are frozen already (`*ret` is not set, `done` is not called), 0, or negative
 * errno; release `*ret` with freezer_wait_free(), also in `done`.
 */
int freezer_wait_start(sd_event *event, const struct roots *roots, const char *const *cgroups,
		       size_t n_cgroups, uint64_t timeout_us, freezer_done_fn done, void *userdata,
		       struct freezer_wait **ret);

/* NULL is a no-op. */
void freezer_wait_free(struct freezer_wait *wait);

#endif
