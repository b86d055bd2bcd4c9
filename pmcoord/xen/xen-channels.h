/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_CHANNELS_H
#define PMCOORD_XEN_XEN_CHANNELS_H

/*
 * Event channels between dom0 and guests. When a guest suspends, Xen sends an
 * event to dom0 over the guest's subscribed channel.
 *
 * A channel belongs to a domain, identified by domid and UUID. The guests'
 * ports are recorded in <run>/ports (see ports.h), so that the next process can
 * bind them again. Unless described otherwise, functions return 0 or a negative
 * errno.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "model/domain-id.h"
#include "xen/xen-control.h"

/* All channels of this process. */
struct xen_channels;

/* A domain has at most one channel of each kind. */
enum xen_channel_kind {
	XEN_CHANNEL_OWN, /* dom0 has allocated the guest's port */
	XEN_CHANNEL_PUBLISHED, /* the guest has allocated its port, for its agent or its kernel */
};

/*
 * Opens the event channel device if `kept_fd` is negative. Otherwise takes
 * ownership of `kept_fd`, an earlier process's descriptor of the device.
 * `control` is borrowed until xen_channels_free. Sets `error` on failure.
 */
int xen_channels_open(struct xen_control *control, const char *run_directory, int kept_fd,
		      struct xen_channels **ret_channels, struct error *error);

/*
 * Ends the subscriptions of domains that still exist, and closes the
 * descriptor. The ports stay bound only while the service manager has a copy of
 * the descriptor.
 */
void xen_channels_free(struct xen_channels *channels);

/*
 * Reads the channels that an earlier process has recorded, except those of
 * domains that no longer exist. If xen_channels_open was given `kept_fd`, also
 * uses the recorded local ports that are still connected, and unbinds all other
 * ports of `kept_fd`.
 */
void xen_channels_load(struct xen_channels *channels);

/* Returns a descriptor, borrowed, that is readable when xen_channels_next has an event. */
int xen_channels_fd(const struct xen_channels *channels);

/* Binds a port of the guest: the recorded port if it can be bound, otherwise a new one. */
int xen_channels_open_own(struct xen_channels *channels, const struct domain_id *id);

/*
 * Binds the port that the guest published. Returns an enum prepare_outcome
 * or a negative errno.
 */
int xen_channels_open_published(struct xen_channels *channels, const struct domain_id *id,
				uint32_t guest_port);

bool xen_channels_is_bound(const struct xen_channels *channels, const struct domain_id *id,
			   enum xen_channel_kind kind);

/*
 * Sends an event to the guest, by one hypercall. Returns -ENOTCONN if the
 * channel is not bound.
 */
int xen_channels_notify(struct xen_channels *channels, const struct domain_id *id,
			enum xen_channel_kind kind);

/*
 * Makes Xen send an event to dom0 over the channel when the domain suspends the
 * next time. The caller has checked that the domain still exists. Returns
 * -ENOTCONN if there is no such channel.
 */
int xen_channels_subscribe(struct xen_channels *channels, const struct domain_id *id,
			   enum xen_channel_kind kind);

/*
 * Returns whether the channel was subscribed since the last call of this
 * function. Each request needs a new subscription, because another program can
 * replace a subscription at any time.
 */
bool xen_channels_take_subscription(struct xen_channels *channels, const struct domain_id *id,
				    enum xen_channel_kind kind);

/* Ends the domain's subscription, even if another program has made it. */
int xen_channels_unsubscribe(struct xen_channels *channels, const struct domain_id *id);

/* Removes the channels of a domain that no longer exists, and frees their local ports. */
void xen_channels_forget_domain(struct xen_channels *channels, const struct domain_id *id);

/*
 * Reads the next event, without waiting. Returns 1 if there was an event, 0 if
 * there is none, or a negative errno. *ret_domid is the domid of the channel's
 * guest, or HYPERVISOR_ALL_DOMAINS if the event's port belongs to no channel.
 */
int xen_channels_next(struct xen_channels *channels, uint32_t *ret_domid);

/*
 * Iterates over the guests of muted channels. A channel whose guest sends too many events is
 * muted until the next subscription: its port stays masked, and the caller must read the
 * guest's state without an event. *index is 0 for the first call. Returns false after the last.
 */
bool xen_channels_next_muted(const struct xen_channels *channels, size_t *index,
			     uint32_t *ret_domid);

#endif
