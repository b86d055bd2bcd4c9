/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sleep through logind, with a simulated logind and systemd on a private bus. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "host/logind.h"
#include "tests/unit/tree.h"

#define SECOND_US 1000000ull

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/pmcoord_2dsleep_2eservice"
#define LOGIND "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"

struct world {
	char directory[64];
	char done[96]; /* a file that ends the cycle, where it is not awaited */
	pid_t bus, services;
};

/* ---- the simulated logind and systemd ------------------------------------ */

struct services {
	const char *enabled; /* state of the sleep unit's file; NULL: an error */
	bool can_suspend;
	const char *refusal; /* name of the error of Suspend; NULL: none */
	/*
	 * What happens after Suspend, a letter each:
	 * s, e: PrepareForSleep with true, false   i, f, a: the unit's state is inactive, failed,
	 * active p: the unit's properties have changed    w: the cycle's file is written where it
	 * is awaited o: it is written elsewhere               x: another file is written    .: 100
	 * ms pass
	 */
	const char *events;
	const struct world *world;
	const char *unit_state;
	bool has_begun;
	sd_bus *bus;
};

static int get_unit_file_state(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct services *services = data;
	const char *unit = NULL;

	if (sd_bus_message_read(call, "s", &unit) < 0 ||
	    strcmp(unit, "pmcoord-sleep.service") != 0 || !services->enabled)
		return sd_bus_error_set(error, SD_BUS_ERROR_FILE_NOT_FOUND, "no such unit");
	return sd_bus_reply_method_return(call, "s", services->enabled);
}

static int subscribe(sd_bus_message *call, void *data, sd_bus_error *error)
{
	(void)data;
	(void)error;
	return sd_bus_reply_method_return(call, "");
}

static int can_suspend(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct services *services = data;

	if (!services->can_suspend)
		return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "no");
	return sd_bus_reply_method_return(call, "s", "yes");
}

static void write_file(const char *directory, const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		_exit(1);
	close(fd);
}

static void happen(struct services *services, char event)
{
	char directory[96];

	switch (event) {
	case 's':
	case 'e':
		sd_bus_emit_signal(services->bus, LOGIND_PATH, "org.freedesktop.login1.Manager",
				   "PrepareForSleep", "b", event == 's');
		break;
	case 'i':
		services->unit_state = "inactive";
		break;
	case 'f':
		services->unit_state = "failed";
		break;
	case 'a':
		services->unit_state = "active";
		break;
	case 'p':
		sd_bus_emit_signal(services->bus, UNIT_PATH, "org.freedesktop.DBus.Properties",
				   "PropertiesChanged", "sa{sv}as", "org.freedesktop.systemd1.Unit",
				   0, 0);
		break;
	case 'w':
		snprintf(directory, sizeof(directory), "%s/reports", services->world->directory);
		write_file(directory, "done");
		break;
	case 'x':
		snprintf(directory, sizeof(directory), "%s/reports", services->world->directory);
		write_file(directory, "other");
		break;
	case 'o':
		write_file(services->world->directory, "done");
		break;
	default:
		usleep(100000);
	}
	sd_bus_flush(services->bus);
}

static int suspend(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct services *services = data;
	int is_interactive = 1;

	if (sd_bus_message_read(call, "b", &is_interactive) < 0 || is_interactive)
		return sd_bus_error_set_errno(error, EINVAL);
	if (services->refusal)
		return sd_bus_error_set(error, services->refusal, "no");
	services->has_begun = true;
	return sd_bus_reply_method_return(call, "");
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct services *services = data;

	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)error;
	return sd_bus_message_append(reply, "s", services->unit_state);
}

static const sd_bus_vtable systemd_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("GetUnitFileState", "s", "s", get_unit_file_state,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Subscribe", "", "", subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable unit_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("ActiveState", "s", get_state, 0, 0),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable logind_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("CanSuspend", "", "s", can_suspend, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Suspend", "b", "", suspend, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL("PrepareForSleep", "b", 0),
	SD_BUS_VTABLE_END,
};

/* What is asked meanwhile is answered after the next pause. */
static void serve(struct services services, int ready_fd)
{
	const char *next = services.events ? services.events : "";

	if (sd_bus_open_system(&services.bus) < 0 ||
	    sd_bus_add_object_vtable(services.bus, NULL, SYSTEMD_PATH,
				     "org.freedesktop.systemd1.Manager", systemd_vtable,
				     &services) < 0 ||
	    sd_bus_add_object_vtable(services.bus, NULL, UNIT_PATH, "org.freedesktop.systemd1.Unit",
				     unit_vtable, &services) < 0 ||
	    sd_bus_add_object_vtable(services.bus, NULL, LOGIND_PATH,
				     "org.freedesktop.login1.Manager", logind_vtable,
				     &services) < 0 ||
	    sd_bus_request_name(services.bus, SYSTEMD, 0) < 0 ||
	    sd_bus_request_name(services.bus, LOGIND, 0) < 0 || write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;) {
		int r = sd_bus_process(services.bus, NULL);

		if (r < 0)
			_exit(0);
		for (; services.has_begun && *next; next++) {
			happen(&services, *next);
			while (*next == '.' && sd_bus_process(services.bus, NULL) > 0)
				;
		}
		if (r == 0 && sd_bus_wait(services.bus, UINT64_MAX) < 0)
			_exit(0);
	}
}

