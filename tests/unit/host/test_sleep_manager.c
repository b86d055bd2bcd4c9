/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sleep manager, with a simulated service manager on a private bus. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/loop.h"
#include "model/sleep-manager.h"
#include "host/loop-event.h"
#include "host/sleep-manager-systemd.h"
#include "tests/unit/tree.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

struct listed_job {
	const char *unit;
	const char *type;
};

struct world {
	char directory[64];
	pid_t bus, manager;
	struct sleep_manager *ours;
};

/* ---- the simulated service manager --------------------------------------- */

/* The jobs that it lists at first, and after it has sent JobRemoved. */
struct stand_in {
	const struct listed_job *jobs;
	const struct listed_job *jobs_later;
	bool refuses, refuses_later; /* to list them: always, or after the first time */
	bool is_new; /* it sends JobNew instead of JobRemoved */
	unsigned int signals_before; /* JobRemoved is sent this often without a change */
	sd_bus *bus;
};

/* How often the jobs were listed; shared with the simulated service manager. */
static unsigned int *n_listed;

static int append_jobs(sd_bus_message *reply, const struct listed_job *jobs)
{
	int r = sd_bus_message_open_container(reply, 'a', "(usssoo)");

	for (uint32_t id = 1; r >= 0 && jobs->unit; jobs++, id++)
		r = sd_bus_message_append(reply, "(usssoo)", id, jobs->unit, jobs->type, "running",
					  "/job", "/unit");
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static void tell_that_a_job_is_over(struct stand_in *stand_in)
{
	if (stand_in->signals_before > 0)
		stand_in->signals_before--;
	else
		stand_in->jobs = stand_in->jobs_later;
	if (stand_in->is_new)
		sd_bus_emit_signal(stand_in->bus, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobNew", "uos",
				   1u, "/job", "a.service");
	else
		sd_bus_emit_signal(stand_in->bus, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved",
				   "uoss", 1u, "/job", "a.service", "done");
}

static int on_list(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct stand_in *stand_in = data;
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(call, &reply);

	++*n_listed;
	if (stand_in->refuses) {
		sd_bus_message_unref(reply);
		return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "no");
	}
	if (stand_in->refuses_later) {
		stand_in->refuses = true;
		stand_in->jobs_later = stand_in->jobs;
	}
	if (r >= 0)
		r = append_jobs(reply, stand_in->jobs);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	if (stand_in->jobs_later)
		tell_that_a_job_is_over(stand_in);
	return r < 0 ? r : 1;
}

