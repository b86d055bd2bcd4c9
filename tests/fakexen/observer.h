/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_OBSERVER_H
#define TESTS_FAKEXEN_OBSERVER_H

/*
 * What changes domains, reported at once to one observer: a log of the machine in which neither
 * the program under test nor its records have a part.
 */

#include <stdint.h>

enum observed_type {
	OBSERVED_BEGAN, /* for the first time no pause is left */
	OBSERVED_PAUSED,
	OBSERVED_UNPAUSED,
	OBSERVED_SUSPENDED, /* it has shut down with this reason */
	OBSERVED_SHUT_DOWN, /* with any other reason */
	OBSERVED_RESUMED,
	OBSERVED_ENDED,
	OBSERVED_NOTIFIED, /* a program of dom0 has sent over the domain's port `port` */
	OBSERVED_NODE, /* a node below the domain's path has another text */
	OBSERVED_CALL_FAILED, /* a hypercall on the domain was made to fail */
};

/* Strings are borrowed during the call. */
struct observed {
	enum observed_type type;
	uint32_t domid;
	uint32_t port;
	const char *node; /* e.g. "control/shutdown" */
	const char *before, *after; /* the node's texts; NULL: there is no such node */
	const char *function;
};

/* Must not change what it observes; it may add a handler of virtual time. */
typedef void (*observer_fn)(const struct observed *observed);

/* NULL: nobody observes. */
void observer_set(observer_fn observe);

void observer_report(const struct observed *observed);
/* The same, for the types that have only a domain. */
void observer_report_domain(enum observed_type type, uint32_t domid);

#endif
