/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_REPEAT_H
#define PMCOORD_CLI_REPEAT_H

/* Runs a series of cycles for the commands cycle and bench, and keeps its statistics. */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/exit-code.h"
#include "model/sleeper.h"
#include "record/series.h"
#include "engine/job.h"
#include "cli/cli.h"

struct repeat {
	struct cli *cli;
	size_t n_wanted; /* number of cycles to run */
	struct series series;
	enum job_result worst; /* result of the worst cycle so far */
	bool is_over; /* no further cycle may be run, see repeat_run */
	bool found_no_guest; /* no running guest can be suspended */
};

/*
 * Runs one cycle, and adds the times of guest `name` (NULL: of all) to the
 * series. `sleeper` is passed to job_run. Sets is_over if the cycle could not
 * be started, found no guest to suspend, left a guest stranded or was
 * interrupted. Prints errors to stderr.
 */
void repeat_run(struct repeat *repeat, const struct job *job, struct sleeper *sleeper,
		const char *name);

/*
 * `r` is the result of printing the statistics. If `r` is 0, returns the exit
 * code of the worst cycle. If `r` is a negative errno, prints an error and
 * returns EXIT_ROLLED_BACK.
 */
enum exit_code repeat_exit_code(const struct repeat *repeat, int r);

void repeat_done(struct repeat *repeat);

#endif
