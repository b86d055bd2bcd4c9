/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_ANSWERS_H
#define PMCOORD_RECORD_ANSWERS_H

/*
 * Which guests answer requests through xenstore, in <run>/answers. Some kernels never do
 * (MirageOS, OpenBSD). Such a guest is requested as ever, but a cycle does not wait for it for
 * the whole of its timeout any more. A guest is known by its domain and its
 * control/feature-suspend, so that another domain or another kernel begins anew.
 *
 * Nothing depends on the file. What cannot be read or written is as if it were not known.
 */

#include <stdbool.h>
#include <stddef.h>

#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "host/roots.h"

/* Of how many cycles the answers are remembered. */
#define ANSWERS_MAX 10

/* After so many cycles in a row without an answer, a guest counts as one that never answers. */
#define ANSWERS_MISSED_MAX 3

/* How long a cycle then waits for the guest. One that answers does so within milliseconds. */
#define ANSWERS_TIMEOUT_US 2000000

struct guest_answers {
	struct domain_id id;
	enum guest_feature feature;
	char cycles[ANSWERS_MAX + 1]; /* one per cycle, the last one last: '1' or '0' (no answer) */
};

struct answers {
	struct guest_answers *guests; /* only those that have missed a cycle */
	size_t n_guests;
};

/* Reads the file. Release: answers_done. */
struct answers answers_load(const struct roots *roots);
/* Frees the contents of `answers`, which may be NULL. */
void answers_done(struct answers *answers);

/*
 * Whether the guest never answers. Sets *ret_missed to how many of the last *ret_n cycles it has
 * not answered; both are 0 for a guest that is not known. Both may be NULL.
 */
bool answers_are_missing(const struct answers *answers, const struct guest *guest,
			 unsigned int *ret_missed, unsigned int *ret_n);

/* Shortens the timeouts of steps whose guests never answer. */
void answers_shorten_timeouts(const struct roots *roots, struct plan *plan);

/* Adds what a cycle has shown. Its first guests are those of the steps of `plan`. */
void answers_update(const struct roots *roots, const struct plan *plan, const struct cycle *cycle);

#endif
