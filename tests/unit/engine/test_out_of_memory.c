/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fails the n-th allocation, for every n: in functions that read, plan, print and
 * report, which must return an error, or the same result as with enough memory, and in
 * whole cycles, which must resume all guests and report the truth.
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
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/json.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/plan.h"
#include "model/selection.h"
#include "model/sleeper.h"
#include "record/config-file.h"
#include "record/followers.h"
#include "record/journal.h"
#include "record/report.h"
#include "record/status.h"
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

/* AddressSanitizer's own would not call realloc() above. */
void *reallocarray(void *old, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, total);
}

char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
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

/* Files of the host's directory: what operations read, and where they write their results. */
static char config_path[96], results_path[96];

static void prepare_files(const struct host *host)
{
	char drop_in[128];
	FILE *file;

	snprintf(config_path, sizeof(config_path), "%s/conf", host->directory);
	snprintf(results_path, sizeof(results_path), "%s/results", host->directory);
	file = fopen(config_path, "w");
	assert_non_null(file);
	fputs("[Coordinator]\nDeadline=20s\nKeepReports=many\n[Guest \"web-*\"]\nSuspendBefore=store mail\n"
	      "[Guest \"mail\"]\nPolicy=pause\nTimeout=7s\n",
	      file);
	fclose(file);
	snprintf(drop_in, sizeof(drop_in), "%s.d", config_path);
	assert_int_equal(mkdir(drop_in, 0700), 0);
	strcat(drop_in, "/10.conf");
	file = fopen(drop_in, "w");
	assert_non_null(file);
	fputs("[Guest \"mail\"]\nSuspendBefore=netvm\nOnFailure=never\n[Guest web]\n", file);
	fclose(file);
}

/* Opens the file of the results. Returns NULL if that fails. */
static FILE *open_results(void)
{
	return fopen(results_path, "w");
}

static void read_results(char *ret, size_t size)
{
	FILE *file = fopen(results_path, "r");

	assert_non_null(file);
	ret[fread(ret, 1, size - 1, file)] = '\0';
	fclose(file);
	unlink(results_path);
}

/* An operation under test, which writes its results. Returns 0 or negative errno. */
typedef int (*deed_fn)(struct host *host);

/* Repeats the operation, failing a later allocation each time, until none fails. */
static void try_with_ever_more(struct host *host, deed_fn deed)
{
	static char expected[16384], found[sizeof(expected)];
	unsigned long n = 1;

	assert_int_equal(deed(host), 0);
	read_results(expected, sizeof(expected));
	assert_true(expected[0] != '\0');
	for (;; n++) {
		int r;

		has_failed = false;
		fails_in = n;
		r = deed(host);
		fails_in = 0;
		assert_true(r == 0 || r == -ENOMEM || r == -EIO || r == -EBADMSG);
		if (r == 0) {
			read_results(found, sizeof(found));
			assert_string_equal(found, expected);
		}
		if (!has_failed)
			break;
	}
	assert_true(n > 1);
}

static void warn(void *data, bool is_problem, const char *warning)
{
	(void)data;
	(void)is_problem;
	(void)warning;
}

static void write_rules(const struct config *config, FILE *out)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct config_rule *rule = &config->rules[i];

		fprintf(out, "%s %s\n", rule->pattern,
			rule->suspend_before ? rule->suspend_before : "-");
	}
}

/* A failed allocation is reported; the caller may have a better configuration. */
static int read_config(struct host *host)
{
	struct config config;
	struct error error = { 0 };
	FILE *out;
	int r;

	(void)host;
	config_init(&config);
	r = config_load(&config, config_path, warn, NULL, &error);
	fails_in = 0;
	if (r < 0)
		assert_true(error_text(&error)[0] != '\0');
	out = open_results();
	fprintf(out, "%llu\n", (unsigned long long)config.deadline_us);
	write_rules(&config, out);
	for (size_t i = 0; i < config.problems.n; i++)
		fprintf(out, "%s\n", config.problems.texts[i]);
	fclose(out);
	config_done(&config);
	return r;
}

