/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine: measures the engine's own time for a cycle, on the simulator with guests
 * that take no time: inventory, graph, plan, suspending and resuming all guests, with
 * the journal on a file system in memory, as on a host.
 *
 * Usage: engine chain|star GUESTS ROUNDS
 * chain: each guest needs the one before; star: all need the first.
 * Prints {"guests", "shape", "down_us": [...], "back_us": [...]}: processor time of
 * user and kernel, which other processes do not affect; from the start of the cycle
 * until all guests are suspended, and from there to its end.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/hypervisor.h"
#include "model/sleeper.h"
#include "host/roots.h"
#include "record/report.h"
#include "sim/simulator.h"
#include "engine/context.h"
#include "engine/suspend.h"

#define NO_TIME "SuspendTime=0ms\nResumeTime=0ms\nQuiesceTime=0ms\nReadyTime=0ms\n"

struct bench {
	bool is_chain;
	uint64_t n_guests;
	char directory[64];
	char scenario[96];
	uint64_t resuming_us; /* start of the resume */
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int fail(const char *what)
{
	fprintf(stderr, "engine: %s\n", what);
	return 1;
}

static int write_scenario(struct bench *bench)
{
	FILE *file;

	strcpy(bench->directory, "/dev/shm/pmcoord-engine-XXXXXX");
	if (!mkdtemp(bench->directory))
		return -1;
	snprintf(bench->scenario, sizeof(bench->scenario), "%s/scenario", bench->directory);
	file = fopen(bench->scenario, "w");
	if (!file)
		return -1;
	for (uint64_t i = 0; i < bench->n_guests; i++) {
		fprintf(file, "[Guest \"g%" PRIu64 "\"]\n" NO_TIME, i);
		if (i > 0)
			fprintf(file, "Needs=g%" PRIu64 "\n", bench->is_chain ? i - 1 : 0);
	}
	return fclose(file);
}

static void note_resume(void *data, const struct cycle *cycle, const struct record *record)
{
	struct bench *bench = data;

	(void)cycle;
	if (record->type == RECORD_PHASE && strcmp(record->text, "resume") == 0)
		bench->resuming_us = now_us();
}

static int run_cycle(struct bench *bench, struct coordinator *coordinator, uint64_t *ret_suspend_us,
		     uint64_t *ret_resume_us)
{
	/* Without a saved report, which is written after the resume. */
	struct cycle_params params = {
		.trigger = "bench",
		.resumes_at_once = true,
		.is_measurement = true,
	};
	struct report *report = NULL;
	struct error error = { 0 };
	uint64_t start_us = now_us();

	if (coordinator_suspend(coordinator, &params, &report, &error) < 0)
		return fail(error_text(&error));
	report_free(report);
	*ret_resume_us = now_us() - bench->resuming_us;
	*ret_suspend_us = bench->resuming_us - start_us;
	return 0;
}

static void print_list(const char *name, const uint64_t *values, uint64_t n)
{
	printf(", \"%s\": [", name);
	for (uint64_t i = 0; i < n; i++)
		printf("%s%" PRIu64, i ? ", " : "", values[i]);
	printf("]");
}

static int run_rounds(struct bench *bench, struct coordinator *coordinator, uint64_t n_rounds)
{
	uint64_t *suspend = calloc(n_rounds, sizeof(*suspend));
	uint64_t *resume = calloc(n_rounds, sizeof(*resume));
	int r = suspend && resume ? 0 : fail("out of memory");

	for (uint64_t i = 0; i < n_rounds && r == 0; i++)
		r = run_cycle(bench, coordinator, &suspend[i], &resume[i]);
	if (r == 0) {
		printf("{\"guests\": %" PRIu64 ", \"shape\": \"%s\"", bench->n_guests,
		       bench->is_chain ? "chain" : "star");
		print_list("down_us", suspend, n_rounds);
		print_list("back_us", resume, n_rounds);
		printf("}\n");
	}
	free(suspend);
	free(resume);
	return r;
}

static int open_and_run(struct bench *bench, uint64_t n_rounds)
{
	struct coordinator coordinator = {
		.observer = note_resume,
		.observer_data = bench,
	};
	struct sleeper *sleeper;
	struct config config;
	struct roots roots;
	struct error error = { 0 };
	int r = simulator_open(bench->scenario, NULL, &coordinator.hypervisor, &coordinator.loop,
			       &sleeper, &error);

	if (r < 0)
		return fail(error_text(&error));
	config_init(&config);
	if (roots_init_simulation(bench->directory, &roots) < 0)
		return fail("out of memory");
	coordinator.config = &config;
	coordinator.roots = &roots;
	r = run_rounds(bench, &coordinator, n_rounds);
	roots_done(&roots);
	config_done(&config);
	hypervisor_close(coordinator.hypervisor);
	return r;
}

int main(int argc, char **argv)
{
	struct bench bench = { 0 };
	char command[128];
	int r;

	if (argc != 4)
		return fail("usage: engine chain|star GUESTS ROUNDS");
	bench.is_chain = strcmp(argv[1], "chain") == 0;
	bench.n_guests = strtoull(argv[2], NULL, 10);
	if (write_scenario(&bench) < 0)
		return fail("cannot write the scenario");
	r = open_and_run(&bench, strtoull(argv[3], NULL, 10));
	snprintf(command, sizeof(command), "rm -r %s", bench.directory);
	return system(command) == 0 ? r : 1;
}
