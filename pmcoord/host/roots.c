/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/roots.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int fill(struct roots *roots, const char *run, const char *reports, const char *unsaved,
		const char *sys, const char *dev, const char *systemd)
{
	*roots = (struct roots){ 0 };
	if (asprintf(&roots->run, "%s", run) < 0)
		roots->run = NULL;
	if (asprintf(&roots->journals, "%s/cycles", run) < 0)
		roots->journals = NULL;
	if (asprintf(&roots->reports, "%s/reports", reports) < 0)
		roots->reports = NULL;
	if (asprintf(&roots->unsaved_reports, "%s/%s", run, unsaved) < 0)
		roots->unsaved_reports = NULL;
	if (asprintf(&roots->sys, "%s", sys) < 0)
		roots->sys = NULL;
	if (asprintf(&roots->dev, "%s", dev) < 0)
		roots->dev = NULL;
	if (asprintf(&roots->systemd, "%s", systemd) < 0)
		roots->systemd = NULL;
	if (roots->run && roots->journals && roots->reports && roots->unsaved_reports &&
	    roots->sys && roots->dev && roots->systemd)
		return 0;
	roots_done(roots);
	return -ENOMEM;
}

int roots_init_host(struct roots *ret_roots)
{
	assert(ret_roots);
	return fill(ret_roots, "/run/pmcoord", "/var/lib/pmcoord", "reports", "/sys", "/dev", "");
}

int roots_init_simulation(const char *directory, struct roots *ret_roots)
{
	assert(directory && ret_roots);
	return fill(ret_roots, directory, directory, "unsaved-reports", directory, directory,
		    directory);
}

void roots_done(struct roots *roots)
{
	if (!roots)
		return;
	free(roots->run);
	free(roots->journals);
	free(roots->reports);
	free(roots->unsaved_reports);
	free(roots->sys);
	free(roots->dev);
	free(roots->systemd);
	*roots = (struct roots){ 0 };
}