static int read_scenario(struct host *host)
{
	struct hypervisor *hypervisor;
	struct loop *loop;
	struct sleeper *sleeper;
	struct inventory inventory;
	struct error error = { 0 };
	int r = simulator_open(host->scenario, NULL, &hypervisor, &loop, &sleeper, &error);
	FILE *out;

	fails_in = 0;
	if (r < 0) {
		assert_true(error_text(&error)[0] != '\0');
		return r;
	}
	assert_int_equal(hypervisor->ops->inventory(hypervisor, &inventory, &error), 0);
	out = open_results();
	for (size_t i = 0; i < inventory.n_guests; i++)
		fprintf(out, "%s %d\n", inventory.guests[i].name, inventory.guests[i].type);
	for (size_t i = 0; i < inventory.n_links; i++)
		fprintf(out, "%u %u %d\n", inventory.links[i].frontend, inventory.links[i].backend,
			inventory.links[i].class);
	fclose(out);
	inventory_done(&inventory);
	hypervisor_close(hypervisor);
	return 0;
}

/* Without the warnings, which are left out if they do not fit. */
static void write_steps(const struct plan *plan)
{
	FILE *out = open_results();

	for (size_t i = 0; i < plan->n_steps; i++)
		fprintf(out, "%s %s %u\n", plan->inventory.guests[plan->steps[i].guest].name,
			mechanism_name(plan->steps[i].mechanism), plan->steps[i].depth);
	fclose(out);
}

static int show_the_plan(struct host *host)
{
	struct plan plan;
	struct error error = { 0 };
	FILE *out;
	int r = coordinator_plan(&host->coordinator, NULL, &plan, &error);

	if (r < 0) {
		assert_true(error_text(&error)[0] != '\0');
		return r;
	}
	out = fopen("/dev/null", "w");
	r = out ? show_plan(&plan, true, out) : -ENOMEM;
	if (r == 0)
		r = show_plan(&plan, false, out);
	if (out)
		fclose(out);
	fails_in = 0;
	write_steps(&plan);
	plan_done(&plan);
	return r;
}

