/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-resume.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "model/domain-id.h"
#include "model/inventory.h"
#include "xen/xen-domains.h"

/*
 * A suspended domain that is prepared for its resume: its suspend hypercall
 * will return "cancelled". If the CPU time of the domain differs at the resume,
 * the domain has run in between and has suspended again. It must then be
 * prepared again.
 */
struct prepared_domain {
	struct domain_id id;
	uint64_t cpu_time_ns; /* CPU time of the domain when it was prepared */
};

struct xen_resume {
	struct xen_control *control; /* borrowed */
	struct prepared_domain *prepared;
	size_t n_prepared;
};

int xen_resume_new(struct xen_control *control, struct xen_resume **ret_resume)
{
	struct xen_resume *resume = calloc(1, sizeof(*resume));

	assert(control && ret_resume);
	if (!resume)
		return -ENOMEM;
	resume->control = control;
	*ret_resume = resume;
	return 0;
}

void xen_resume_free(struct xen_resume *resume)
{
	if (!resume)
		return;
	free(resume->prepared);
	free(resume);
}

/* ---- prepared domains --------------------------------------------------- */

static struct prepared_domain *find_prepared(struct xen_resume *resume, const struct domain_id *id)
{
	for (size_t i = 0; i < resume->n_prepared; i++)
		if (domain_id_equal(&resume->prepared[i].id, id))
			return &resume->prepared[i];
	return NULL;
}

static int add_prepared(struct xen_resume *resume, const struct xen_domain *domain)
{
	struct prepared_domain *prepared =
		reallocarray(resume->prepared, resume->n_prepared + 1, sizeof(*prepared));

	if (!prepared)
		return -ENOMEM;
	resume->prepared = prepared;
	prepared[resume->n_prepared++] = (struct prepared_domain){
		.id = domain->id,
		.cpu_time_ns = domain->cpu_time_ns,
	};
	return 0;
}

void xen_resume_forget_domain(struct xen_resume *resume, const struct domain_id *id)
{
	struct prepared_domain *prepared = find_prepared(resume, id);

	assert(resume && id);
	if (prepared)
		*prepared = resume->prepared[--resume->n_prepared];
}

/*
 * Removes a domain from the prepared domains. Returns true if the domain was
 * prepared and has not run since.
 */
static bool take_prepared(struct xen_resume *resume, const struct xen_domain *domain)
{
	const struct prepared_domain *prepared = find_prepared(resume, &domain->id);
	bool is_valid = prepared && prepared->cpu_time_ns == domain->cpu_time_ns;

	xen_resume_forget_domain(resume, &domain->id);
	return is_valid;
}

/* ---- resume ------------------------------------------------------------- */

/*
 * Returns 1 if a suspended domain is in its suspend hypercall, 0 if not. An HVM domain
 * without PV drivers makes no hypercall: dom0 suspends it from outside. If this cannot be
 * read, returns a negative errno: with a guess, either a register of the domain is
 * overwritten, or its frontends reconnect.
 */
static int is_in_hypercall(struct xen_resume *resume, const struct xen_domain *domain)
{
	uint64_t callback;
	int r;

	if (domain->type != GUEST_HVM)
		return 1;
	r = xen_control_get_callback_irq(resume->control, domain->id.domid, &callback);
	return r < 0 ? r : callback != 0;
}

/*
 * Makes the suspend hypercall return "cancelled". After any other return value
 * the domain's frontends reconnect, which breaks disks, networks and
 * passthrough of a domain that is resumed in place.
 */
static int cancel_suspend(struct xen_resume *resume, const struct xen_domain *domain)
{
	int r = is_in_hypercall(resume, domain);

	if (r <= 0)
		return r;
	return xen_control_cancel_suspend(resume->control, domain->id.domid,
					  domain->type == GUEST_PV);
}

/* Reads the domain, and cancels its suspend unless xen_resume_prepare has done so. */
static int read_and_cancel(struct xen_resume *resume, const struct domain_id *id,
			   struct xen_domain *ret_domain)
{
	int r = xen_domains_read_suspended(resume->control, id, ret_domain);

	if (r == 0 && !take_prepared(resume, ret_domain))
		r = cancel_suspend(resume, ret_domain);
	return r;
}

/*
 * Cancels the suspend ahead of the resume. During the resume, these hypercalls
 * would compete for the CPU with the domains that already run again.
 */
int xen_resume_prepare(struct xen_resume *resume, const struct domain_id *id)
{
	struct xen_domain domain;
	int r = read_and_cancel(resume, id, &domain);

	return r < 0 ? r : add_prepared(resume, &domain);
}

int xen_resume_domain(struct xen_resume *resume, const struct domain_id *id)
{
	struct xen_domain domain;
	int r = read_and_cancel(resume, id, &domain);

	return r < 0 ? r : xen_control_resume(resume->control, id->domid);
}

int xen_resume_in_xenstore(struct xen_resume *resume, struct xen_store *store,
			   const struct domain_id *id)
{
	int r = xen_domains_check(resume->control, id);

	return r < 0 ? r : xen_store_resume_domain(store, id->domid);
}
