/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_EVENT_CHANNELS_H
#define TESTS_FAKEXEN_EVENT_CHANNELS_H

/*
 * Event channels: Xen's ports, Linux' device /dev/xen/evtchn, and libxenevtchn. What it claims:
 *
 * - The lowest free port is allocated. A port of a guest can be bound by the domain for which it
 *   is unbound, and by nobody else (EINVAL). A new binding has an event pending at once.
 * - When one end is closed, or its domain ends, the other end becomes unbound again for the
 *   domain that has closed; it is not freed.
 * - An event has no data; events of a port that has one pending are merged.
 * - The device masks a port when it hands out its event. An event that comes before the port is
 *   unmasked stays pending, and is handed out after that.
 * - A port belongs to the descriptor that has bound it: other descriptors cannot unbind it or
 *   send over it (ENOTCONN), and unmasking it is ignored. When the last copy of the descriptor
 *   is closed, its ports are closed.
 * - The status of a port is readable for dom0 for each domain (ESRCH: no such domain, EINVAL:
 *   a port beyond those that were ever allocated).
 */

#include <stdbool.h>
#include <stdint.h>

void event_channels_start(void);
void event_channels_stop(void);

/* The domain in which programs run that open the device from now on; first dom0. */
void event_channels_act_as(uint32_t domid);

/*
 * A new domain: its ports 1 and 2, for xenstored and the console, are bound to ports that other
 * programs of dom0 hold.
 */
void event_channels_add_domain(uint32_t domid);
void event_channels_remove_domain(uint32_t domid);

/* A guest's kernel closes all its ports, e.g. for kexec. */
void event_channels_reset(uint32_t domid);

/* Allocates a port of a domain that `remote` can bind; returns the port. */
uint32_t event_channels_alloc(uint32_t domid, uint32_t remote);

/* Another program of dom0 binds a guest's port and keeps it. Returns whether it could. */
bool event_channels_bind_elsewhere(uint32_t domid, uint32_t port);

/* Closes a port of a domain. */
void event_channels_close(uint32_t domid, uint32_t port);

/* Sends over a port of a domain, as Xen or the domain does. A port without a peer is ignored. */
void event_channels_send(uint32_t domid, uint32_t port);

/* A domain sends only while it runs. */
void event_channels_set_running(uint32_t domid, bool running);

/*
 * The domain sends over this port without end, faster than dom0 handles events, while it runs
 * and until this moment.
 */
void event_channels_storm(uint32_t domid, uint32_t port, uint64_t until_us);

/*
 * Calls `handle` when an event reaches a program or the kernel of this domain. It must
 * not call this module; it may add a handler of virtual time.
 */
void event_channels_listen(uint32_t domid, void (*handle)(void *data), void *data);

/* The process dies: its descriptors are closed. What it still calls has no effect. */
void event_channels_kill(void);

/* The number of events that dom0's programs have taken. */
uint64_t event_channels_count(void);
/* The number of ports of a domain that are in use: what leaks is seen here. */
unsigned int event_channels_count_ports(uint32_t domid);

#endif
