/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/observer.h"

#include <stddef.h>

static observer_fn observer;

void observer_set(observer_fn observe)
{
	observer = observe;
}

void observer_report(const struct observed *observed)
{
	if (observer)
		observer(observed);
}

void observer_report_domain(enum observed_type type, uint32_t domid)
{
	struct observed observed = { .type = type, .domid = domid };

	observer_report(&observed);
}
