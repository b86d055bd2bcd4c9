/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_REPEAT_H
#define PMCOORD_CLI_REPEAT_H

/* Many cycles after one another, and what they came to: for cycle and bench. */

#include <stdbool.h>

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
	bool found_nobody; /* no guest runs that could be suspended */
};

/*
 * Runs one cycle, and adds to the series what its report says of guest `name`
 * (NULL: of all). Ends the rehearsal when a cycle could not be begun, found
 * nothing to do, left a guest stranded, or was interrupted; what went wrong is
 * told on stderr.
 */
void repeat_run(struct repeat *repeat, const struct job *job, struct sleeper *sleeper,
		const char *name);

/*
 * How the command ends: with the worst of its cycles, unless `r`, which came of
 * printing the statistics, is a negative errno. Tells of that.
 */
enum exit_code repeat_exit_code(const struct repeat *repeat, int r);

void repeat_done(struct repeat *repeat);

#endif
