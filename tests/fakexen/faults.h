/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_FAULTS_H
#define TESTS_FAKEXEN_FAULTS_H

/* Calls of the libraries that are to fail, by the function's name. */

#include <stdbool.h>

void faults_start(void);

/*
 * Makes calls of `function` fail with `error` (positive errno): the first `n_skipped` calls
 * still succeed, the next `n_failing` fail. `what` limits this to calls for one thing: a path
 * of xenstore that ends with it, or a domid in decimal digits; NULL: all. The strings are borrowed.
 */
void faults_add(const char *function, const char *what, int error, unsigned int n_skipped,
		unsigned int n_failing);

/* Whether this call is to fail. Sets errno if it is. */
bool faults_hit(const char *function, const char *what);
bool faults_hit_domain(const char *function, unsigned int domid);

#endif
