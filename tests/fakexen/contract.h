/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_CONTRACT_H
#define TESTS_FAKEXEN_CONTRACT_H

/*
 * Claims about Xen, each of which holds on the double and on real Xen. They use the functions of
 * libxenctrl, libxenevtchn and libxenstore only. A unit test makes them of the double; the
 * program `contract` makes them in dom0 of a host with Xen (tests/lab/test_fakexen.py).
 *
 * The scratch guest runs, and suspends within CONTRACT_SUSPEND_MS when control/shutdown says so,
 * as Linux does. It is left as it was.
 */

#include <stddef.h>
#include <stdint.h>

#define CONTRACT_SUSPEND_MS 20000

/* What the claims work with. */
struct contract;

struct contract_claim {
	const char *name; /* the claim, in words joined by '_' */
	/* Returns NULL if it holds, else what was seen instead (static). */
	const char *(*holds)(struct contract *contract);
};

extern const struct contract_claim contract_claims[];
extern const size_t contract_n_claims;

/*
 * Opens the libraries for claims about the guest `domid`. Returns NULL with errno set if they
 * cannot be opened.
 */
struct contract *contract_open(uint32_t domid);
/* Removes what the claims have left. NULL is a no-op. */
void contract_close(struct contract *contract);

#endif
