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
 * What guests and other programs call in handlers of virtual time does not fail.
 */
void faults_add(const char *function, const char *what, int error, unsigned int n_skipped,
		unsigned int n_failing);

/*
 * Counts the calls that the program makes, and calls `handle` within call number `n` from now
 * on, the first being 1, before it has an effect. 0: never.
 */
void faults_on_call(unsigned int n, void (*handle)(void));
/* The number of calls since faults_start. */
unsigned int faults_count(void);
/* Makes call number `n` from now on fail with `error`, whatever it is. */
void faults_fail_call(unsigned int n, int error);

/* Whether this call is to fail. Sets errno if it is. */
bool faults_hit(const char *function, const char *what);
bool faults_hit_domain(const char *function, unsigned int domid);

#endif
