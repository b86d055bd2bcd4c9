/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_SERVICE_H
#define PMCOORD_DAEMON_SERVICE_H

/*
 * The daemon's interface on the system bus, org.pmcoord.Coordinator1 at
 * /org/pmcoord/Coordinator1; see pmcoord(8), D-BUS. The bus's policy allows only
 * root to call it.
 */

#include "pmcoord/error.h"
#include "daemon/daemon.h"

#define SERVICE_NAME "org.pmcoord.Coordinator1"
#define SERVICE_PATH "/org/pmcoord/Coordinator1"
#define SERVICE_INTERFACE SERVICE_NAME
#define SERVICE_SIGNAL_GUEST_ADDED "GuestAdded"
#define SERVICE_SIGNAL_GUEST_REMOVED "GuestRemoved"
#define SERVICE_ERROR_BUSY "org.pmcoord.Error.Busy"
#define SERVICE_ERROR_INVALID "org.pmcoord.Error.Invalid"
#define SERVICE_ERROR_FAILED "org.pmcoord.Error.Failed"

/* Options of a job, with their D-Bus types; see pmcoord(8). */
#define SERVICE_OPTION_FORCE "force" /* b */
#define SERVICE_OPTION_GUESTS_ONLY "guests-only" /* b */
#define SERVICE_OPTION_SLEEP "sleep" /* b; only for the method Cycle */
#define SERVICE_OPTION_TIMEOUT "timeout-us" /* t */
#define SERVICE_OPTION_CONFIG "config" /* s */

struct sd_event;
struct service;

/*
 * Acquires SERVICE_NAME on the system bus, offers the daemon's interface there,
 * and observes the daemon. `hypervisor`, "xen" or "sim:<path>", is published as
 * a property. `daemon` and `hypervisor` are borrowed. Returns 0, or a negative
 * errno with `error` set: -EEXIST if another daemon has the name. Release:
 * service_close.
 */
int service_open(struct daemon *daemon, struct sd_event *event, const char *hypervisor,
		 struct service **ret_service, struct error *error);
void service_close(struct service *service);

#endif
