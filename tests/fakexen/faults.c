/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/faults.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_MAX 16

static struct {
	const char *function, *what;
	int error;
	unsigned int n_skipped, n_failing;
} faults[FAULTS_MAX];
static size_t n_faults;

void faults_start(void)
{
	n_faults = 0;
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

bool faults_hit(const char *function, const char *what)
{
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

bool faults_hit_domain(const char *function, unsigned int domid)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", domid);
	return n_faults > 0 && faults_hit(function, text);
}
