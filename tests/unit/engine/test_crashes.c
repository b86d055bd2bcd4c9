/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The coordinator dies at each record of the journal, and after each effect that is
 * not recorded yet, while suspending and while resuming, on every shipped scenario.
 * The next coordinator resumes all guests.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "base/directory.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/report.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

#define DIED 99

enum way {
	WHOLE_CYCLE,
	GUESTS_ONLY, /* suspend-all --guests-only */
	RESUME_ALL, /* resume-all, after it */
};

/* Where the next process dies; 0: it does not die there. */
static struct {
	struct host *host;
	unsigned int at_record, at_effect;
	const struct hypervisor_ops *ops;
} crash;

static void die(void)
{
	/* The state of the hypervisor outlives the process. */
	hypervisor_close(crash.host->hypervisor);
	_exit(DIED);
}

static void die_at_record(void *data, const struct cycle *cycle, const struct record *record)
{
	(void)data;
	(void)cycle;
	(void)record;
	if (crash.at_record > 0 && --crash.at_record == 0)
		die();
}

static int die_at_effect(int r)
{
	if (crash.at_effect > 0 && --crash.at_effect == 0)
		die();
	return r;
}

static int request(struct hypervisor *hypervisor, const struct domain_id *id,
		   enum mechanism mechanism)
{
	return die_at_effect(crash.ops->request(hypervisor, id, mechanism));
}

static int retract(struct hypervisor *hypervisor, const struct domain_id *id,
		   enum mechanism mechanism, uint64_t cycle)
{
	return die_at_effect(crash.ops->retract(hypervisor, id, mechanism, cycle));
}

static int pause_domain(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return die_at_effect(crash.ops->pause(hypervisor, id));
}

static int unpause(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return die_at_effect(crash.ops->unpause(hypervisor, id));
}

static int resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return die_at_effect(crash.ops->resume(hypervisor, id));
}

static int resume_in_xenstore(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return die_at_effect(crash.ops->resume_in_xenstore(hypervisor, id));
}

static void resume_all(struct host *host)
{
	struct resume_result result = { 0 };
	struct error error = { 0 };

	if (coordinator_resume(&host->coordinator, NULL, 0, false, &result, &error) < 0)
		fail_msg("%s", error_text(&error));
	report_free(result.report);
}

static void recover(struct host *host)
{
	struct resume_result result;
	struct error error = { 0 };

	if (coordinator_recover(&host->coordinator, &result, &error) < 0)
		fail_msg("%s", error_text(&error));
	report_free(result.report);
}

static void suspend(struct host *host, bool sleeps)
{
	struct cycle_params params = {
		.trigger = "test",
		.sleeper = sleeps ? host->sleeper : NULL,
	};
	struct report *report = NULL;
	struct error error = { 0 };

	if (coordinator_suspend(&host->coordinator, &params, &report, &error) < 0)
		fail_msg("%s", error_text(&error));
	report_free(report);
}

static void go(struct host *host, enum way way)
{
	struct hypervisor_ops ops = *host->hypervisor->ops;

	crash.host = host;
	crash.ops = host->hypervisor->ops;
	ops.request = request;
	ops.retract = retract;
	ops.pause = pause_domain;
	ops.unpause = unpause;
	ops.resume = resume;
	ops.resume_in_xenstore = resume_in_xenstore;
	host->hypervisor->ops = &ops;
	host->coordinator.observer = die_at_record;
	if (way == RESUME_ALL)
		resume_all(host);
	else
		suspend(host, way == WHOLE_CYCLE);
	host->hypervisor->ops = crash.ops;
}

/*
 * Runs in a process of its own; returns false if that did not die. Opens the host
 * again in the state that the process has left.
 */
static bool go_and_die(struct host *host, enum way way)
{
	int status;
	pid_t child;

	hypervisor_close(host->hypervisor);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		host_open(host);
		go(host, way);
		hypervisor_close(host->hypervisor);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DIED);
	host_open(host);
	return WEXITSTATUS(status) == DIED;
}

/* Returns whether it died there. */
static bool die_there(const char *name, enum way way, unsigned int at, bool at_effect)
{
	struct inventory before;
	struct host host;
	bool died;

	host_init_shipped(&host, name);
	before = host_inventory(&host);
	if (way == RESUME_ALL)
		suspend(&host, false);
	crash.at_record = at_effect ? 0 : at;
	crash.at_effect = at_effect ? at : 0;
	died = go_and_die(&host, way);
	/* Recovered by the sleep unit, or by resume-all. */
	if (way == WHOLE_CYCLE && at % 2 == 0)
		recover(&host);
	else
		resume_all(&host);
	assert_as_before(&host, &before);
	assert_no_journal(&host);
	inventory_done(&before);
	host_done(&host);
	return died;
}

static void die_everywhere(enum way way, bool at_effect)
{
	for (size_t i = 0; i < ELEMENTSOF(shipped_scenarios); i++) {
		unsigned int at = 1;

		while (die_there(shipped_scenarios[i], way, at, at_effect))
			at++;
		assert_true(at > 2);
	}
}

static void all_guests_are_resumed_after_a_crash_at_any_record(void **state)
{
	(void)state;
	die_everywhere(WHOLE_CYCLE, false);
}

static void all_guests_are_resumed_after_a_crash_after_any_effect(void **state)
{
	(void)state;
	die_everywhere(WHOLE_CYCLE, true);
}

static void the_same_with_guests_only(void **state)
{
	(void)state;
	die_everywhere(GUESTS_ONLY, false);
	die_everywhere(GUESTS_ONLY, true);
}

static void the_same_for_resume_all(void **state)
{
	(void)state;
	die_everywhere(RESUME_ALL, false);
	die_everywhere(RESUME_ALL, true);
}

static void write_text(const struct host *host, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", host->directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* The note is the one of host/sleeper-host.c. */
static void recovery_undoes_what_the_dead_process_has_changed_in_sys(void **state)
{
	char path[128], text[8] = "";
	struct host host;
	FILE *file;

	(void)state;
	host_init_laptop(&host, "");
	snprintf(path, sizeof(path), "%s/power", host.directory);
	assert_int_equal(directory_make(path), 0);
	write_text(&host, "power/sync_on_suspend", "0");
	write_text(&host, "sync-was-on", "");
	recover(&host);
	snprintf(path, sizeof(path), "%s/power/sync_on_suspend", host.directory);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, "1");
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recovery_undoes_what_the_dead_process_has_changed_in_sys),
		cmocka_unit_test(all_guests_are_resumed_after_a_crash_at_any_record),
		cmocka_unit_test(all_guests_are_resumed_after_a_crash_after_any_effect),
		cmocka_unit_test(the_same_with_guests_only),
		cmocka_unit_test(the_same_for_resume_all),
	};

	return cmocka_run_group_tests_name("crashes", tests, NULL, NULL);
}
