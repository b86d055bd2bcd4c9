/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_RESUME_H
#define PMCOORD_XEN_XEN_RESUME_H

/*
 * Resumes suspended domains in place, so that their frontends keep their rings. The functions are
 * the verbs of hypervisor.h, which has their contract.
 *
 * Functions return 0, -ESRCH when the domain no longer exists, -EBUSY when it
 * is not suspended, or another negative errno.
 */

#include "model/domain-id.h"
#include "xen/xen-control.h"
#include "xen/xen-store.h"

/* The domains whose resume is prepared. */
struct xen_resume;

/* The handles are borrowed until xen_resume_free. */
int xen_resume_new(struct xen_control *control, struct xen_store *store,
		   struct xen_resume **ret_resume);
void xen_resume_free(struct xen_resume *resume);

int xen_resume_prepare(struct xen_resume *resume, const struct domain_id *id);

/* One hypercall, after the check, for a domain that is prepared. */
int xen_resume_domain(struct xen_resume *resume, const struct domain_id *id);

/* Reports the resumed domain to xenstored. No -EBUSY: it runs. */
int xen_resume_in_xenstore(struct xen_resume *resume, const struct domain_id *id);

/* The domain no longer exists. */
void xen_resume_forget_domain(struct xen_resume *resume, const struct domain_id *id);

#endif
