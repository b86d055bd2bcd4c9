/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-domains.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "pmcoord/cleanup.h"
#include "model/domain-id.h"
#include "model/inventory.h"

int xen_domains_read(struct xen_control *control, const struct domain_id *id,
		     struct xen_domain *ret_domain)
{
	struct xen_domain domain;
	int r = xen_control_get_domain(control, id->domid, &domain);

	assert(ret_domain);
	if (r < 0)
		return r;
	if (!domain_id_equal(&domain.id, id))
		return -ESRCH;
	*ret_domain = domain;
	return 0;
}

int xen_domains_check(struct xen_control *control, const struct domain_id *id)
{
	struct xen_domain domain;

	return xen_domains_read(control, id, &domain);
}

int xen_domains_read_suspended(struct xen_control *control, const struct domain_id *id,
			       struct xen_domain *ret_domain)
{
	struct xen_domain domain;
	int r = xen_domains_read(control, id, &domain);

	assert(ret_domain);
	if (r < 0)
		return r;
	if (domain.state.state != GUEST_SUSPENDED)
		return -EBUSY;
	*ret_domain = domain;
	return 0;
}

int xen_domains_get_state(struct xen_control *control, const struct domain_id *id,
			  struct domain_state *ret_state)
{
	struct xen_domain domain;
	int r = xen_domains_read(control, id, &domain);

	assert(ret_state);
	if (r == -ESRCH)
		domain.state = (struct domain_state){
			.state = GUEST_GONE,
			.end = GUEST_DESTROYED,
		};
	else if (r < 0)
		return r;
	*ret_state = domain.state;
	return 0;
}

int xen_domains_pause(struct xen_control *control, const struct domain_id *id)
{
	int r = xen_domains_check(control, id);

	return r < 0 ? r : xen_control_pause(control, id->domid);
}

int xen_domains_unpause(struct xen_control *control, const struct domain_id *id)
{
	int r = xen_domains_check(control, id);

	return r < 0 ? r : xen_control_unpause(control, id->domid);
}

bool xen_domains_have_xenstore(struct xen_control *control)
{
	struct xen_domain domains[XEN_DOMAINS_AT_ONCE];
	int n = xen_control_list_domains(control, 1, domains, XEN_DOMAINS_AT_ONCE);

	for (int i = 0; i < n; i++)
		if (domains[i].is_xenstore_domain)
			return true;
	return false;
}

/* Appends the domains of one hypercall. */
static int add_listed(const struct xen_domain *domains, size_t n, struct listed_domain **list,
		      size_t *n_list)
{
	struct listed_domain *grown = reallocarray(*list, *n_list + n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*list = grown;
	for (size_t i = 0; i < n; i++)
		if (!domains[i].is_xenstore_domain)
			grown[(*n_list)++] = (struct listed_domain){
				.id = domains[i].id,
				.state = domains[i].state,
			};
	return 0;
}

int xen_domains_list(struct xen_control *control, struct listed_domain **ret_domains, size_t *ret_n)
{
	_cleanup_(freep) struct listed_domain *list = NULL;
	struct xen_domain domains[XEN_DOMAINS_AT_ONCE];
	uint32_t first = 1; /* skip dom0 */
	size_t n_list = 0;
	int n, r;

	assert(ret_domains && ret_n);
	do {
		n = xen_control_list_domains(control, first, domains, XEN_DOMAINS_AT_ONCE);
		r = n < 0 ? n : add_listed(domains, (size_t)n, &list, &n_list);
		if (r < 0)
			return r;
		if (n > 0)
			first = domains[n - 1].id.domid + 1;
	} while (n == XEN_DOMAINS_AT_ONCE);
	*ret_domains = TAKE_PTR(list);
	*ret_n = n_list;
	return 0;
}
