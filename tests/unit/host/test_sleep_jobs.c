/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cancelling a sleep, with a service manager that only records the calls. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "host/sleep-jobs.h"

struct job {
	uint32_t id;
	const char *unit;
};

struct world {
	sd_event *event;
	sd_bus *manager, *client;
	const struct job *jobs;
	size_t n_jobs;
	bool refuses;
	char told[256];
};

static int list_jobs(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct world *world = data;
	sd_bus_message *reply = NULL;
	int r;

	if (world->refuses)
		return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "no");
	r = sd_bus_message_new_method_return(call, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(usssoo)");
	for (size_t i = 0; i < world->n_jobs && r >= 0; i++)
		r = sd_bus_message_append(reply, "(usssoo)", world->jobs[i].id, world->jobs[i].unit,
					  "start", "waiting", "/job", "/unit");
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static void note(struct world *world, const char *format, ...)
	__attribute__((__format__(printf, 2, 3)));

static void note(struct world *world, const char *format, ...)
{
	size_t used = strlen(world->told);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(world->told + used, sizeof(world->told) - used, format, arguments);
	va_end(arguments);
}

static int cancel_job(sd_bus_message *call, void *data, sd_bus_error *error)
{
	uint32_t id = 0;

	(void)error;
	assert_true(sd_bus_message_read(call, "u", &id) >= 0);
	note(data, "cancel %u\n", id);
	return sd_bus_reply_method_return(call, "");
}

static int stop_unit(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const char *unit = NULL, *mode = NULL;

	(void)error;
	assert_true(sd_bus_message_read(call, "ss", &unit, &mode) >= 0);
	note(data, "stop %s %s\n", unit, mode);
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

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	sd_id128_t id;
	int fds[2];

	assert_int_equal(sd_event_new(&world->event), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(sd_id128_randomize(&id), 0);
	world->manager = make_end(fds[0]);
	assert_true(sd_bus_set_server(world->manager, 1, id) >= 0);
	assert_true(sd_bus_start(world->manager) >= 0);
	assert_true(sd_bus_add_object_vtable(world->manager, NULL, "/org/freedesktop/systemd1",
					     "org.freedesktop.systemd1.Manager", vtable,
					     world) >= 0);
	assert_true(sd_bus_attach_event(world->manager, world->event, 0) >= 0);
	world->client = make_end(fds[1]);
	assert_true(sd_bus_start(world->client) >= 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	sd_bus_flush_close_unref(world->client);
	sd_bus_flush_close_unref(world->manager);
	sd_event_unref(world->event);
	free(world);
	return 0;
}

static void cancel(struct world *world)
{
	assert_int_equal(sleep_jobs_cancel(world->client, world->event), 0);
	/* Until no event has arrived for some time. */
	while (sd_event_run(world->event, 200000) > 0)
		;
}

static void cancels_jobs_and_stops_units_that_lead_to_sleep(void **state)
{
	static const struct job jobs[] = {
		{ 7, "suspend.target" },
		{ 8, "systemd-suspend.service" },
		{ 9, "sleep.target" },
		{ 11, "systemd-hibernate.service" },
		{ 12, "systemd-suspend.service.wants" },
	};
	struct world *world = *state;

	world->jobs = jobs;
	world->n_jobs = ELEMENTSOF(jobs);
	cancel(world);
	assert_string_equal(world->told, "cancel 8\nstop systemd-suspend.service replace\n"
					 "cancel 11\nstop systemd-hibernate.service "
					 "replace\n");
}

static void does_nothing_without_a_sleep_job(void **state)
{
	static const struct job jobs[] = { { 3, "pmcoord.service" } };
	struct world *world = *state;

	world->jobs = jobs;
	world->n_jobs = ELEMENTSOF(jobs);
	cancel(world);
	assert_string_equal(world->told, "");
	/* A second time on the same bus. */
	cancel(world);
	assert_string_equal(world->told, "");
}

static void ignores_refusals_of_the_manager(void **state)
{
	struct world *world = *state;

	world->refuses = true;
	cancel(world);
	assert_string_equal(world->told, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cancels_jobs_and_stops_units_that_lead_to_sleep),
		TEST(does_nothing_without_a_sleep_job),
		TEST(ignores_refusals_of_the_manager),
	};

	return cmocka_run_group_tests_name("sleep-jobs", tests, NULL, NULL);
}
