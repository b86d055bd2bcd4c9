/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The sleep through a simulated /sys/power: what is chosen, written and refused. Also systemd's
 * sleep that is cancelled when the lid is opened.
 */

#include <errno.h>
#include <linux/input.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/loop.h"
#include "model/sleeper.h"
#include "host/lid.h"
#include "host/loop-event.h"
#include "host/roots.h"
#include "host/sleeper-host.h"
#include "tests/unit/tree.h"

struct world {
	char sys[64];
	struct sleeper *sleeper;
	struct loop *loop;
};

static unsigned int n_syncs;

/* Replaces the C library's function. */
void sync(void)
{
	n_syncs++;
}

static void put(const struct world *world, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/power/%s", world->sys, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Returns the first line of an attribute, or "(none)". */
static const char *get(const struct world *world, const char *name)
{
	static char text[64];
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/power/%s", world->sys, name);
	file = fopen(path, "r");
	if (!file)
		return "(none)";
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static int open_world(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct error error = { 0 };
	char command[256];

	strcpy(world->sys, "/tmp/pmcoord-test-XXXXXX");
	assert_non_null(mkdtemp(world->sys));
	snprintf(command, sizeof(command), "mkdir -p %s/power/suspend_stats %s/run/systemd",
		 world->sys, world->sys);
	assert_int_equal(system(command), 0);
	put(world, "state", "freeze mem disk\n");
	put(world, "mem_sleep", "s2idle [deep]\n");
	put(world, "suspend_stats/success", "3\n");
	assert_int_equal(loop_new(NULL, &world->loop, &error), 0);
	n_syncs = 0;
	*state = world;
	return 0;
}

static int close_world(void **state)
{
	struct world *world = *state;
	int r;

	sleeper_free(world->sleeper);
	loop_free(world->loop);
	r = tree_remove_all(world->sys);
	free(world);
	return r;
}

static void renew_sleeper(struct world *world)
{
	sleeper_free(world->sleeper);
	world->sleeper = NULL;
	assert_int_equal(sleeper_sysfs_new(world->sys, &world->sleeper), 0);
}

static int prepare(struct world *world, struct error *error)
{
	return world->sleeper->ops->prepare(world->sleeper, error);
}

static int enter(struct world *world, struct error *error)
{
	uint64_t slept_us;

	return world->sleeper->ops->enter(world->sleeper, world->loop, &slept_us, error);
}

/* ---- S3 ------------------------------------------------------------------ */

static void refuses_when_the_states_cannot_be_read(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	char path[128];

	snprintf(path, sizeof(path), "%s/power/state", world->sys);
	unlink(path);
	/* Opens for reading and writing, and fails to be read at its begin. */
	assert_int_equal(symlink("/proc/self/mem", path), 0);
	renew_sleeper(world);
	assert_int_equal(prepare(world, &error), -EIO);
	assert_non_null(strstr(error_text(&error), "power/state"));
}

static void sleeps_in_s3_only(void **state)
{
	static const struct {
		const char *offered, *mem_sleep; /* NULL: the kernel has no mem_sleep */
		const char *chosen; /* begin of mem_sleep afterwards */
		const char *refusal; /* NULL: none */
	} cases[] = {
		{ "freeze mem disk\n", "s2idle [deep]\n", "s2idle [deep]", NULL },
		{ "freeze mem disk\n", "[deep]\n", "[deep]", NULL },
		{ "freeze mem disk\n", "[s2idle] deep\n", "deep", NULL },
		{ "freeze mem disk\n", "[s2idle] shallow deep\n", "deep", NULL },
		{ "freeze mem disk\n", "[s2idle]\n", "[s2idle]", "mem_sleep is '[s2idle]'" },
		{ "freeze mem disk\n", "s2idle [shallow]\n", "s2idle [shallow]",
		  "mem_sleep is 's2idle [shallow]'" },
		{ "mem\n", NULL, "(none)", NULL },
		{ "freeze disk\n", "[s2idle]\n", "[s2idle]", "state is 'freeze disk'" },
		{ "\n", NULL, "(none)", "state is ''" },
	};
	struct world *world = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/power/mem_sleep", world->sys);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct error error = { 0 };
		const char *chosen;

		put(world, "state", cases[i].offered);
		if (cases[i].mem_sleep)
			put(world, "mem_sleep", cases[i].mem_sleep);
		else
			unlink(path);
		renew_sleeper(world);
		if (cases[i].refusal) {
			assert_true(prepare(world, &error) < 0);
			assert_int_equal(error.outcome, OUTCOME_UNSUPPORTED);
			assert_non_null(strstr(error_text(&error), cases[i].refusal));
		} else if (prepare(world, &error) < 0) {
			fail_msg("case %zu: %s", i, error_text(&error));
		}
		chosen = get(world, "mem_sleep");
		if (strncmp(chosen, cases[i].chosen, strlen(cases[i].chosen)) != 0)
			fail_msg("case %zu: mem_sleep is '%s'", i, chosen);
		/* Nothing sleeps before enter(). */
		assert_int_equal(strncmp(get(world, "state"), cases[i].offered,
					 strlen(cases[i].offered) - 1),
				 0);
	}
}

static void names_the_reason_if_the_kernel_refuses(void **state)
{
	struct world *world = *state;
	struct rlimit before, none;
	struct error error = { 0 };
	int r;

	renew_sleeper(world);
	assert_int_equal(prepare(world, &error), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	r = enter(world, &error);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(r, -EFBIG);
	assert_string_equal(error_text(&error),
			    "the host did not sleep: the kernel refused (File too large); see "
			    "journalctl -k");
}

static void a_sleep_that_the_kernel_does_not_count_has_failed(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	renew_sleeper(world);
	assert_int_equal(prepare(world, &error), 0);
	assert_int_equal(enter(world, &error), -ECANCELED);
	assert_non_null(strstr(error_text(&error), "the kernel aborted the suspend"));
	assert_int_equal(strncmp(get(world, "state"), "mem", 3), 0);
}

/* A kernel without suspend_stats counts nothing: only the clocks show a sleep. */
static void without_a_counter_the_clocks_decide(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	char path[128];

	snprintf(path, sizeof(path), "%s/power/suspend_stats/success", world->sys);
	assert_int_equal(unlink(path), 0);
	renew_sleeper(world);
	assert_int_equal(prepare(world, &error), 0);
	assert_int_equal(enter(world, &error), -ECANCELED);
}

static void writes_mem_and_trusts_the_kernels_counter(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	renew_sleeper(world);
	assert_int_equal(prepare(world, &error), 0);
	put(world, "suspend_stats/success", "4\n");
	assert_int_equal(enter(world, &error), 0);
	assert_int_equal(strncmp(get(world, "state"), "mem", 3), 0);
}

/* A success may be that of another state, which somebody has chosen meanwhile. */
static void tells_in_which_state_the_host_has_slept(void **state)
{
	static const struct {
		const char *mem_sleep, *fail, *expected;
	} cases[] = {
		{ "s2idle [deep]", "2", "deep" },
		{ "[s2idle] deep", "2", "s2idle" },
		{ "s2idle shallow [deep]", "2", "deep" },
		{ "s2idle [deep]", "3", "" },
	};
	struct world *world = *state;
	struct error error = { 0 };

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		put(world, "mem_sleep", "s2idle [deep]\n");
		put(world, "suspend_stats/success", "3\n");
		put(world, "suspend_stats/fail", "2\n");
		renew_sleeper(world);
		assert_int_equal(prepare(world, &error), 0);
		put(world, "mem_sleep", cases[i].mem_sleep);
		put(world, "suspend_stats/success", "4\n");
		put(world, "suspend_stats/fail", cases[i].fail);
		assert_int_equal(enter(world, &error), 0);
		assert_string_equal(world->sleeper->state, cases[i].expected);
	}
}

static void a_kernel_without_a_choice_sleeps_in_s3(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	char path[128];

	snprintf(path, sizeof(path), "%s/power/mem_sleep", world->sys);
	assert_int_equal(unlink(path), 0);
	renew_sleeper(world);
	assert_int_equal(prepare(world, &error), 0);
	put(world, "suspend_stats/success", "4\n");
	assert_int_equal(enter(world, &error), 0);
	assert_string_equal(world->sleeper->state, "deep");
}

/* ---- the sync ------------------------------------------------------------ */

static void the_kernel_does_not_sync_during_the_sleep(void **state)
{
	static const char *const before[] = { "1", "0" };
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(before); i++) {
		struct error error = { 0 };

		put(world, "sync_on_suspend", before[i]);
		n_syncs = 0;
		renew_sleeper(world);
		assert_int_equal(prepare(world, &error), 0);
		assert_int_equal(n_syncs, 1);
		assert_string_equal(get(world, "sync_on_suspend"), "0");
		(void)enter(world, &error);
		assert_string_equal(get(world, "sync_on_suspend"), "0");
		assert_int_equal(n_syncs, 1);
		world->sleeper->ops->finish(world->sleeper);
		assert_string_equal(get(world, "sync_on_suspend"), before[i]);
		/* A setting that somebody changes afterwards is not touched. */
		put(world, "sync_on_suspend", "0");
		world->sleeper->ops->finish(world->sleeper);
		assert_string_equal(get(world, "sync_on_suspend"), "0");
	}
}

