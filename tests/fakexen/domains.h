/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_DOMAINS_H
#define TESTS_FAKEXEN_DOMAINS_H

/*
 * Xen's domains, and the functions of libxenctrl and libxencall that read and change them. What
 * it claims about Xen:
 *
 * - Domains are listed in the order of their domids, from the given one on, dom0 included.
 * - Pauses are counted (EINVAL: unpaused too often). A new domain is paused once by its builder,
 *   and its life begins when no pause is left for the first time: until then it has used no CPU
 *   time. A paused domain can be shut down from outside.
 * - A domain that shuts down keeps its reason until it is resumed or destroyed. A shutdown with
 *   the reason "suspend" sends over the subscribed port and tells xenstored nothing; without a
 *   subscription, and with any other reason, xenstored is told.
 * - One subscription per domain: the last one wins, 0 ends it, and it survives the resume.
 * - The resume hypercall works on each domain that has shut down, whatever the reason; for others
 *   it does nothing. What the guest's suspend hypercall returns is what was written to its
 *   register before: 1 if the suspension was cancelled, 0 if the domain is a new one.
 * - A destroyed domain is "dying" for a while, and then gone. It has no ports from the first
 *   moment on, and xenstored is told then.
 * - Hypercalls on a domid without a domain fail with ESRCH.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOMAIN_UUID_SIZE 16

enum domain_kind {
	DOMAIN_PV,
	DOMAIN_PVH,
	DOMAIN_HVM,
};

/* Reasons of a shutdown, as Xen numbers them. */
enum domain_reason {
	REASON_POWEROFF = 0,
	REASON_REBOOT = 1,
	REASON_SUSPEND = 2,
	REASON_CRASH = 3,
	REASON_WATCHDOG = 4,
	REASON_SOFT_RESET = 5,
};

enum domain_change {
	DOMAIN_RUNS, /* its vCPUs run from now on */
	DOMAIN_STOPS, /* they do not */
	DOMAIN_RESUMED, /* the resume hypercall was made; DOMAIN_RUNS follows unless it is paused */
	DOMAIN_ENDS, /* it is gone; the struct is freed after this call */
};

struct fake_domain;

typedef void (*domain_listener_fn)(void *data, struct fake_domain *domain,
				   enum domain_change change);

struct fake_domain {
	/* Set by the creator; may be changed at any time. */
	uint32_t domid;
	uint8_t uuid[DOMAIN_UUID_SIZE];
	enum domain_kind kind;
	bool is_xenstore_domain;
	uint64_t callback_irq; /* HVM_PARAM_CALLBACK_IRQ */
	uint64_t acpi_state; /* HVM_PARAM_ACPI_S_STATE */
	unsigned int width; /* of a register, in bytes: 8 or 4 */
	/* Read-only for others. */
	unsigned int pauses;
	bool is_built; /* its life has begun */
	bool is_shut_down;
	enum domain_reason reason;
	bool is_dying;
	uint32_t subscription; /* the domain's port; 0: none */
	uint64_t cpu_time_ns;
	bool in_hypercall; /* it has shut down by itself, so that its hypercall returns at the
			      resume */
	uint64_t result; /* what its suspend hypercall will return */
	unsigned int n_suspended, n_resumed; /* how often */
	uint64_t suspended_us, resumed_us; /* the last time; 0: never */
	unsigned int
		n_not_cancelled; /* resumes after which the guest believed to be a new domain */
	unsigned int n_corrupted; /* how often registers outside of that hypercall were written */
	/* One listener: the guest's kernel. */
	domain_listener_fn listener;
	void *listener_data;
	bool was_running;
	struct fake_domain *next; /* by domid */
};

void domains_start(void);
void domains_stop(void);

/* The domid that a toolstack would give to the next domain; not reused before 32752 others. */
uint32_t domains_next_domid(void);

/*
 * Creates a domain that its builder has paused, and its ports. xenstored does not know it before
 * store_introduce_domain. The caller sets the rest of the struct.
 */
struct fake_domain *domains_create(uint32_t domid, enum domain_kind kind);

/* Returns NULL if there is none. */
struct fake_domain *domains_find(uint32_t domid);
/* The domain with the lowest domid above `domid`; NULL: none. */
struct fake_domain *domains_next(uint32_t domid);

/* Whether its vCPUs run. */
bool domains_is_running(const struct fake_domain *domain);

/* What dom0 or the domain itself does. */
void domains_pause(struct fake_domain *domain);
bool domains_unpause(struct fake_domain *domain); /* false: it was not paused */
/* The domain itself shuts down, by a hypercall. From outside: xc_domain_shutdown(). */
void domains_shut_down(struct fake_domain *domain, enum domain_reason reason);
/* With `cancelled`, the guest's hypercall returns 1, as in xc_domain_resume's fast way. */
void domains_resume(struct fake_domain *domain, bool cancelled);
/* The domain dies and, `dying_us` later, is gone. The pointer is not valid any more then. */
void domains_destroy(struct fake_domain *domain, uint64_t dying_us);

#endif