static int print_json(struct host *host)
{
	struct json_object *object = json_object_new_object();
	FILE *out = object ? open_results() : NULL;
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

static int select_guests(struct host *host)
{
	char web[] = "web-2", mail[] = "mail", *names[] = { web, mail };
	unsigned long fails_later = fails_in;
	struct inventory inventory;
	struct error error = { 0 };
	bool *selected = NULL;
	FILE *out;
	int r;

	fails_in = 0;
	inventory = host_inventory(host);
	fails_in = fails_later;
	r = selection_make(&inventory, names, ELEMENTSOF(names), &selected, &error);
	fails_in = 0;
	if (r < 0)
		assert_true(error_text(&error)[0] != '\0');
	out = open_results();
	for (size_t i = 0; r == 0 && i < inventory.n_guests; i++)
		fprintf(out, "%d", selected[i]);
	fclose(out);
	free(selected);
	inventory_done(&inventory);
	return r;
}

/* ---- what a cycle leaves --------------------------------------------------- */

/* The journal of the cycle that keeps all guests suspended. */
#define CYCLE 1

static void write_cycle(const struct cycle *cycle, FILE *out)
{
	fprintf(out, "%zu damaged, %zu phases\n", cycle->n_damaged, cycle->n_phases);
	for (size_t i = 0; i < cycle->n_guests; i++)
		fprintf(out, "%s %d %zu %lld\n", cycle->guests[i].name, cycle->guests[i].hold,
			cycle->guests[i].n_needs, (long long)cycle->guests[i].down_us);
}

static int open_journal(struct host *host)
{
	struct journal *journal;
	struct error error = { 0 };
	int r = journal_open(host->roots.journals, CYCLE, &journal, &error);
	FILE *out;

	fails_in = 0;
	if (r < 0) {
		assert_true(error.text[0] != '\0');
		return r;
	}
	out = open_results();
	write_cycle(journal_cycle(journal), out);
	fclose(out);
	journal_close(journal);
	return 0;
}

static int read_journal(struct host *host)
{
	struct cycle cycle;
	struct error error = { 0 };
	int r = journal_read(host->roots.journals, CYCLE, &cycle, &error);
	FILE *out;

	fails_in = 0;
	if (r < 0) {
		assert_true(error.text[0] != '\0');
		return r;
	}
	out = open_results();
	write_cycle(&cycle, out);
	fclose(out);
	cycle_done(&cycle);
	return 0;
}

static int follow_journal(struct host *host)
{
	struct journal_follower *follower;
	struct error error = { 0 };
	int r = journal_follow(host->roots.journals, CYCLE, &follower, &error);
	FILE *out;

	if (r < 0) {
		assert_true(error.text[0] != '\0');
		return r;
	}
	r = journal_follower_read(follower, NULL, NULL);
	fails_in = 0;
	out = open_results();
	write_cycle(journal_follower_cycle(follower), out);
	fclose(out);
	journal_follower_free(follower);
	return r;
}

static void count_record(void *data, const struct cycle *cycle, const struct record *record)
{
	(void)cycle;
	(void)record;
	++*(unsigned int *)data;
}

static int follow_journals(struct host *host)
{
	struct followers followers = { .directory = host->roots.journals };
	unsigned int n = 0;
	int r = followers_read_directory(&followers, count_record, &n);
	FILE *out;

	fails_in = 0;
	/* One that could not be read to its end is not read again, and is not said to be missing.
	 */
	out = open_results();
	fprintf(out, "%zu\n", followers.n_journals);
	fclose(out);
	followers_done(&followers);
	return r;
}

/* As text: json-c (0.16) leaves out of its text what it has no memory for, and reports nothing. */
static int print_status(struct host *host)
{
	struct status status;
	struct error error = { 0 };
	FILE *out;
	int r = status_read(&host->roots, &status, &error);

	if (r < 0) {
		assert_true(error.text[0] != '\0');
		return r;
	}
	r = status_observe(&status, host->hypervisor);
	fails_in = 0;
	out = open_results();
	assert_int_equal(status_print(&status, 0, false, out), 0);
	fclose(out);
	status_done(&status);
	return r;
}

static int make_report(struct host *host)
{
	struct report *report = NULL;
	struct cycle cycle;
	unsigned long fails_later = fails_in;
	FILE *out;
	int r;

	fails_in = 0;
	assert_int_equal(journal_read(host->roots.journals, CYCLE, &cycle, NULL), 0);
	cycle.n_damaged = 1;
	fails_in = fails_later;
	r = report_new(&cycle, &report);
	fails_in = 0;
	out = open_results();
	for (size_t i = 0; r == 0 && i < report->n_guests; i++)
		fprintf(out, "%s %lld\n", report->guests[i].name,
			(long long)report->guests[i].down_us);
	/* The second warning, about the damage, may be left out. */
	if (r == 0)
		fprintf(out, "%s\n", report->warnings.texts[0]);
	fclose(out);
	report_free(report);
	cycle_done(&cycle);
	return r;
}

static void reads_what_a_cycle_has_left(void **state)
{
	static const deed_fn deeds[] = { open_journal,	  read_journal, follow_journal,
					 follow_journals, make_report,	print_status };
	struct cycle_params params = { .trigger = "test" };
	struct report *report = NULL;
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init(&host);
	prepare_files(&host);
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	report_free(report);
	for (size_t i = 0; i < ELEMENTSOF(deeds); i++)
		try_with_ever_more(&host, deeds[i]);
	host_done(&host);
}

static void reports_a_failed_allocation(void **state)
{
	static const deed_fn deeds[] = { read_config, read_scenario, show_the_plan, print_json,
					 select_guests };
	struct host host;

	(void)state;
	host_init(&host);
	prepare_files(&host);
	for (size_t i = 0; i < ELEMENTSOF(deeds); i++)
		try_with_ever_more(&host, deeds[i]);
	host_done(&host);
}

/* Writes what the report says, except for the time of day. */
static void describe(const struct report *report, char *ret, size_t size)
{
	FILE *out = fmemopen(ret, size, "w");

	assert_non_null(out);
	fprintf(out, "%s '%s'\n", cycle_result_name(report->result), report->detail);
	for (size_t i = 0; i < report->n_phases; i++)
		fprintf(out, "%s\n", report->phases[i].name);
	for (size_t i = 0; i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];

		fprintf(out, "%s %s %s '%s' %lld %lld\n", guest->name,
			mechanism_name(guest->mechanism), cycle_outcome_name(guest->outcome),
			guest->detail, (long long)guest->requested_us, (long long)guest->down_us);
	}
	fclose(out);
}