/* Renews the sleeper, which then leaves notes in the directory. */
static void renew_sleeper_with_notes(struct world *world)
{
	renew_sleeper(world);
	world->sleeper->run = world->sys;
}

/* As the next process does. */
static void undo_changes(struct world *world)
{
	struct roots roots;

	assert_int_equal(roots_init_simulation(world->sys, &roots), 0);
	sleeper_undo_changes(&roots);
	roots_done(&roots);
}

static void the_next_process_switches_the_sync_on_again(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	/* Nothing was changed. */
	put(world, "sync_on_suspend", "0");
	renew_sleeper_with_notes(world);
	assert_int_equal(prepare(world, &error), 0);
	undo_changes(world);
	assert_string_equal(get(world, "sync_on_suspend"), "0");
	/* The process ends without finish(). */
	put(world, "sync_on_suspend", "1");
	renew_sleeper_with_notes(world);
	assert_int_equal(prepare(world, &error), 0);
	assert_string_equal(get(world, "sync_on_suspend"), "0");
	renew_sleeper_with_notes(world);
	undo_changes(world);
	assert_string_equal(get(world, "sync_on_suspend"), "1");
	/* Once. */
	put(world, "sync_on_suspend", "0");
	undo_changes(world);
	assert_string_equal(get(world, "sync_on_suspend"), "0");
	/* A process that ends as it should leaves no note. */
	put(world, "sync_on_suspend", "1");
	assert_int_equal(prepare(world, &error), 0);
	world->sleeper->ops->finish(world->sleeper);
	put(world, "sync_on_suspend", "0");
	undo_changes(world);
	assert_string_equal(get(world, "sync_on_suspend"), "0");
}

