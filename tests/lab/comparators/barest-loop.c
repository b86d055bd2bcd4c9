/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * barest-loop: the least that suspending domains in memory can be. Asks all of them at once through xenstore, waits
 * for Xen's suspend events, and resumes them by one hypercall each. It checks nothing, orders nothing, remembers
 * nothing, and would leave domains down if anything went wrong: it is what a coordinator is measured against.
 *
 * Usage: barest-loop DOMID...
 * Prints {"suspend_us": U, "asked_us": U, "resume_us": U}: from the first request until the last is down; of it
 * until all are asked; and all resume hypercalls. Event channels are set up before, xenstored is told after.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenguest.h>
#include <xenstore.h>

#include "clock.h"

#define DOMAINS_MAX 64
#define PATIENCE_MS 30000

struct domain {
	uint32_t domid;
	int guest_port;
	xenevtchn_port_or_error_t local_port;
	char shutdown[64];
	int down;
};

static void must(int holds, const char *what) {
	if (holds)
		return;
	perror(what);
	exit(1);
}

/* Binding makes the local port pending: that event is taken here. */
static void prepare(xc_interface *xen, xenevtchn_handle *events, struct domain *domain) {
	domain->guest_port = xc_evtchn_alloc_unbound(xen, domain->domid, 0);
	must(domain->guest_port >= 0, "xc_evtchn_alloc_unbound");
	domain->local_port = xenevtchn_bind_interdomain(events, domain->domid, (evtchn_port_t) domain->guest_port);
	must(domain->local_port >= 0, "xenevtchn_bind_interdomain");
	must(xenevtchn_pending(events) == domain->local_port, "xenevtchn_pending");
	must(xenevtchn_unmask(events, (evtchn_port_t) domain->local_port) == 0, "xenevtchn_unmask");
	must(xc_domain_subscribe_for_suspend(xen, domain->domid, (evtchn_port_t) domain->guest_port) == 0,
	     "xc_domain_subscribe_for_suspend");
}

static void wait_for_one(xenevtchn_handle *events, struct domain *domains, int n) {
	struct pollfd descriptor = { .fd = xenevtchn_fd(events), .events = POLLIN };
	xenevtchn_port_or_error_t port;

	must(poll(&descriptor, 1, PATIENCE_MS) == 1, "a domain does not suspend");
	port = xenevtchn_pending(events);
	must(port >= 0, "xenevtchn_pending");
	must(xenevtchn_unmask(events, (evtchn_port_t) port) == 0, "xenevtchn_unmask");
	for (int i = 0; i < n; i++)
		domains[i].down |= domains[i].local_port == port;
}

static int count_down(const struct domain *domains, int n) {
	int down = 0;

	for (int i = 0; i < n; i++)
		down += domains[i].down;
	return down;
}

int main(int argc, char **argv) {
	xc_interface *xen = xc_interface_open(NULL, NULL, 0);
	xenevtchn_handle *events = xenevtchn_open(NULL, 0);
	struct xs_handle *store = xs_open(0);
	struct domain domains[DOMAINS_MAX] = { 0 };
	int n = argc - 1;
	uint64_t start, asked, down, resuming, back;

	must(xen && events && store, "opening Xen");
	must(n <= DOMAINS_MAX, "so many domains");
	for (int i = 0; i < n; i++) {
		domains[i].domid = (uint32_t) strtoul(argv[i + 1], NULL, 10);
		snprintf(domains[i].shutdown, sizeof(domains[i].shutdown), "/local/domain/%u/control/shutdown",
			 domains[i].domid);
		prepare(xen, events, &domains[i]);
	}
	start = now_us();
	for (int i = 0; i < n; i++)
		must(xs_write(store, XBT_NULL, domains[i].shutdown, "suspend", 7), "xs_write");
	asked = now_us();
	while (count_down(domains, n) < n)
		wait_for_one(events, domains, n);
	down = now_us();
	for (int i = 0; i < n; i++)
		must(xc_domain_subscribe_for_suspend(xen, domains[i].domid, 0) == 0, "xc_domain_subscribe_for_suspend");
	resuming = now_us();
	for (int i = n - 1; i >= 0; i--)
		must(xc_domain_resume(xen, domains[i].domid, 1) == 0, "xc_domain_resume");
	back = now_us();
	for (int i = 0; i < n; i++)
		must(xs_resume_domain(store, domains[i].domid), "xs_resume_domain");
	printf("{\"suspend_us\": %llu, \"asked_us\": %llu, \"resume_us\": %llu}\n", (unsigned long long) (down - start),
	       (unsigned long long) (asked - start), (unsigned long long) (back - resuming));
	return 0;
}