/* Runs a cycle, and writes its report's text, or "" if it failed. */
static int run_cycle(struct host *host, char *ret_text, size_t size)
{
	struct cycle_params params = { .trigger = "test", .sleeper = host->sleeper };
	struct report *report = NULL;
	struct error error = { 0 };
	int r = coordinator_suspend(&host->coordinator, &params, &report, &error);

	fails_in = 0;
	ret_text[0] = '\0';
	if (r == 0)
		describe(report, ret_text, size);
	else
		assert_string_equal(error_text(&error)[0] ? "" : "no text", "");
	report_free(report);
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

/* The report of a cycle with enough memory. */
static char expected[16384];

static bool cycle_without_memory(unsigned long n)
{
	static char found[sizeof(expected)];
	struct inventory before;
	struct host host;
	int r;

	host_init(&host);
	before = host_inventory(&host);
	has_failed = false;
	fails_in = n;
	r = run_cycle(&host, found, sizeof(found));
	/* What did not succeed is said, with the cause. */
	if (r == 0 && !strstr(found, "Cannot allocate memory"))
		assert_string_equal(found, expected);
	if (simulator_calls(host.hypervisor, "request") == 0)
		assert_no_journal(&host);
	assert_as_before(&host, &before);
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
	struct host host;

	(void)state;
	host_init(&host);
	assert_int_equal(run_cycle(&host, expected, sizeof(expected)), 0);
	host_done(&host);
	while (cycle_without_memory(n))
		n++;
	assert_true(n > 100);
}

/* Guests that a cycle has suspended are resumed by a process without memory, or by the next one. */
static bool resume_without_memory(unsigned long n)
{
	struct cycle_params params = { .trigger = "test" };
	struct resume_result result = { 0 };
	struct report *report = NULL;
	struct error error = { 0 };
	struct inventory before;
	struct host host;
	int r;

	host_init(&host);
	before = host_inventory(&host);
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	report_free(report);
	has_failed = false;
	fails_in = n;
	r = coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error);
	fails_in = 0;
	/* What it does not say, it has done. */
	if (r < 0)
		assert_true(error.text[0] != '\0');
	else if (result.n_stranded == 0)
		assert_as_before(&host, &before);
	report_free(result.report);
	resume_all(&host);
	assert_as_before(&host, &before);
	assert_no_journal(&host);
	inventory_done(&before);
	host_done(&host);
	return has_failed;
}

static void a_failed_allocation_strands_no_guest(void **state)
{
	unsigned long n = 1;

	(void)state;
	while (resume_without_memory(n))
		n++;
	assert_true(n > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_a_failed_allocation),
		cmocka_unit_test(reads_what_a_cycle_has_left),
		cmocka_unit_test(all_guests_are_resumed_after_a_failed_allocation),
		cmocka_unit_test(a_failed_allocation_strands_no_guest),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