static void a_kernel_without_sync_on_suspend_is_accepted(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	renew_sleeper(world);
	assert_int_equal(prepare(world, &error), 0);
	assert_int_equal(n_syncs, 1);
	world->sleeper->ops->finish(world->sleeper);
	assert_string_equal(get(world, "sync_on_suspend"), "(none)");
}

static void a_host_that_cannot_sleep_is_not_changed(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	put(world, "sync_on_suspend", "1");
	put(world, "mem_sleep", "[s2idle]\n");
	renew_sleeper(world);
	assert_true(prepare(world, &error) < 0);
	assert_int_equal(n_syncs, 0);
	assert_string_equal(get(world, "sync_on_suspend"), "1");
	world->sleeper->ops->finish(world->sleeper);
	assert_string_equal(get(world, "sync_on_suspend"), "1");
}

/* ---- systemd's sleep, and the lid ---------------------------------------- */

/* The simulated service manager, and what happens at each tick of a timer. */
static struct {
	sd_bus *bus;
	int client_fd;
	int device; /* sends the lid's events */
	unsigned int ticks;
	unsigned int opens_at; /* the tick at which the lid opens; 0: none */
	unsigned int sleeps_at; /* the tick at which the kernel has counted a sleep; 0: none */
	unsigned int n_listed, n_cancelled;
} systemd;

static int list_jobs(sd_bus_message *call, void *data, sd_bus_error *error)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(call, &reply);

	(void)data;
	(void)error;
	systemd.n_listed++;
	if (r >= 0)
		r = sd_bus_message_append(reply, "a(usssoo)", 1, 7, "systemd-suspend.service",
					  "start", "waiting", "/job", "/unit");
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 1;
}

static int cancel_job(sd_bus_message *call, void *data, sd_bus_error *error)
{
	uint32_t id = 0;

	(void)data;
	(void)error;
	assert_true(sd_bus_message_read(call, "u", &id) >= 0);
	assert_int_equal(id, 7);
	systemd.n_cancelled++;
	return sd_bus_reply_method_return(call, "");
}

