/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_HOST_ENV_H
#define PMCOORD_ENGINE_HOST_ENV_H

/*
 * The host that a process works on: where its files are, what it offers, and
 * how its hypervisor is opened. main() chooses it (host-env-xen.h,
 * host-env-sim.h); all other modules read what it offers from here.
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
	SLEEPER_ALARM, /* as SLEEPER_SYSFS, woken by an RTC alarm */
};

struct host_env;

struct host_env_ops {
	/* Sets the fields below, see host_env_open. */
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

	/* Disks may be served by suspended guests: this process locks its memory. */
	bool locks_memory;
	/* dom0's files can be read, see host.h. */
	bool has_files;
	/* systemd and logind may put it to sleep. */
	bool has_systemd;
	/* A daemon on the system bus, running or starting, is this host's. */
	bool has_daemon;
	/* Its loop has a virtual clock and no sd-event, see loop-event.h. */
	bool has_virtual_clock;

	/* Input of open: event channels kept from an earlier process, or negative. */
	int kept_fd;

	/* Set by host_env_open, owned. */
	struct hypervisor *hypervisor; /* NULL: not open */
	struct loop *loop;
	struct sleep_manager *sleep_manager; /* NULL: there is none */
	int channels_fd; /* event channels to keep for the next process, or negative; borrowed */
};

/* Opens the hypervisor, unless it is open. Returns 0, or negative with `error` set. */
int host_env_open(struct host_env *env, struct error *error);

/*
 * Makes a sleeper for the open host; NULL for SLEEPER_NONE.
 * `socket_fd` is for SLEEPER_SYSTEMD, see sleeper-host.h. Returns 0 or -ENOMEM;
 * release: sleeper_free, before host_env_free.
 */
int host_env_new_sleeper(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			 struct sleeper **ret_sleeper);

/* Takes NULL. */
void host_env_free(struct host_env *env);

#endif
