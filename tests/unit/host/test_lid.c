/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The lid, with a socket as its device, and its effect on a cycle. */

#include <errno.h>
#include <linux/input.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "base/moment.h"
#include "base/directory.h"
#include "model/cycle.h"
#include "model/loop.h"
#include "model/sleeper.h"
#include "host/lid.h"
#include "host/loop-event.h"
#include "host/sleeper-host.h"
#include "record/report.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

struct world {
	struct host host;
	int device; /* sends the lid's events */
	struct lid *lid;
	enum record_type opens_at; /* the lid opens at a record of this type … */
	size_t n_left; /* … when it occurs for the n-th time */
};

/*
 * The switches of input devices. Devices are found by the name of their file; "socket" stands
 * for the device of struct world.
 */
static struct {
	const char *name; /* NULL: there is no such device */
	bool has_lid, is_closed;
} devices[4];

static const char *name_of(int fd, char *ret, size_t size)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	if (strncmp(ret, "socket:", 7) == 0)
		return "socket";
	return strrchr(ret, '/') ? strrchr(ret, '/') + 1 : "";
}

/* Replaces the C library's function for the switches of input devices. */
int ioctl(int fd, unsigned long request, ...)
{
	char path[256];
	const char *name = name_of(fd, path, sizeof(path));
	bool asks_state = _IOC_NR(request) == _IOC_NR(EVIOCGSW(0));
	unsigned long *switches;
	va_list arguments;

	va_start(arguments, request);
	switches = va_arg(arguments, unsigned long *);
	va_end(arguments);
	for (size_t i = 0; i < ELEMENTSOF(devices); i++) {
		if (!devices[i].name || strcmp(devices[i].name, name) != 0)
			continue;
		assert_true(_IOC_SIZE(request) * 8 > SW_LID);
		*switches = (unsigned long)(asks_state ? devices[i].is_closed : devices[i].has_lid)
			    << SW_LID;
		return (int)sizeof(*switches);
	}
	errno = ENOTTY;
	return -1;
}

static void move(struct world *world, bool closes)
{
	struct input_event events[] = {
		{ .type = EV_SW, .code = SW_LID, .value = closes },
		{ .type = EV_SYN, .code = SYN_REPORT },
	};

	for (size_t i = 0; i < ELEMENTSOF(events); i++)
		assert_int_equal(send(world->device, &events[i], sizeof(events[i]), 0),
				 sizeof(events[i]));
}

static void make_lid(struct world *world, bool is_closed)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	world->device = fds[0];
	world->lid = lid_new(fds[1], is_closed);
	assert_non_null(world->lid);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	memset(devices, 0, sizeof(devices));
	make_lid(world, true);
	host_init_laptop(&world->host, "");
	world->host.coordinator.lid = world->lid;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	lid_free(world->lid);
	close(world->device);
	host_done(&world->host);
	free(world);
	return 0;
}

/* ---- the lid itself ------------------------------------------------------ */

static void reports_an_opening_only_after_a_closing(void **state)
{
	struct world *world = *state;

	assert_true(lid_is_closed(world->lid));
	assert_false(lid_was_opened(world->lid));
	move(world, true);
	assert_false(lid_was_opened(world->lid));
	move(world, false);
	assert_true(lid_was_opened(world->lid));
	assert_false(lid_is_closed(world->lid));
	/* An opening stays recorded when the lid is closed again. */
	move(world, true);
	assert_true(lid_was_opened(world->lid));
	assert_true(lid_is_closed(world->lid));
}

static void an_open_lid_was_not_opened(void **state)
{
	struct world *world = *state;

	lid_free(world->lid);
	close(world->device);
	make_lid(world, false);
	move(world, false);
	assert_false(lid_was_opened(world->lid));
	move(world, true);
	assert_false(lid_was_opened(world->lid));
	move(world, false);
	assert_true(lid_was_opened(world->lid));
}

static void ignores_other_events_and_a_removed_device(void **state)
{
	struct world *world = *state;
	struct input_event other = { .type = EV_SW, .code = SW_DOCK };

	assert_int_equal(send(world->device, &other, sizeof(other), 0), sizeof(other));
	assert_int_equal(shutdown(world->device, SHUT_RDWR), 0);
	assert_true(lid_is_closed(world->lid));
	assert_false(lid_was_opened(world->lid));
}

static void a_host_without_a_lid_has_an_open_one(void **state)
{
	struct world *world = *state;
	char path[96];

	assert_null(lid_open("/nonexistent"));
	/* An input device without SW_LID is not a lid. */
	snprintf(path, sizeof(path), "%s/input", world->host.directory);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/event0");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(lid_open(world->host.directory));
	assert_false(lid_is_closed(NULL));
	assert_false(lid_was_opened(NULL));
}

