/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_HOST_ENV_H
#define PMCOORD_ENGINE_HOST_ENV_H

/*
 * The host that a process works on: where the host's files are, what the host
 * offers, and how its hypervisor is opened. The host runs Xen (host-env-xen.h)
 * or is simulated (host-env-sim.h).
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
	SLEEPER_NONE, /* not at all */
	SLEEPER_SYSFS, /* writes to /sys/power, which puts the host to sleep */
	/* lets systemd put the host to sleep, and waits for the wake (pmcoord-sleep.service) */
	SLEEPER_SYSTEMD,
	SLEEPER_ALARM, /* like SLEEPER_SYSFS, but an RTC alarm wakes the host */
};

struct host_env;

struct host_env_ops {
	/*
	 * Opens the hypervisor, without a connection to xenstored (hypervisor_ops.connect). Sets
	 * `hypervisor` and the fields below it in struct host_env.
	 */
	int (*open)(struct host_env *env, struct error *error);
	/* Creates a sleeper, see host_env_new_sleeper; `kind` is not SLEEPER_NONE. */
	int (*new_sleeper)(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			   struct sleeper **ret_sleeper);
	void (*free)(struct host_env *env);
};

struct host_env {
	const struct host_env_ops *ops;
	char *name; /* "xen" or "sim:<path>"; clients use only a daemon with the same name */
	struct roots roots;

	/* The process locks its memory, because suspended guests may serve the host's disks. */
	bool locks_memory;
	/* dom0's files can be read, see host.h. */
	bool has_files;
	/* systemd and logind may put the host to sleep. */
	bool has_systemd;
	/*
	 * A pmcoord daemon on the system bus, now or later, manages this host.
	 * False for a simulated host, because that daemon may manage another host.
	 */
	bool has_daemon;
	/*
	 * The host's loop has a virtual clock. The functions of loop-event.h must
	 * not be used on this loop.
	 */
	bool has_virtual_clock;

	/*
	 * The event channels' descriptor that an earlier process stored with the
	 * service manager; negative: none. Must be set before host_env_open.
	 */
	int kept_fd;

	/* Set by host_env_open, and owned unless described otherwise. */
	struct hypervisor *hypervisor; /* NULL: not open */
	struct loop *loop;
	struct sleep_manager *sleep_manager; /* NULL: there is none */
	/*
	 * The event channels' descriptor that this process must store with the
	 * service manager, for the next process. Borrowed; negative: none.
	 */
	int channels_fd;
};

/*
 * Opens the host's hypervisor, unless it is open, without a connection to xenstored. Returns 0, or
 * negative with `error` set.
 */
int host_env_open(struct host_env *env, struct error *error);

/*
 * Connects the open hypervisor to xenstored, so that a missing xenstored is an error now. What
 * resumes guests does without. Returns as host_env_open does.
 */
int host_env_connect(struct host_env *env, struct error *error);

/*
 * Creates a sleeper for the open host; *ret_sleeper is NULL for SLEEPER_NONE.
 * `socket_fd` is used only by SLEEPER_SYSTEMD, see sleeper_systemd_new. Returns
 * 0 or -ENOMEM. Release: sleeper_free, before host_env_free.
 */
int host_env_new_sleeper(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			 struct sleeper **ret_sleeper);

/* Frees `env`, which may be NULL, and what host_env_open has set. */
void host_env_free(struct host_env *env);

#endif
