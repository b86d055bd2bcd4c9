/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_REPEAT_H
#define PMCOORD_CLI_REPEAT_H

/* A series of cycles, one after another, and its figures: for cycle and bench. */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/exit-code.h"
#include "model/sleeper.h"
#include "record/series.h"
#include "engine/job.h"
#include "cli/cli.h"

struct repeat {
	struct cli *cli;
	size_t n_wanted; /* cycles */
	struct series series;
	enum job_result worst;
	bool is_over; /* no more cycles: see repeat_run */
	bool found_no_guest; /* no running guest can be suspended */
};

/*
 * Runs one cycle, and adds the times of guest `name` (NULL: of all) to the
 * series. `sleeper` is as for job_run. Sets is_over if the cycle could not be
 * started, found nothing to do, left a guest stranded or was interrupted. Prints
 * errors to stderr.
 */
void repeat_run(struct repeat *repeat, const struct job *job, struct sleeper *sleeper,
		const char *name);

/*
 * The exit code of the worst cycle; EXIT_ROLLED_BACK, with an error on stderr, if
 * `r`, the result of printing the statistics, is a negative errno.
 */
enum exit_code repeat_exit_code(const struct repeat *repeat, int r);

void repeat_done(struct repeat *repeat);

#endif
