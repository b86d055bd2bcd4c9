/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_SIM_HOST_H
#define TESTS_WORLDS_SIM_HOST_H

/*
 * The files of a simulated host: its scenario, configuration, state, trace, journals
 * and reports. They are below /dev/shm, because worlds are many and the data is not
 * worth a disk.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tests/worlds/history.h"
#include "tests/worlds/world.h"

/* Reports of later cycles are not seen; no world has so many. */
#define SIM_HOST_REPORTS_MAX 256

struct sim_host {
	char directory[48]; /* of the scenario and the configuration */
	char scenario[96], config[96];
	char hypervisor[112]; /* the value of --hypervisor= */
	char files[96]; /* where pmcoord keeps the state of the simulated host */
	char link[96]; /* pmcoord's own path to `files`; "": the same */
	int trace_fd; /* negative: not open */
	long trace_read; /* bytes of the trace that were read */
	char written_more[64]; /* `more` of the scenario as it is written now */
	bool is_written; /* the scenario of this world is written */
	/*
	 * When the cycles of the reports that were seen have begun, by number; "": not seen.
	 * Where all that knows the last number is damaged, a number is used again.
	 */
	char seen_reports[SIM_HOST_REPORTS_MAX][32];
};

/* Makes the directories. Returns 0, or -1 with a message on stderr. */
int sim_host_init(struct sim_host *host);
void sim_host_done(struct sim_host *host);

/* Forgets the former world, and writes the configuration of this one. */
int sim_host_begin(struct sim_host *host, const struct world *world);

/* Writes the scenario, with `more` lines for [Host]. */
int sim_host_write_scenario(struct sim_host *host, const struct world *world, const char *more);

/* Returns the virtual time. */
uint64_t sim_host_now(const struct sim_host *host);

/* Lets virtual time pass: the guests act, and no command runs. */
int sim_host_pass(const struct sim_host *host, uint64_t us);

/* Reads what has happened since the last call, and the newest report if it is new. */
int sim_host_observe(struct sim_host *host, struct history *history, struct outcome *outcome);

/* Reads the newest report if it is new. */
void sim_host_observe_report(struct sim_host *host, struct outcome *outcome);

/* Reads a whole file. Returns NULL if it cannot be read. The caller frees the text. */
char *sim_host_read_file(const char *path);

#endif