static void add_input(struct world *world, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/input", world->host.directory);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/input/%s", world->host.directory, name);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void finds_the_lid_among_other_devices(void **state)
{
	struct world *world = *state;

	/* A keyboard, a node that is not evdev's, and a dock. */
	for (int is_closed = 0; is_closed < 2; is_closed++) {
		struct lid *lid;

		devices[0].name = "event0";
		devices[1].name = "js0";
		devices[1].has_lid = devices[1].is_closed = true;
		devices[2].name = "event2";
		for (size_t i = 0; i < 3 && !is_closed; i++)
			add_input(world, devices[i].name);
		if (!is_closed) {
			assert_null(lid_open(world->host.directory));
			add_input(world, "event11");
		}
		devices[3].name = "event11";
		devices[3].has_lid = true;
		devices[3].is_closed = is_closed;
		lid = lid_open(world->host.directory);
		assert_non_null(lid);
		assert_int_equal(lid_is_closed(lid), is_closed);
		assert_false(lid_was_opened(lid));
		lid_free(lid);
	}
}

/* The kernel reports that it has dropped events. */
static void drop_events(struct world *world, bool is_closed)
{
	struct input_event event = { .type = EV_SYN, .code = SYN_DROPPED };

	devices[0].name = "socket";
	devices[0].is_closed = is_closed;
	assert_int_equal(send(world->device, &event, sizeof(event), 0), sizeof(event));
}

static void reads_the_switch_after_dropped_events(void **state)
{
	struct world *world = *state;

	drop_events(world, true);
	assert_true(lid_is_closed(world->lid));
	assert_false(lid_was_opened(world->lid));
	drop_events(world, false);
	assert_false(lid_is_closed(world->lid));
	assert_true(lid_was_opened(world->lid));
	lid_restart(world->lid);
	drop_events(world, true);
	assert_true(lid_is_closed(world->lid));
	assert_false(lid_was_opened(world->lid));
	/* A state that cannot be read changes nothing. */
	drop_events(world, false);
	devices[0].name = NULL;
	assert_true(lid_is_closed(world->lid));
	assert_false(lid_was_opened(world->lid));
}

static void ends_a_wait_once_per_move(void **state)
{
	struct world *world = *state;
	struct loop *loop = NULL;
	uint64_t begin, patience_us = 20000;

	assert_int_equal(loop_new(NULL, &loop, NULL), 0);
	assert_int_equal(loop_watch_fd(loop, lid_fd(world->lid)), 0);
	move(world, false);
	begin = loop_now(loop);
	assert_int_equal(loop->ops->wait(loop, begin + 60000000), 0);
	assert_true(loop_now(loop) < begin + 30000000);
	/* A removed device does not cause a busy loop. */
	assert_int_equal(shutdown(world->device, SHUT_RDWR), 0);
	assert_int_equal(loop->ops->wait(loop, begin + 60000000), 0);
	begin = loop_now(loop);
	assert_int_equal(loop->ops->wait(loop, begin + patience_us), 0);
	assert_true(loop_now(loop) >= begin + patience_us);
	assert_int_equal(loop_watch_fd(loop, -EBADF), 0);
	loop_free(loop);
}

/* ---- effect on a cycle --------------------------------------------------- */

static void open_at_record(void *data, const struct cycle *cycle, const struct record *record)
{
	struct world *world = data;

	(void)cycle;
	if (record->type == world->opens_at && world->n_left > 0 && --world->n_left == 0)
		move(world, false);
}

static struct report *run_cycle(struct world *world, bool sleeps)
{
	struct cycle_params params = {
		.trigger = "test",
		.sleeper = sleeps ? world->host.sleeper : NULL,
		.resumes_at_once = true,
	};
	struct report *report = NULL;
	struct error error = { 0 };

	world->host.coordinator.observer = open_at_record;
	world->host.coordinator.observer_data = world;
	if (coordinator_suspend(&world->host.coordinator, &params, &report, &error) < 0)
		fail_msg("%s", error_text(&error));
	return report;
}

static size_t count_requested(const struct report *report)
{
	size_t n = 0;

	for (size_t i = 0; i < report->n_guests; i++)
		n += report->guests[i].requested_us != MOMENT_NEVER;
	return n;
}

