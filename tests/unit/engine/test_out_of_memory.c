/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fails the n-th allocation, for every n: in functions that read, plan, print and
 * report, which must return an error and change nothing, and in whole cycles, which
 * must resume all guests.
 *
 * Reading a report is not tested: json-c's parser (0.16) does not check the result of
 * strdup.
 *
 * The C library's allocator is replaced by one that counts and then calls
 * AddressSanitizer's, or glibc's own.
 */

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/json.h"
#include "model/config.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/plan.h"
#include "model/sleeper.h"
#include "record/config-file.h"
#include "record/report.h"
#include "sim/simulator.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "view/show.h"
#include "tests/unit/simulated_host.h"

#ifdef __SANITIZE_ADDRESS__
#define real_malloc __interceptor_malloc
#define real_calloc __interceptor_calloc
#define real_realloc __interceptor_realloc
#else
#define real_malloc __libc_malloc
#define real_calloc __libc_calloc
#define real_realloc __libc_realloc
#endif

/* json-c 0.16 leaks its copy of a key if the table cannot grow. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:json_object_object_add_ex\n";
}

void *real_malloc(size_t size);
void *real_calloc(size_t n, size_t size);
void *real_realloc(void *old, size_t size);

/* The allocation that fails, counted from now on (0: none); whether it has failed. */
static unsigned long fails_in;
static bool has_failed;

static bool fails_now(void)
{
	if (fails_in == 0 || --fails_in > 0)
		return false;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails_now() ? NULL : real_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : real_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails_now() ? NULL : real_realloc(old, size);
}

/* A host with at least one of everything that is allocated. */
static const char scenario[] = "[Guest \"netvm\"]\nAgent=yes\nPCIFunctions=1\n"
			       "Needs=vbd:store\n"
			       "[Guest \"store\"]\nNeeds=vif:netvm\n"
			       "[Guest \"web-*\"]\nCount=3\nNeeds=vif:netvm\n"
			       "[Guest \"mail\"]\nBehaviour=ignores-requests\n"
			       "[Guest \"dm\"]\nStubFor=mail\n";

static void host_init(struct host *host)
{
	host_prepare(host);
	host_write(host, scenario);
	host_open(host);
}

/* An operation under test. Returns 0 or negative errno. */
typedef int (*deed_fn)(struct host *host);

/* Repeats the operation, failing a later allocation each time, until none fails. */
static void try_with_ever_more(struct host *host, deed_fn deed)
{
	unsigned long n = 1;

	for (;; n++) {
		int r;

		has_failed = false;
		fails_in = n;
		r = deed(host);
		fails_in = 0;
		if (!has_failed)
			break;
		/* Optional parts may be left out without an error. */
		assert_true(r == 0 || r == -ENOMEM || r == -EIO || r == -EBADMSG);
	}
	assert_true(n > 3);
	assert_int_equal(deed(host), 0);
}

static void warn(void *data, const char *warning)
{
	(void)data;
	(void)warning;
}

static int read_config(struct host *host)
{
	struct config config;
	struct error error = { 0 };
	int r;

	(void)host;
	config_init(&config);
	r = config_load(&config, "hooks/pmcoord.conf", warn, NULL, &error);
	config_done(&config);
	return r;
}

static int read_scenario(struct host *host)
{
	struct hypervisor *hypervisor;
	struct loop *loop;
	struct sleeper *sleeper;
	struct error error = { 0 };
	int r = simulator_open(host->scenario, NULL, &hypervisor, &loop, &sleeper, &error);

	if (r == 0)
		hypervisor_close(hypervisor);
	return r;
}

static int show_the_plan(struct host *host)
{
	struct plan plan;
	struct error error = { 0 };
	FILE *out;
	int r = coordinator_plan(&host->coordinator, NULL, &plan, &error);

	if (r < 0)
		return r;
	out = fopen("/dev/null", "w");
	r = out ? show_plan(&plan, true, out) : -ENOMEM;
	if (r == 0)
		r = show_plan(&plan, false, out);
	if (out)
		fclose(out);
	plan_done(&plan);
	return r;
}

static int print_json(struct host *host)
{
	struct json_object *object = json_object_new_object();
	FILE *out = object ? fopen("/dev/null", "w") : NULL;
	int r = out ? 0 : -ENOMEM;

	(void)host;
	json_add_string(object, "name", "a text", &r);
	json_add_integer(json_add_object(object, "inner", &r), "n", 7, &r);
	if (r == 0)
		r = json_print_line(object, out);
	if (r == 0)
		r = json_print(object, out);
	if (out)
		fclose(out);
	json_object_put(object);
	return r;
}

static void reports_a_failed_allocation(void **state)
{
	static const deed_fn deeds[] = { read_config, read_scenario, show_the_plan, print_json };
	struct host host;

	(void)state;
	host_init(&host);
	for (size_t i = 0; i < ELEMENTSOF(deeds); i++)
		try_with_ever_more(&host, deeds[i]);
	host_done(&host);
}

static int run_cycle(struct host *host)
{
	struct cycle_params params = { .trigger = "test", .sleeper = host->sleeper };
	struct report *report = NULL;
	struct error error = { 0 };
	int r = coordinator_suspend(&host->coordinator, &params, &report, &error);

	report_free(report);
	if (r < 0)
		assert_true(error_text(&error)[0] != '\0');
	return r;
}

static void resume_all(struct host *host)
{
	struct resume_result result = { 0 };
	struct error error = { 0 };

	if (coordinator_resume(&host->coordinator, NULL, 0, false, &result, &error) < 0)
		fail_msg("%s", error_text(&error));
	report_free(result.report);
}

static bool cycle_without_memory(unsigned long n)
{
	struct inventory before;
	struct host host;

	host_init(&host);
	before = host_inventory(&host);
	has_failed = false;
	fails_in = n;
	run_cycle(&host);
	fails_in = 0;
	resume_all(&host);
	assert_as_before(&host, &before);
	assert_no_journal(&host);
	inventory_done(&before);
	host_done(&host);
	return has_failed;
}

static void all_guests_are_resumed_after_a_failed_allocation(void **state)
{
	unsigned long n = 1;

	(void)state;
	while (cycle_without_memory(n))
		n++;
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_a_failed_allocation),
		cmocka_unit_test(all_guests_are_resumed_after_a_failed_allocation),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