static int stop_unit(sd_bus_message *call, void *data, sd_bus_error *error)
{
	(void)data;
	(void)error;
	return sd_bus_reply_method_return(call, "o", "/job");
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("ListJobs", "", "a(usssoo)", list_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("CancelJob", "u", "", cancel_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StopUnit", "ss", "o", stop_unit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static sd_bus *make_end(int fd)
{
	sd_bus *bus = NULL;

	assert_int_equal(sd_bus_new(&bus), 0);
	assert_true(sd_bus_set_fd(bus, fd, fd) >= 0);
	return bus;
}

/* Replaces libsystemd's function: connects to the simulated service manager. */
int sd_bus_open_system(sd_bus **ret)
{
	*ret = make_end(systemd.client_fd);
	return sd_bus_start(*ret);
}

static void start_systemd(struct world *world)
{
	sd_id128_t id;
	int fds[2];

	memset(&systemd, 0, sizeof(systemd));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(sd_id128_randomize(&id), 0);
	systemd.bus = make_end(fds[0]);
	systemd.client_fd = fds[1];
	assert_true(sd_bus_set_server(systemd.bus, 1, id) >= 0);
	assert_true(sd_bus_start(systemd.bus) >= 0);
	assert_true(sd_bus_add_object_vtable(systemd.bus, NULL, "/org/freedesktop/systemd1",
					     "org.freedesktop.systemd1.Manager", vtable,
					     NULL) >= 0);
	assert_true(sd_bus_attach_event(systemd.bus, loop_event(world->loop), 0) >= 0);
}

static void open_lid(void)
{
	struct input_event event = { .type = EV_SW, .code = SW_LID, .value = 0 };

	assert_int_equal(send(systemd.device, &event, sizeof(event), 0), sizeof(event));
}

#define LAST_TICK 20

/* Ends a wait every 5 ms; the last one with systemd's SIGTERM. */
static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct world *world = data;
	unsigned int n = ++systemd.ticks;

	(void)usec;
	if (n == systemd.sleeps_at)
		put(world, "suspend_stats/success", "4\n");
	if (n == systemd.opens_at)
		open_lid();
	if (n == LAST_TICK)
		loop_interrupt(world->loop, SIGTERM);
	assert_true(sd_event_source_set_time_relative(source, 5000) >= 0);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Runs a sleep of systemd in which the lid opens, and the kernel sleeps, at these ticks. */
static int sleep_with_lid(struct world *world, unsigned int opens_at, unsigned int sleeps_at,
			  struct error *error)
{
	sd_event_source *timer;
	struct lid *lid;
	int fds[2], notify[2], r;

	put(world, "suspend_stats/success", "3\n");
	start_systemd(world);
	systemd.opens_at = opens_at;
	systemd.sleeps_at = sleeps_at;
	assert_true(sd_event_add_time_relative(loop_event(world->loop), &timer, CLOCK_MONOTONIC,
					       5000, 1, on_tick, world) >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, notify), 0);
	systemd.device = fds[0];
	lid = lid_new(fds[1], true);
	assert_int_equal(
		sleeper_systemd_new(world->sys, world->sys, notify[0], NULL, &world->sleeper), 0);
	world->sleeper->lid = lid;
	assert_int_equal(prepare(world, error), 0);
	r = enter(world, error);
	sd_event_source_disable_unref(timer);
	world->sleeper->ops->finish(world->sleeper);
	sleeper_free(world->sleeper);
	world->sleeper = NULL;
	lid_free(lid);
	sd_bus_flush_close_unref(systemd.bus);
	close(fds[0]);
	close(notify[0]);
	close(notify[1]);
	return r;
}

static void an_opened_lid_cancels_systemds_sleep_once(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	assert_int_equal(sleep_with_lid(world, 2, 0, &error), -ECANCELED);
	assert_int_equal(systemd.n_listed, 1);
	assert_int_equal(systemd.n_cancelled, 1);
	assert_int_equal(systemd.ticks, LAST_TICK);
	assert_string_equal(error_text(&error), "the lid was opened");
}

static void a_closed_lid_cancels_nothing(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	assert_int_equal(sleep_with_lid(world, 0, 0, &error), -ECANCELED);
	assert_int_equal(systemd.n_listed, 0);
	assert_non_null(strstr(error_text(&error), "the kernel aborted the suspend"));
	assert_int_equal(sleep_with_lid(world, 0, 3, &error), 0);
	assert_int_equal(systemd.n_listed, 0);
}

static void a_lid_opened_after_the_sleep_cancels_nothing(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	assert_int_equal(sleep_with_lid(world, 3, 2, &error), 0);
	assert_int_equal(systemd.n_listed, 0);
}

/* The host sleeps all the same, because the kernel was faster. */
static void a_sleep_that_was_cancelled_too_late_is_a_sleep(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	assert_int_equal(sleep_with_lid(world, 2, 3, &error), 0);
	assert_int_equal(systemd.n_cancelled, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
	const struct CMUnitTest tests[] = {
		TEST(sleeps_in_s3_only),
		TEST(refuses_when_the_states_cannot_be_read),
		TEST(names_the_reason_if_the_kernel_refuses),
		TEST(a_sleep_that_the_kernel_does_not_count_has_failed),
		TEST(without_a_counter_the_clocks_decide),
		TEST(writes_mem_and_trusts_the_kernels_counter),
		TEST(tells_in_which_state_the_host_has_slept),
		TEST(a_kernel_without_a_choice_sleeps_in_s3),
		TEST(the_kernel_does_not_sync_during_the_sleep),
		TEST(the_next_process_switches_the_sync_on_again),
		TEST(a_kernel_without_sync_on_suspend_is_accepted),
		TEST(a_host_that_cannot_sleep_is_not_changed),
		TEST(an_opened_lid_cancels_systemds_sleep_once),
		TEST(a_closed_lid_cancels_nothing),
		TEST(a_lid_opened_after_the_sleep_cancels_nothing),
		TEST(a_sleep_that_was_cancelled_too_late_is_a_sleep),
	};

	return cmocka_run_group_tests_name("sleeper_host", tests, NULL, NULL);
}
