/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_HOST_ENV_H
#define PMCOORD_ENGINE_HOST_ENV_H

/*
 * The host that a process works on: where its files are, what it has, and how
 * its hypervisor is opened. It is chosen once (host-env-xen.h, host-env-sim.h);
 * what one host lacks is a fact here, which no other module asks of the choice.
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
	SLEEPER_NONE,
	SLEEPER_SYSFS, /* writes to /sys/power */
	SLEEPER_SYSTEMD, /* waits inside of systemd's sleep.target */
	SLEEPER_ALARM, /* as SLEEPER_SYSFS, until an alarm of the clock */
};

struct host_env;

struct host_env_ops {
	/* Sets what host_env_open() sets. */
	int (*open)(struct host_env *env, struct error *error);
	/* See host_env_new_sleeper; the kind is not SLEEPER_NONE. */
	int (*new_sleeper)(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			   struct sleeper **ret_sleeper);
	void (*free)(struct host_env *env);
};

struct host_env {
	const struct host_env_ops *ops;
	char *name; /* the same for daemon and clients: "xen", "sim:<path>" */
	struct roots roots;

	/* Its disks may be asleep with the guests: this process keeps off them.
	 */
	bool locks_memory;
	/* dom0's files can be read: see host.h. */
	bool has_files;
	/* systemd and logind may put it to sleep. */
	bool has_systemd;
	/* The daemon on the system bus is this host's, also one that starts. */
	bool has_daemon;
	/* Its loop has a clock of its own and no sd-event, see loop-event.h. */
	bool has_virtual_clock;

	/* Event channels that a former process has left; for open, or negative.
	 */
	int kept_fd;

	/* Set by host_env_open, owned. */
	struct hypervisor *hypervisor; /* NULL: not open */
	struct loop *loop;
	struct sleep_manager *sleep_manager; /* NULL: there is none */
	int channels_fd; /* event channels to be kept, or negative; borrowed */
};

/* Opens the hypervisor, once. Returns 0, or negative with `error` set. */
int host_env_open(struct host_env *env, struct error *error);

/*
 * Makes what puts the open host to sleep, nothing (NULL) for SLEEPER_NONE.
 * `socket_fd` is for SLEEPER_SYSTEMD, see sleeper-host.h. Returns 0 or -ENOMEM;
 * release: sleeper_free, before host_env_free.
 */
int host_env_new_sleeper(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			 struct sleeper **ret_sleeper);

/* Takes NULL. */
void host_env_free(struct host_env *env);

#endif
