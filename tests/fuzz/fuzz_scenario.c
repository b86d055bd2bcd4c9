/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Scenarios: for each that can be loaded a plan can be made. */

#include <stdint.h>
#include <stdlib.h>

#include "pmcoord/error.h"
#include "model/config.h"
#include "model/hypervisor.h"
#include "model/loop.h"
#include "model/plan.h"
#include "model/sleeper.h"
#include "sim/simulator.h"
#include "engine/context.h"
#include "engine/suspend.h"
#include "tests/fuzz/file.h"

static void plan(struct hypervisor *hypervisor, struct loop *loop)
{
	struct plan plan = { 0 };
	struct error error = { 0 };
	struct config config;
	struct coordinator coordinator = {
		.config = &config,
		.hypervisor = hypervisor,
		.loop = loop,
	};

	config_init(&config);
	if (coordinator_plan(&coordinator, NULL, &plan, &error) < 0 && error.text[0] == '\0')
		abort();
	plan_done(&plan);
	config_done(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hypervisor *hypervisor;
	struct sleeper *sleeper;
	struct error error = { 0 };
	struct loop *loop;

	if (simulator_open(fuzz_file("scenario", data, size), NULL, &hypervisor, &loop, &sleeper,
			   &error) < 0) {
		if (error.text[0] == '\0')
			abort();
		return 0;
	}
	plan(hypervisor, loop);
	hypervisor_close(hypervisor);
	return 0;
}
