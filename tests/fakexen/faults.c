/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/faults.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakexen/virtual-time.h"

#define FAULTS_MAX 16

static struct {
	const char *function, *what;
	int error;
	unsigned int n_skipped, n_failing;
} faults[FAULTS_MAX];
static size_t n_faults;
static unsigned int n_calls, handled_call, failing_call;
static int failing_error;
static void (*call_handler)(void);

void faults_start(void)
{
	n_faults = 0;
	n_calls = handled_call = failing_call = 0;
}

void faults_on_call(unsigned int n, void (*handle)(void))
{
	handled_call = n ? n_calls + n : 0;
	call_handler = handle;
}

unsigned int faults_count(void)
{
	return n_calls;
}

void faults_fail_call(unsigned int n, int error)
{
	failing_call = n_calls + n;
	failing_error = error;
}

/* Counts a call of the program. Returns whether it is to fail, whatever it is. */
static bool count_call(void)
{
	if (virtual_time_is_in_handler())
		return false;
	n_calls++;
	if (n_calls == handled_call)
		call_handler();
	if (n_calls != failing_call)
		return false;
	errno = failing_error;
	return true;
}

void faults_add(const char *function, const char *what, int error, unsigned int n_skipped,
		unsigned int n_failing)
{
	if (n_faults == FAULTS_MAX)
		abort();
	faults[n_faults].function = function;
	faults[n_faults].what = what;
	faults[n_faults].error = error;
	faults[n_faults].n_skipped = n_skipped;
	faults[n_faults++].n_failing = n_failing;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* Calls within handlers are those of guests and other programs. */
static bool find_fault(const char *function, const char *what)
{
	if (virtual_time_is_in_handler())
		return false;
	for (size_t i = 0; i < n_faults; i++) {
		if (strcmp(faults[i].function, function) != 0 ||
		    (faults[i].what && !ends_with(what, faults[i].what)) ||
		    faults[i].n_failing == 0)
			continue;
		if (faults[i].n_skipped > 0) {
			faults[i].n_skipped--;
			continue;
		}
		faults[i].n_failing--;
		errno = faults[i].error;
		return true;
	}
	return false;
}

bool faults_hit(const char *function, const char *what)
{
	return count_call() || find_fault(function, what);
}

bool faults_hit_domain(const char *function, unsigned int domid)
{
	char text[16];

	if (count_call())
		return true;
	snprintf(text, sizeof(text), "%u", domid);
	return n_faults > 0 && find_fault(function, text);
}