static void opening_the_lid_aborts_the_cycle(void **state)
{
	struct world *world = *state;
	static const struct {
		enum record_type type;
		size_t nth;
		size_t at_least, at_most; /* number of requested guests */
	} cases[] = {
		{ RECORD_PHASE, 1, 0, 0 }, /* inventory */
		{ RECORD_PHASE, 3, 0, 0 }, /* suspend */
		{ RECORD_SUSPENDED, 1, 3, 4 },
		{ RECORD_SUSPENDED, 4, 5, 5 },
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct report *report;

		lid_free(world->lid);
		close(world->device);
		make_lid(world, true);
		world->host.coordinator.lid = world->lid;
		world->opens_at = cases[i].type;
		world->n_left = cases[i].nth;
		report = run_cycle(world, true);
		assert_string_equal(cycle_result_name(report->result), "failed");
		assert_string_equal(report->detail, "the lid was opened");
		assert_in_range(count_requested(report), cases[i].at_least, cases[i].at_most);
		assert_all_running(&world->host);
		assert_no_journal(&world->host);
		report_free(report);
	}
}

static void a_lid_that_opens_during_sleep_does_not_abort(void **state)
{
	struct world *world = *state;
	struct report *report = run_cycle(world, true);

	assert_string_equal(cycle_result_name(report->result), "ok");
	report_free(report);
	/* Opened to wake the host. */
	world->opens_at = RECORD_SLEPT;
	world->n_left = 1;
	report = run_cycle(world, true);
	assert_string_equal(cycle_result_name(report->result), "ok");
	report_free(report);
}

static void respects_abort_on_lid_open_and_cycles_without_sleep(void **state)
{
	struct world *world = *state;
	struct report *report;

	world->opens_at = RECORD_SUSPENDED;
	world->n_left = 1;
	report = run_cycle(world, false);
	assert_string_equal(cycle_result_name(report->result), "ok");
	report_free(report);
	move(world, true);
	world->host.config.abort_on_lid_open = false;
	world->n_left = 1;
	report = run_cycle(world, true);
	assert_string_equal(cycle_result_name(report->result), "ok");
	report_free(report);
}

/* ---- the host's sleep ---------------------------------------------------- */

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/power/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void make_power(const char *directory)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/power", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/run/systemd", directory);
	assert_int_equal(directory_make(path), 0);
	write_file(directory, "state", "freeze mem disk\n");
	write_file(directory, "mem_sleep", "s2idle [deep]\n");
}

/* The lid opens after prepare, when all guests are suspended. */
static void enter_with_opened_lid(struct world *world, struct sleeper *sleeper)
{
	struct error error = { 0 };
	struct loop *loop = NULL;
	uint64_t slept_us;

	assert_int_equal(loop_new(NULL, &loop, NULL), 0);
	sleeper->lid = world->lid;
	assert_int_equal(sleeper->ops->prepare(sleeper, &error), 0);
	move(world, false);
	assert_int_equal(sleeper->ops->enter(sleeper, loop, &slept_us, &error), -ECANCELED);
	assert_string_equal(error_text(&error), "the lid was opened");
	sleeper->ops->finish(sleeper);
	sleeper_free(sleeper);
	loop_free(loop);
}

static void does_not_write_power_state_after_the_lid_opened(void **state)
{
	struct world *world = *state;
	struct sleeper *sleeper = NULL;
	char path[96], text[32] = "";
	FILE *file;

	make_power(world->host.directory);
	assert_int_equal(sleeper_sysfs_new(world->host.directory, &sleeper), 0);
	enter_with_opened_lid(world, sleeper);
	snprintf(path, sizeof(path), "%s/power/state", world->host.directory);
	file = fopen(path, "r");
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, "freeze mem disk\n");
}

static void does_not_notify_systemd_after_the_lid_opened(void **state)
{
	struct world *world = *state;
	struct sleeper *sleeper = NULL;
	int manager[2];
	char text[32];

	make_power(world->host.directory);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, manager), 0);
	/* Keeps the test away from the systemd of the machine it runs on. */
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1);
	assert_int_equal(sleeper_systemd_new(world->host.directory, world->host.directory,
					     manager[0], NULL, &sleeper),
			 0);
	enter_with_opened_lid(world, sleeper);
	assert_int_equal(recv(manager[1], text, sizeof(text), 0), -1);
	assert_int_equal(errno, EAGAIN);
	close(manager[0]);
	close(manager[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reports_an_opening_only_after_a_closing),
		TEST(an_open_lid_was_not_opened),
		TEST(ignores_other_events_and_a_removed_device),
		TEST(a_host_without_a_lid_has_an_open_one),
		TEST(finds_the_lid_among_other_devices),
		TEST(reads_the_switch_after_dropped_events),
		TEST(ends_a_wait_once_per_move),
		TEST(opening_the_lid_aborts_the_cycle),
		TEST(a_lid_that_opens_during_sleep_does_not_abort),
		TEST(respects_abort_on_lid_open_and_cycles_without_sleep),
		TEST(does_not_write_power_state_after_the_lid_opened),
		TEST(does_not_notify_systemd_after_the_lid_opened),
	};

	return cmocka_run_group_tests_name("lid", tests, NULL, NULL);
}
