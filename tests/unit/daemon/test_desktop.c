/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Notifications of degraded and failed cycles, received from the session bus. */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "pmcoord/error.h"
#include "model/config.h"
#include "record/report.h"
#include "engine/suspend.h"
#include "daemon/desktop.h"
#include "tests/unit/simulated_host.h"

struct world {
	struct host host;
	sd_event *event;
	sd_bus *session, *server; /* the ends of one connection */
	struct desktop *desktop;
	size_t n_shown;
	char summary[128], body[1024];
	uint8_t urgency;
};

static int receive_notification(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct world *world = data;
	const char *application, *icon, *summary, *body, *hint;
	uint32_t replaces;
	uint8_t urgency;
	int32_t expires;

	(void)error;
	assert_true(
		sd_bus_message_is_method_call(message, "org.freedesktop.Notifications", "Notify"));
	assert_true(sd_bus_message_read(message, "susssasa{sv}i", &application, &replaces, &icon,
					&summary, &body, 0, 1, &hint, "y", &urgency,
					&expires) >= 0);
	assert_string_equal(application, "pmcoord");
	assert_string_equal(hint, "urgency");
	snprintf(world->summary, sizeof(world->summary), "%s", summary);
	snprintf(world->body, sizeof(world->body), "%s", body);
	world->urgency = urgency;
	world->n_shown++;
	return 1;
}

static sd_bus *open_end(int fd, bool is_server, sd_event *event)
{
	sd_id128_t id = SD_ID128_MAKE(1, 2, 3, 4, 5, 6, 7, 8, 9, a, b, c, d, e, f, 0);
	sd_bus *bus = NULL;

	assert_int_equal(sd_bus_new(&bus), 0);
	assert_int_equal(sd_bus_set_fd(bus, fd, fd), 0);
	if (is_server)
		assert_int_equal(sd_bus_set_server(bus, 1, id), 0);
	assert_true(sd_bus_start(bus) >= 0);
	assert_true(sd_bus_attach_event(bus, event, 0) >= 0);
	return bus;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct error error = { 0 };
	char command[160];
	int fds[2];

	host_init_laptop(&world->host, "Behaviour=ignores-requests\n");
	snprintf(command, sizeof(command), "mkdir %s", world->host.roots.reports);
	assert_int_equal(system(command), 0);
	assert_int_equal(sd_event_new(&world->event), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	world->server = open_end(fds[1], true, world->event);
	world->session = open_end(fds[0], false, world->event);
	assert_true(sd_bus_add_filter(world->server, NULL, receive_notification, world) >= 0);
	if (desktop_new(world->host.roots.reports, world->session, world->event, &world->desktop,
			&error) < 0)
		fail_msg("%s", error_text(&error));
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	desktop_free(world->desktop);
	sd_bus_unref(world->session);
	sd_bus_unref(world->server);
	sd_event_unref(world->event);
	host_done(&world->host);
	free(world);
	return 0;
}

/* Both ends are in this process: nothing is in flight when the loop is idle. */
static void run_until_idle(struct world *world)
{
	while (sd_event_run(world->event, 200000) > 0)
		;
}

static void run_cycle(struct world *world)
{
	struct cycle_params params = {
		.trigger = "test",
		.resumes_at_once = true,
	};
	struct report *report = NULL;
	struct error error = { 0 };

	if (coordinator_suspend(&world->host.coordinator, &params, &report, &error) < 0)
		fail_msg("%s", error_text(&error));
	report_free(report);
	run_until_idle(world);
}

static void names_the_paused_guest(void **state)
{
	struct world *world = *state;

	run_cycle(world);
	assert_int_equal(world->n_shown, 1);
	assert_string_equal(world->summary, "Guests were suspended with problems");
	assert_non_null(strstr(world->body, "mail"));
	assert_non_null(strstr(world->body, "pmcoord report"));
	assert_int_equal(world->urgency, 1);
	/* One notification per degraded cycle. */
	run_cycle(world);
	assert_int_equal(world->n_shown, 2);
}

static void a_failed_cycle_is_critical(void **state)
{
	struct world *world = *state;

	world->host.config.on_failure = ON_FAILURE_ABORT;
	run_cycle(world);
	assert_int_equal(world->n_shown, 1);
	assert_string_equal(world->summary, "Suspending the guests failed");
	assert_int_equal(world->urgency, 2);
}

static void write_report(struct world *world, const char *name, const char *text)
{
	char temporary[128], path[128];
	FILE *file;

	snprintf(temporary, sizeof(temporary), "%s/.new", world->host.roots.reports);
	snprintf(path, sizeof(path), "%s/%s", world->host.roots.reports, name);
	file = fopen(temporary, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(temporary, path), 0);
	run_until_idle(world);
}

static void ignores_ok_cycles_and_other_files(void **state)
{
	struct world *world = *state;

	write_report(world, "7.json",
		     "{ \"cycle\": 7, \"result\": \"ok\", "
		     "\"guests\": [] }");
	write_report(world, "8.json", "damaged");
	write_report(world, "notes.json", "{}");
	write_report(world, "README", "");
	assert_int_equal(world->n_shown, 0);
}

static void escapes_markup_from_guests(void **state)
{
	struct world *world = *state;

	write_report(world, "7.json",
		     "{ \"cycle\": 7, \"result\": \"failed\", "
		     "\"detail\": \"<b>a & b</b>\", \"guests\": [] }");
	assert_int_equal(world->n_shown, 1);
	assert_non_null(strstr(world->body, "&lt;b&gt;a &amp; b&lt;/b&gt;"));
	assert_null(strchr(world->body, '<'));
}

static void names_the_missing_directory(void **state)
{
	struct world *world = *state;
	struct desktop *desktop = NULL;
	struct error error = { 0 };

	assert_int_equal(
		desktop_new("/nonexistent", world->session, world->event, &desktop, &error),
		-ENOENT);
	assert_non_null(strstr(error.text, "/nonexistent"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_the_paused_guest),
		TEST(a_failed_cycle_is_critical),
		TEST(ignores_ok_cycles_and_other_files),
		TEST(escapes_markup_from_guests),
		TEST(names_the_missing_directory),
	};

	return cmocka_run_group_tests_name("desktop", tests, NULL, NULL);
}
