/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_RESUME_H
#define PMCOORD_XEN_XEN_RESUME_H

/*
 * Resumes suspended domains in place, so that their frontends stay connected.
 * The functions implement verbs of struct hypervisor_ops; see hypervisor.h for
 * what they do.
 *
 * Functions return 0, -ESRCH if the domain no longer exists, -EBUSY if the
 * domain is not suspended, or another negative errno.
 */

#include "model/domain-id.h"
#include "xen/xen-control.h"
#include "xen/xen-store.h"

/* The domains that xen_resume_prepare has prepared. */
struct xen_resume;

/* `control` is borrowed until xen_resume_free. */
int xen_resume_new(struct xen_control *control, struct xen_resume **ret_resume);
void xen_resume_free(struct xen_resume *resume);

int xen_resume_prepare(struct xen_resume *resume, const struct domain_id *id);

/*
 * Resumes the domain. A prepared domain needs two hypercalls: one to check that
 * it is suspended, and one to resume it.
 */
int xen_resume_domain(struct xen_resume *resume, const struct domain_id *id);

/* Reports to xenstored that the domain runs again. Does not return -EBUSY. */
int xen_resume_in_xenstore(struct xen_resume *resume, struct xen_store *store,
			   const struct domain_id *id);

/* Removes from `resume` a domain that no longer exists. */
void xen_resume_forget_domain(struct xen_resume *resume, const struct domain_id *id);

#endif
