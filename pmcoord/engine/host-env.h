/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_HOST_ENV_H
#define PMCOORD_ENGINE_HOST_ENV_H

/*
 * The host that a process works on, real or simulated: where the host's files
 * are, what the host offers, and how its hypervisor is opened. main() makes the
 * host_env (host-env-xen.h, host-env-sim.h); all other modules learn only from
 * the host_env what the host offers.
 */

#include <stdbool.h>

#include "pmcoord/error.h"
#include "model/hypervisor.h"
#include "model/loop.h"
#include "host/roots.h"
#include "model/sleep-manager.h"
#include "model/sleeper.h"

/* How a job puts the host to sleep. */
enum sleeper_kind {
	SLEEPER_NONE, /* the host stays awake */
	SLEEPER_SYSFS, /* writes to /sys/power */
	SLEEPER_SYSTEMD, /* lets systemd sleep, as a part of sleep.target */
	SLEEPER_ALARM, /* as SLEEPER_SYSFS, until an RTC alarm wakes the host */
};

struct host_env;

struct host_env_ops {
	/*
	 * Opens the hypervisor and sets the fields that struct host_env says
	 * host_env_open sets. Returns as host_env_open.
	 */
	int (*open)(struct host_env *env, struct error *error);
	/* As host_env_new_sleeper; not called for SLEEPER_NONE. */
	int (*new_sleeper)(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			   struct sleeper **ret_sleeper);
	void (*free)(struct host_env *env);
};

struct host_env {
	const struct host_env_ops *ops;
	char *name; /* "xen" or "sim:<path>"; a client looks for a daemon of this name */
	struct roots roots;

	/*
	 * The process must lock its memory, because suspended guests may serve
	 * the disks from which it would be paged in.
	 */
	bool locks_memory;
	/* The preflight can read dom0's files, see host.h. */
	bool has_files;
	/* systemd and logind may put the host to sleep. */
	bool has_systemd;
	/*
	 * A daemon on the system bus, running or being started, belongs to this
	 * host.
	 */
	bool has_daemon;
	/* The loop has a virtual clock and no sd-event, see loop-event.h. */
	bool has_virtual_clock;

	/*
	 * Read by host_env_open: the descriptor of event channels that an
	 * earlier process has kept; negative: none.
	 */
	int kept_fd;

	/* Set by host_env_open; owned, except for channels_fd. */
	struct hypervisor *hypervisor; /* NULL: not open */
	struct loop *loop;
	struct sleep_manager *sleep_manager; /* NULL: there is none */
	/* The descriptor of event channels to keep for the next process; negative: none. */
	int channels_fd;
};

/*
 * Opens the hypervisor, the loop and the sleep manager, unless the hypervisor
 * is already open. Returns 0, or a negative errno with `error` set.
 */
int host_env_open(struct host_env *env, struct error *error);

/*
 * Makes a sleeper of this kind for the open host; *ret_sleeper is NULL for
 * SLEEPER_NONE. `socket_fd` is used only for SLEEPER_SYSTEMD, see
 * sleeper-host.h. Returns 0 or -ENOMEM. Release: sleeper_free, before
 * host_env_free.
 */
int host_env_new_sleeper(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			 struct sleeper **ret_sleeper);

/* Closes what host_env_open opened, and frees `env`. Takes NULL. */
void host_env_free(struct host_env *env);

#endif