static int on_subscribe(sd_bus_message *call, void *data, sd_bus_error *error)
{
	(void)data;
	(void)error;
	return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable stand_in_methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("ListJobs", "", "a(usssoo)", on_list, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static void serve(struct stand_in stand_in, int ready_fd)
{
	if (sd_bus_open_system(&stand_in.bus) < 0 ||
	    sd_bus_add_object_vtable(stand_in.bus, NULL, SYSTEMD_PATH, SYSTEMD_MANAGER,
				     stand_in_methods, &stand_in) < 0 ||
	    sd_bus_request_name(stand_in.bus, SYSTEMD, 0) < 0 || write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;) {
		int r = sd_bus_process(stand_in.bus, NULL);

		if (r < 0 || (r == 0 && sd_bus_wait(stand_in.bus, UINT64_MAX) < 0))
			_exit(0);
	}
}

static void start_manager(struct world *world, struct stand_in stand_in)
{
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	world->manager = fork();
	if (world->manager == 0)
		serve(stand_in, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
}

static void stop_manager(struct world *world)
{
	kill(world->manager, SIGKILL);
	waitpid(world->manager, NULL, 0);
	world->manager = 0;
}

/* ---- set-up -------------------------------------------------------------- */

static int open_world(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	char command[256], address[256] = "";
	long pid = 0;
	FILE *pipe;

	n_listed = mmap(NULL, sizeof(*n_listed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	assert_ptr_not_equal(n_listed, MAP_FAILED);
	strcpy(world->directory, "/tmp/pmcoord-test-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(command, sizeof(command),
		 "dbus-daemon --session --fork --print-address=1 --print-pid=1 "
		 "--address=unix:path=%s/bus",
		 world->directory);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%255s %ld", address, &pid), 2);
	assert_int_equal(pclose(pipe), 0);
	world->bus = (pid_t)pid;
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	assert_int_equal(sleep_manager_systemd_new(&world->ours), 0);
	*state = world;
	return 0;
}

static int close_world(void **state)
{
	struct world *world = *state;
	int r;

	if (world->manager)
		stop_manager(world);
	kill(world->bus, SIGTERM);
	sleep_manager_free(world->ours);
	r = tree_remove_all(world->directory);
	munmap(n_listed, sizeof(*n_listed));
	free(world);
	return r;
}

/* ---- the kind of sleep --------------------------------------------------- */

static void returns_the_kind_of_the_requested_sleep(void **state)
{
	static const struct {
		struct listed_job jobs[4];
		struct sleep_job expected;
	} cases[] = {
		{ { { 0 } }, { SLEEP_KIND_NONE, false } },
		{ { { "apt-daily.service", "start" } }, { SLEEP_KIND_NONE, false } },
		{ { { "suspend.target", "start" }, { "systemd-suspend.service", "start" } },
		  { SLEEP_KIND_SUSPEND, false } },
		{ { { "systemd-suspend.service", "start" }, { "pmcoord-sleep.service", "start" } },
		  { SLEEP_KIND_SUSPEND, true } },
		{ { { "systemd-hibernate.service", "start" } }, { SLEEP_KIND_HIBERNATE, false } },
		{ { { "systemd-hybrid-sleep.service", "start" } },
		  { SLEEP_KIND_HYBRID_SLEEP, false } },
		{ { { "systemd-suspend-then-hibernate.service", "start" } },
		  { SLEEP_KIND_SUSPEND_THEN_HIBERNATE, false } },
		/* A stop job does not lead to sleep. */
		{ { { "systemd-suspend.service", "stop" }, { "pmcoord-sleep.service", "stop" } },
		  { SLEEP_KIND_NONE, false } },
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct sleep_job job;

		start_manager(world, (struct stand_in){ .jobs = cases[i].jobs });
		assert_int_equal(world->ours->ops->get_state(world->ours, &job), 0);
		assert_int_equal(job.kind, cases[i].expected.kind);
		assert_int_equal(job.waits_for_us, cases[i].expected.waits_for_us);
		stop_manager(world);
	}
}

static void fails_without_a_service_manager(void **state)
{
	struct world *world = *state;
	struct sleep_job job;

	assert_true(world->ours->ops->get_state(world->ours, &job) < 0);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere", 1);
	assert_true(world->ours->ops->get_state(world->ours, &job) < 0);
}

/* ---- waiting ------------------------------------------------------------- */

static const struct listed_job suspending[] = { { "systemd-suspend.service", "start" }, { 0 } };
static const struct listed_job nothing[] = { { 0 } };

static void await_end(struct world *world)
{
	uint64_t slept_us = world->ours->ops->slept_us(world->ours);
	struct error error = { 0 };
	struct loop *loop;

	assert_int_equal(loop_new(NULL, &loop, &error), 0);
	/* A wait that does not end fails the test. */
	alarm(20);
	assert_int_equal(world->ours->ops->await_end(world->ours, loop, slept_us), 0);
	alarm(0);
	loop_free(loop);
}

static void waits_until_the_sleep_has_ended(void **state)
{
	struct world *world = *state;

	start_manager(world, (struct stand_in){ .jobs = suspending,
						.jobs_later = nothing,
						.signals_before = 2 });
	await_end(world);
	/* At the begin, and after each change. */
	assert_int_equal(*n_listed, 4);
}

/* Only the own jobs of the manager tell that it sleeps, so it is asked at each change. */
static void a_job_that_appears_is_looked_at(void **state)
{
	static const struct listed_job others[] = { { "systemd-suspend.service", "start" },
						    { "apt-daily.service", "start" },
						    { 0 } };
	struct world *world = *state;

	start_manager(world, (struct stand_in){ .jobs = others,
						.jobs_later = nothing,
						.signals_before = 1,
						.is_new = true });
	await_end(world);
	assert_int_equal(*n_listed, 3);
}

/* Both would wait for ever. */
static void does_not_wait_for_a_sleep_that_waits_for_this_process(void **state)
{
	static const struct listed_job next[] = { { "systemd-suspend.service", "start" },
						  { "pmcoord-sleep.service", "start" },
						  { 0 } };
	struct world *world = *state;

	start_manager(world, (struct stand_in){ .jobs = next });
	await_end(world);
	assert_int_equal(*n_listed, 1);
	stop_manager(world);
	*n_listed = 0;
	start_manager(world, (struct stand_in){ .jobs = suspending, .jobs_later = next });
	await_end(world);
	assert_int_equal(*n_listed, 2);
}

static void does_not_wait_without_a_sleep_job(void **state)
{
	struct world *world = *state;

	await_end(world);
	start_manager(world, (struct stand_in){ .jobs = nothing });
	await_end(world);
	assert_int_equal(*n_listed, 1);
}

/* One that refuses to list its jobs tells nothing, and may refuse at any time. */
static void does_not_wait_if_the_jobs_cannot_be_listed(void **state)
{
	struct world *world = *state;
	struct sleep_job job;

	start_manager(world, (struct stand_in){ .refuses = true });
	assert_int_equal(world->ours->ops->get_state(world->ours, &job), -EACCES);
	await_end(world);
	stop_manager(world);
	start_manager(world, (struct stand_in){ .jobs = suspending, .refuses_later = true });
	await_end(world);
	assert_int_equal(*n_listed, 4);
}

/* If the manager dies, the host is awake: guests must be resumed. */
static void stops_waiting_when_the_bus_disconnects(void **state)
{
	struct world *world = *state;
	struct timespec begin, end;
	pid_t killer;

	start_manager(world, (struct stand_in){ .jobs = suspending });
	clock_gettime(CLOCK_MONOTONIC, &begin);
	killer = fork();
	if (killer == 0) {
		usleep(200000);
		kill(world->bus, SIGKILL);
		_exit(0);
	}
	await_end(world);
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* Not before. */
	assert_true((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >=
		    150);
	waitpid(killer, NULL, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
	const struct CMUnitTest tests[] = {
		TEST(returns_the_kind_of_the_requested_sleep),
		TEST(fails_without_a_service_manager),
		TEST(waits_until_the_sleep_has_ended),
		TEST(a_job_that_appears_is_looked_at),
		TEST(does_not_wait_if_the_jobs_cannot_be_listed),
		TEST(does_not_wait_for_a_sleep_that_waits_for_this_process),
		TEST(does_not_wait_without_a_sleep_job),
		TEST(stops_waiting_when_the_bus_disconnects),
	};

	return cmocka_run_group_tests_name("sleep_manager", tests, NULL, NULL);
}
