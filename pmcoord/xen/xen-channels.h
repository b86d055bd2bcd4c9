/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_CHANNELS_H
#define PMCOORD_XEN_XEN_CHANNELS_H

/*
 * Event channels between dom0 and guests, and Xen's subscriptions for them: Xen
 * signals the guest's port of a channel when the guest suspends.
 *
 * A channel belongs to a domain by domid and UUID. The guests' ports are
 * recorded in <run>/ports (see ports.h), and the next process binds them again.
 * Unless said otherwise functions return 0 or a negative errno.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "model/domain-id.h"
#include "xen/xen-control.h"

/* All channels of this process. */
struct xen_channels;

/* A domain has at most one channel of each kind. */
enum xen_channel_kind {
	XEN_CHANNEL_OWN, /* dom0 allocated its port, on the guest's behalf */
	XEN_CHANNEL_PUBLISHED, /* the guest did, for its agent or its kernel */
};

/*
 * Opens the event channel device, or uses `kept_fd`, the descriptor of an earlier
 * process, and takes ownership of it; negative: none. `control` is borrowed until
 * xen_channels_free. On failure `error` is set.
 */
int xen_channels_open(struct xen_control *control, const char *run_directory, int kept_fd,
		      struct xen_channels **ret_channels, struct error *error);

/* Ends the subscriptions of domains that still exist, and closes all ports. */
void xen_channels_free(struct xen_channels *channels);

/*
 * Reads the recorded channels of an earlier process: those of domains that still
 * exist and, with its descriptor, their local ports.
 */
void xen_channels_load(struct xen_channels *channels);

/* Readable when xen_channels_next has something; borrowed. */
int xen_channels_fd(const struct xen_channels *channels);

/* Allocates the guest's port, or reuses the recorded one, and binds it. */
int xen_channels_open_own(struct xen_channels *channels, const struct domain_id *id);

/*
 * Binds the port that the guest published. Returns an enum prepare_outcome
 * or a negative errno.
 */
int xen_channels_open_published(struct xen_channels *channels, const struct domain_id *id,
				uint32_t guest_port);

bool xen_channels_is_bound(const struct xen_channels *channels, const struct domain_id *id,
			   enum xen_channel_kind kind);

/* One hypercall. -ENOTCONN: the channel is not bound. */
int xen_channels_notify(struct xen_channels *channels, const struct domain_id *id,
			enum xen_channel_kind kind);

/*
 * Subscribes the channel's port for the domain's next suspend. The domain must
 * have been checked. -ENOTCONN: there is no such channel.
 */
int xen_channels_subscribe(struct xen_channels *channels, const struct domain_id *id,
			   enum xen_channel_kind kind);

/*
 * Whether the channel was subscribed since the last call. A subscription is used
 * for one request only, because another program can replace it at any time.
 */
bool xen_channels_take_subscription(struct xen_channels *channels, const struct domain_id *id,
				    enum xen_channel_kind kind);

/* Ends Xen's subscription for the domain, also one for another port. */
int xen_channels_unsubscribe(struct xen_channels *channels, const struct domain_id *id);

/* The domain no longer exists: frees its local ports. */
void xen_channels_forget_domain(struct xen_channels *channels, const struct domain_id *id);

/*
 * Reads the next event, without waiting. Returns 1 with *ret_domid (or
 * HYPERVISOR_ALL_DOMAINS for a port that is no longer used), 0 if there is
 * none.
 */
int xen_channels_next(struct xen_channels *channels, uint32_t *ret_domid);

#endif
