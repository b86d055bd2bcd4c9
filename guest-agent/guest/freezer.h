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
	FREEZER_ABSENT, /* there is no such cgroup */
	FREEZER_THAWED,
	/* If a cgroup is frozen before a cycle, another program has frozen it and must thaw it. */
	FREEZER_FROZEN,
};

/*
 * Checks that a cgroup may be frozen: it must not be the root cgroup, and must not contain the
 * agent or a unit that the guest needs for a cycle, e.g. udev, D-Bus, a network manager or a
 * backend daemon. Returns 0, or -EPERM with the reason in `error`.
 */
int freezer_check(const struct roots *roots, const char *cgroup, struct error *error);

/* Returns the requested state of a cgroup. Its processes may not be in this state yet. */
enum freezer_state freezer_get(const struct roots *roots, const char *cgroup);

/*
 * Tells the kernel to freeze or to thaw a cgroup, without waiting for completion. Returns 0 or
 * negative errno.
 */
int freezer_set(const struct roots *roots, const char *cgroup, bool frozen);

/*
 * Writes to `ret` the names of processes that wait in the kernel (state D); "" if there are
 * none. Such processes are the usual reason why the kernel cannot freeze user space.
 */
void freezer_name_blocked(const struct roots *roots, char *ret, size_t size);

struct freezer_wait;

/*
 * Called once, when all cgroups are frozen or the time limit has passed. `r` is 0 if all are
 * frozen; otherwise it is -ETIMEDOUT, and `error` names the processes that are not frozen.
 */
typedef void (*freezer_done_fn)(void *userdata, int r, const struct error *error);

/*
 * Starts to wait until the kernel has frozen all `cgroups`. The caller has called freezer_set()
 * for each. `cgroups` must outlive the wait. Returns 0 if the wait has started; 1 if all are
 * frozen already (`*ret` is not set and `done` is not called); or negative errno. Release
 * `*ret` with freezer_wait_free(), which `done` may call.
 */
int freezer_wait_start(sd_event *event, const struct roots *roots, const char *const *cgroups,
		       size_t n_cgroups, uint64_t timeout_us, freezer_done_fn done, void *userdata,
		       struct freezer_wait **ret);

/* Ends and frees a wait, without calling `done`. NULL is a no-op. */
void freezer_wait_free(struct freezer_wait *wait);

#endif
