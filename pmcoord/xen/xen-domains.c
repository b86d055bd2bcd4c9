/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-domains.h"

#include <assert.h>
#include <errno.h>

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
		domain.state = (struct domain_state){ .state = GUEST_GONE };
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