static void start(struct world *world, struct services services)
{
	int ends[2];
	char byte;

	services.world = world;
	if (!services.unit_state)
		services.unit_state = "activating";
	assert_int_equal(pipe(ends), 0);
	world->services = fork();
	if (world->services == 0)
		serve(services, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
}

static void stop(struct world *world)
{
	if (world->services) {
		kill(world->services, SIGKILL);
		waitpid(world->services, NULL, 0);
	}
	world->services = 0;
}

/* ---- set-up -------------------------------------------------------------- */

static int open_world(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	char command[256], address[256] = "";
	long pid = 0;
	FILE *pipe;

	strcpy(world->directory, "/tmp/pmcoord-test-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->done, sizeof(world->done), "%s/done", world->directory);
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
	/* A wait that does not end fails the test. */
	alarm(60);
	*state = world;
	return 0;
}

static int close_world(void **state)
{
	struct world *world = *state;
	int r;

	alarm(0);
	stop(world);
	kill(world->bus, SIGTERM);
	r = tree_remove_all(world->directory);
	free(world);
	return r;
}

/* ---- whether it runs the sleep unit --------------------------------------- */

static void runs_an_enabled_unit_if_it_can_suspend(void **state)
{
	static const struct {
		const char *enabled;
		bool can_suspend, expected;
	} cases[] = {
		{ "enabled", true, true },   { "enabled-runtime", true, true },
		{ "disabled", true, false }, { "static", true, false },
		{ NULL, true, false },	     { "enabled", false, false },
	};
	struct world *world = *state;

	assert_false(logind_runs_our_unit());
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		start(world, (struct services){ .enabled = cases[i].enabled,
						.can_suspend = cases[i].can_suspend });
		assert_int_equal(logind_runs_our_unit(), cases[i].expected);
		stop(world);
	}
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere", 1);
	assert_false(logind_runs_our_unit());
}

/* ---- a sleep ------------------------------------------------------------- */

static bool is_done(void *data)
{
	const char *const *paths = data;

	return access(paths[0], F_OK) == 0 || access(paths[1], F_OK) == 0;
}

static int sleep_through_logind(struct world *world, uint64_t timeout_us, struct error *error)
{
	char reports[96], unsaved[96], done[128];
	const char *paths[] = { done, world->done };
	struct logind_end end = {
		.directories = { reports, unsaved },
		.is_over = is_done,
		.data = paths,
	};

	snprintf(reports, sizeof(reports), "%s/reports", world->directory);
	snprintf(unsaved, sizeof(unsaved), "%s/unsaved", world->directory);
	snprintf(done, sizeof(done), "%s/done", reports);
	unlink(done);
	unlink(world->done);
	return logind_suspend(&end, timeout_us, error);
}

#define ENDED                                                                                      \
	"the host's sleep is over, but the sleep unit stopped without completing a cycle: see journalctl -u pmcoord-sleep.service"

static void waits_for_the_end_of_the_cycle(void **state)
{
	static const struct {
		const char *events;
		int expected;
		const char *text;
	} cases[] = {
		{ "s.e.w", 0, "" },
		{ "w", 0, "" },
		{ "s.x.e.w", 0, "" },
		{ "s.ie.", -ECANCELED, ENDED },
		{ "s.fe.", -ECANCELED, ENDED },
		{ "s.e.ip.", -ECANCELED, ENDED },
		{ "s.e.fp.", -ECANCELED, ENDED },
		/* The unit is not active yet, or still. */
		{ "ip.s.ip.w", 0, "" },
		{ "s.e.ap.w", 0, "" },
		/* The end has come, and nothing but the state of the unit tells. */
		{ "s.oie.", 0, "" },
		{ "s.e.oip.", 0, "" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct error error = { 0 };

		start(world, (struct services){ .events = cases[i].events });
		if (sleep_through_logind(world, 30 * SECOND_US, &error) != cases[i].expected)
			fail_msg("case %zu: %s", i, error_text(&error));
		assert_string_equal(error.text, cases[i].text);
		stop(world);
	}
}

static void says_why_logind_does_not_suspend(void **state)
{
	static const struct {
		const char *refusal;
		int expected;
		enum error_outcome outcome;
		const char *text;
	} cases[] = {
		{ "System.Error.EINPROGRESS", -EBUSY, OUTCOME_BUSY,
		  "logind reports that a sleep is already in progress: wait until it has ended" },
		{ "System.Error.EALREADY", -EBUSY, OUTCOME_BUSY,
		  "logind reports that a sleep is already in progress: wait until it has ended" },
		{ "System.Error.EOPNOTSUPP", -EOPNOTSUPP, OUTCOME_UNSUPPORTED,
		  "logind reports that this host cannot suspend: run 'pmcoord check'" },
		{ "System.Error.EPERM", -EPERM, OUTCOME_NOT_PERMITTED,
		  "logind cannot suspend the host: Operation not permitted" },
		{ "System.Error.EACCES", -EACCES, OUTCOME_NOT_PERMITTED,
		  "logind cannot suspend the host: Permission denied" },
		{ "System.Error.EBUSY", -EBUSY, 0,
		  "logind cannot suspend the host: Device or resource busy" },
		/* Not the own timeout. */
		{ "System.Error.ETIMEDOUT", -ETIMEDOUT, 0,
		  "logind cannot suspend the host: Connection timed out" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct error error = { 0 };
		int r;

		start(world, (struct services){ .refusal = cases[i].refusal });
		r = sleep_through_logind(world, 30 * SECOND_US, &error);
		assert_string_equal(error_text(&error), cases[i].text);
		assert_int_equal(r, cases[i].expected);
		assert_int_equal(error.outcome, cases[i].outcome);
		stop(world);
	}
}

static void a_wait_ends_at_its_timeout(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	start(world, (struct services){ .events = "s.x.e" });
	assert_int_equal(sleep_through_logind(world, SECOND_US, &error), -ETIMEDOUT);
	assert_string_equal(
		error_text(&error),
		"logind was asked to suspend the host, but no cycle ended within 1 s: see journalctl -u pmcoord-sleep.service");
}

static void fails_without_systemd_or_a_bus(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	assert_true(sleep_through_logind(world, 30 * SECOND_US, &error) < 0);
	assert_int_equal(strncmp(error_text(&error), "logind cannot suspend the host: ", 32), 0);
	error = (struct error){ 0 };
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere", 1);
	assert_int_equal(sleep_through_logind(world, 30 * SECOND_US, &error), -ENOENT);
	assert_string_equal(error_text(&error),
			    "logind cannot suspend the host: No such file or directory");
}

static mode_t mode_of(const struct world *world, const char *name)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", world->directory, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* All users may read reports, but not what is on /run. */
static void makes_the_directories_that_it_watches(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	start(world, (struct services){ .events = "w" });
	assert_int_equal(sleep_through_logind(world, 30 * SECOND_US, &error), 0);
	assert_int_equal(mode_of(world, "reports"), 0755);
	assert_int_equal(mode_of(world, "unsaved"), 0700);
}

/* Puts a link to itself in the place of a directory. */
static void obstruct(const struct world *world, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", world->directory, name);
	(void)rmdir(path);
	assert_int_equal(symlink(name, path), 0);
}

static void watches_what_can_be_watched(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	char path[96];

	obstruct(world, "unsaved");
	start(world, (struct services){ .events = "w" });
	assert_int_equal(sleep_through_logind(world, 30 * SECOND_US, &error), 0);
	stop(world);
	/* None can: nothing is requested. */
	snprintf(path, sizeof(path), "%s/reports/done", world->directory);
	assert_int_equal(unlink(path), 0);
	obstruct(world, "reports");
	start(world, (struct services){ .events = "o" });
	assert_int_equal(sleep_through_logind(world, 30 * SECOND_US, &error), -ELOOP);
	assert_string_equal(error_text(&error),
			    "logind cannot suspend the host: Too many levels of symbolic links");
	stop(world);
	assert_int_equal(access(world->done, F_OK), -1);
	/* The first cannot. */
	snprintf(path, sizeof(path), "%s/unsaved", world->directory);
	assert_int_equal(unlink(path), 0);
	error = (struct error){ 0 };
	start(world, (struct services){ .events = "s.oie." });
	assert_int_equal(sleep_through_logind(world, 30 * SECOND_US, &error), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(runs_an_enabled_unit_if_it_can_suspend),
		TEST(waits_for_the_end_of_the_cycle),
		TEST(says_why_logind_does_not_suspend),
		TEST(a_wait_ends_at_its_timeout),
		TEST(fails_without_systemd_or_a_bus),
		TEST(makes_the_directories_that_it_watches),
		TEST(watches_what_can_be_watched),
	};

	return cmocka_run_group_tests_name("logind", tests, NULL, NULL);
}
