/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real daemon, with its real event loop in virtual time, on the double of Xen. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/cycle.h"
#include "model/hypervisor.h"
#include "model/sleeper.h"
#include "host/loop-event.h"
#include "record/report.h"
#include "xen/hypervisor-xen.h"
#include "engine/host-env.h"
#include "engine/job.h"
#include "daemon/daemon.h"
#include "tests/unit/xen/fake_host.h"
#include "tests/fakexen/agents.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/process.h"
#include "tests/fakexen/store-client.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/toolstacks.h"
#include "tests/fakexen/virtual-time.h"

static struct fake_host host;
static struct fake_laptop laptop;

/* A client, whose requests come over a pipe as they do over the bus. */
struct client {
	struct daemon *daemon;
	int fds[2];
	struct job job;
	const char *config_path;
	uint64_t timeout_us;
	int lease_fd; /* the daemon's end; negative: none */
	int submitted; /* result of the last request */
	uint64_t id; /* of the last job that was accepted */
	char refusal[256]; /* of the last request that was refused */
	char message[ERROR_TEXT_MAX]; /* of the last job that ended */
	struct daemon_status status; /* right after the last request */
	char status_verb[32];
	unsigned int n_ended;
	enum job_result result;
	enum cycle_result cycle_result;
};

static struct client client;

static int start(void **state)
{
	(void)state;
	fake_host_start(&host);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_host_stop(&host);
	return 0;
}

/* ---- the daemon's host --------------------------------------------------- */

static int env_new_sleeper(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			   struct sleeper **ret_sleeper)
{
	(void)env;
	(void)kind;
	(void)socket_fd;
	*ret_sleeper = &host.sleeper;
	return 0;
}

static const struct host_env_ops env_ops = { .new_sleeper = env_new_sleeper };

static struct host_env make_env(void)
{
	return (struct host_env){
		.ops = &env_ops,
		.roots = host.roots,
		.hypervisor = host.hypervisor,
		.loop = host.loop,
		.kept_fd = -1,
		.channels_fd = -1,
	};
}

/* ---- the client ---------------------------------------------------------- */

static int on_request(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct daemon_request request = {
		.job = client.job,
		.client = "the test",
		.config_path = client.config_path,
		.timeout_us = client.timeout_us,
		.lease_fd = client.lease_fd,
	};
	struct error error = { 0 };
	char byte;

	(void)source;
	(void)events;
	(void)data;
	assert_int_equal(read(fd, &byte, 1), 1);
	client.submitted = daemon_submit(client.daemon, &request, &client.id, &error);
	client.lease_fd = -1;
	snprintf(client.refusal, sizeof(client.refusal), "%s",
		 client.submitted < 0 ? error_text(&error) : "");
	daemon_get_status(client.daemon, &client.status);
	snprintf(client.status_verb, sizeof(client.status_verb), "%s", client.status.verb);
	return 0;
}

static void on_job_removed(void *data, uint64_t id, const struct job_outcome *outcome)
{
	(void)data;
	(void)id;
	client.n_ended++;
	client.result = outcome->result;
	snprintf(client.message, sizeof(client.message), "%s", outcome->message);
	if (outcome->report)
		client.cycle_result = outcome->report->result;
}

static void submit(void *data)
{
	client.job = (struct job){ .verb = *(const enum job_verb *)data };
	assert_int_equal(write(client.fds[1], "x", 1), 1);
}

static void submit_guests_only(void *data)
{
	(void)data;
	client.job = (struct job){ .verb = JOB_SUSPEND_ALL, .guests_only = true };
	assert_int_equal(write(client.fds[1], "x", 1), 1);
}

static void terminate(void *data)
{
	(void)data;
	kill(getpid(), SIGTERM);
}

/*
 * Runs the daemon until SIGTERM, which arrives after `us`. Handlers of virtual time that were
 * added before run meanwhile.
 */
static void run_daemon_for(uint64_t us)
{
	const struct daemon_observer observer = { .job_removed = on_job_removed };
	struct host_env env = make_env();
	sd_event_source *source;
	struct error error = { 0 };

	client = (struct client){ .lease_fd = -1 };
	assert_int_equal(daemon_new(&env, host.loop, &client.daemon), 0);
	assert_int_equal(host.hypervisor->ops->watch_domains(host.hypervisor), 0);
	daemon_set_observer(client.daemon, &observer);
	assert_int_equal(pipe2(client.fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(sd_event_add_io(loop_event(host.loop), &source, client.fds[0], 1, on_request,
				    NULL) >= 0);
	virtual_time_after(us, terminate, NULL);
	if (daemon_run(client.daemon, &error) < 0)
		fail_msg("%s", error_text(&error));
	sd_event_source_disable_unref(source);
	close(client.fds[0]);
	close(client.fds[1]);
	daemon_free(client.daemon);
}

/* ---- tests --------------------------------------------------------------- */

static void prepares_all_guests_while_idle(void **state)
{
	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	run_daemon_for(5000000);
	assert_string_equal(store_text(fake_guest_path(laptop.netvm, "pmcoord/request")),
			    "suspend 1");
	assert_string_equal(store_text(fake_guest_path(laptop.netvm, "data/pmcoord/state")),
			    "ready 1");
	/* One port each, beside those of xenstored and the console; the agent's is its own. */
	assert_int_equal(event_channels_count_ports(fake_guest_domid(laptop.web)), 3);
	assert_int_equal(event_channels_count_ports(fake_guest_domid(laptop.netvm)), 3);
	assert_int_equal(fake_agent_count(laptop.agent), 0);
}

static void is_quiet_while_idle(void **state)
{
	uint64_t waits, requests;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	waits = virtual_time_count_waits();
	requests = store_client_count();
	run_daemon_for(24 * 3600 * 1000000ull);
	assert_true(virtual_time_count_waits() - waits < 20);
	assert_true(store_client_count() - requests < 200);
}

static void add_guest(void *data)
{
	*(struct fake_guest **)data = fake_host_add("new");
}

static void prepares_a_guest_that_appears(void **state)
{
	struct fake_guest *guest = NULL;

	(void)state;
	fake_host_open(&host);
	virtual_time_after(10000000, add_guest, &guest);
	run_daemon_for(20000000);
	assert_non_null(guest);
	assert_int_equal(event_channels_count_ports(fake_guest_domid(guest)), 3);
}

static void runs_cycles_one_after_another(void **state)
{
	static const enum job_verb verb = JOB_SUSPEND_ALL;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	for (uint64_t i = 1; i <= 5; i++)
		virtual_time_after(i * 10000000, submit, (void *)(uintptr_t)&verb);
	run_daemon_for(120000000);
	/* The daemon itself has begun the first, a recovery. */
	assert_int_equal(client.n_ended, 6);
	assert_int_equal(client.result, JOB_RESULT_DONE);
	assert_int_equal(client.cycle_result, RESULT_OK);
	assert_int_equal(host.n_slept, 5);
	assert_int_equal(host.n_ran_through, 0);
	assert_int_equal(fake_agent_count(laptop.agent), 5);
	assert_ordered(laptop.web, laptop.fw);
	assert_ordered(laptop.fw, laptop.netvm);
	assert_untouched(laptop.netvm);
	assert_untouched(laptop.mail);
}

static void undoes_the_cycle_when_it_is_stopped(void **state)
{
	static const enum job_verb verb = JOB_SUSPEND_ALL;
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	virtual_time_after(2000000, submit, (void *)(uintptr_t)&verb);
	run_daemon_for(5000000);
	assert_int_equal(client.result, JOB_RESULT_ROLLED_BACK);
	assert_int_equal(host.n_slept, 0);
	assert_untouched(laptop.web);
	assert_untouched(laptop.mail);
	assert_untouched(laptop.netvm);
}

/* ---- one job at a time ------------------------------------------------------ */

static void cancel_current(void *data)
{
	assert_int_equal(daemon_cancel(client.daemon, client.id + 1), -ENOENT);
	assert_int_equal(daemon_cancel(client.daemon, client.id), 0);
	(void)data;
}

static void refuses_a_job_while_another_one_runs(void **state)
{
	static const enum job_verb suspend = JOB_SUSPEND_ALL, resume = JOB_RESUME_ALL;
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	virtual_time_after(2000000, submit, (void *)(uintptr_t)&suspend);
	virtual_time_after(4000000, submit, (void *)(uintptr_t)&resume);
	run_daemon_for(60000000);
	assert_int_equal(client.submitted, -EBUSY);
	assert_string_equal(
		client.refusal,
		"another pmcoord is running (suspend-all, the test): wait until it has finished; see 'pmcoord status'");
	assert_string_equal(client.status_verb, "suspend-all");
	/* The recovery of the daemon's start, and the first job. */
	assert_int_equal(client.n_ended, 2);
	assert_int_equal(client.result, JOB_RESULT_DEGRADED);
}

static void a_job_that_is_cancelled_is_undone(void **state)
{
	static const enum job_verb verb = JOB_SUSPEND_ALL;
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	virtual_time_after(2000000, submit, (void *)(uintptr_t)&verb);
	virtual_time_after(4000000, cancel_current, NULL);
	run_daemon_for(60000000);
	assert_int_equal(client.n_ended, 2);
	assert_int_equal(client.result, JOB_RESULT_ROLLED_BACK);
	assert_int_equal(host.n_slept, 0);
	assert_untouched(laptop.web);
	assert_untouched(laptop.mail);
}

/* ---- the lease -------------------------------------------------------------- */

static int lease[2]; /* of the sleep unit, of the daemon */

static void submit_sleep(void *data)
{
	(void)data;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, lease), 0);
	client.lease_fd = lease[1];
	client.job = (struct job){ .verb = JOB_SLEEP };
	assert_int_equal(write(client.fds[1], "x", 1), 1);
}

static void end_lease(void *data)
{
	(void)data;
	shutdown(lease[0], SHUT_WR);
}

/* The last message that the daemon has sent to the sleep unit. */
static const char *last_words(void)
{
	static char text[512];
	ssize_t n;

	while ((n = recv(lease[0], text, sizeof(text) - 1, 0)) > 0)
		text[n] = '\0';
	close(lease[0]);
	return text;
}

static void the_sleep_unit_learns_how_its_sleep_went(void **state)
{
	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	virtual_time_after(2000000, submit_sleep, NULL);
	run_daemon_for(60000000);
	assert_int_equal(client.submitted, 0);
	assert_int_equal(client.result, JOB_RESULT_DONE);
	assert_int_equal(host.n_slept, 1);
	assert_string_equal(last_words(), "EXIT=0\nMESSAGE=");
}

static void the_end_of_a_lease_resumes_the_guests(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	virtual_time_after(2000000, submit_sleep, NULL);
	virtual_time_after(4000000, end_lease, NULL);
	run_daemon_for(60000000);
	assert_int_equal(client.result, JOB_RESULT_ROLLED_BACK);
	assert_int_equal(host.n_slept, 0);
	assert_untouched(laptop.web);
	assert_untouched(laptop.mail);
	assert_int_equal(strncmp(last_words(), "EXIT=1\nMESSAGE=cycle 1 failed: ", 31), 0);
}

/* One sleep waits for the job that runs; the next is refused. */
static void a_sleep_waits_for_the_job_that_runs(void **state)
{
	static const enum job_verb suspend = JOB_SUSPEND_ALL, sleep = JOB_SLEEP;
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	virtual_time_after(2000000, submit, (void *)(uintptr_t)&suspend);
	virtual_time_after(3000000, submit_sleep, NULL);
	virtual_time_after(4000000, submit, (void *)(uintptr_t)&sleep);
	run_daemon_for(120000000);
	assert_int_equal(client.submitted, -EBUSY);
	assert_int_equal(client.n_ended, 3);
	assert_int_equal(host.n_slept, 2);
	assert_string_equal(last_words(), "EXIT=3\nMESSAGE=cycle 2 degraded: mail was paused: "
					  "did not suspend within 10 s");
}

/* Its sleep unit was stopped before the sleep began. */
static void a_lease_that_has_ended_begins_no_sleep(void **state)
{
	static const enum job_verb suspend = JOB_SUSPEND_ALL;
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	virtual_time_after(2000000, submit, (void *)(uintptr_t)&suspend);
	virtual_time_after(3000000, submit_sleep, NULL);
	virtual_time_after(4000000, end_lease, NULL);
	run_daemon_for(120000000);
	assert_int_equal(client.n_ended, 3);
	assert_int_equal(client.result, JOB_RESULT_ROLLED_BACK);
	assert_int_equal(host.n_slept, 1);
	assert_untouched(laptop.mail);
	assert_int_equal(strncmp(last_words(), "EXIT=1\n", 7), 0);
}

/* ---- the configuration of a job --------------------------------------------- */

static void submit_with_config(void *data)
{
	client.config_path = data;
	submit_guests_only(NULL);
}

static void submit_with_timeout(void *data)
{
	client.timeout_us = *(const uint64_t *)data;
	submit_guests_only(NULL);
}

static void a_job_needs_the_configuration_that_it_names(void **state)
{
	static char path[] = "/nonexistent/pmcoord.conf";

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	virtual_time_after(2000000, submit_with_config, path);
	run_daemon_for(10000000);
	assert_int_equal(client.n_ended, 2);
	assert_int_equal(client.result, JOB_RESULT_INVALID);
	assert_string_equal(client.message,
			    "cannot read /nonexistent/pmcoord.conf: No such file or directory");
	assert_untouched(laptop.web);
}

static void the_timeout_of_a_job_is_its_deadline(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	uint64_t timeout_us = 3000000;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	virtual_time_after(2000000, submit_with_timeout, &timeout_us);
	run_daemon_for(60000000);
	assert_int_equal(client.result, JOB_RESULT_DEGRADED);
	assert_string_equal(
		client.message,
		"cycle 1 degraded: mail was paused: did not suspend by the deadline of 3 s; "
		"also fw, netvm");
}

static void keeps_guests_suspended_across_a_restart(void **state)
{
	static const enum job_verb verb = JOB_RESUME_ALL;
	unsigned int ports;
	int kept_fd;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	virtual_time_after(2000000, submit_guests_only, NULL);
	run_daemon_for(10000000);
	assert_int_equal(client.result, JOB_RESULT_DONE);
	assert_true(fake_guest_domain(laptop.web)->is_shut_down);
	ports = event_channels_count_ports(0);
	/* The service manager has a copy of the descriptor. */
	kept_fd = fcntl(hypervisor_xen_channels_fd(host.hypervisor), F_DUPFD_CLOEXEC, 600);
	fake_host_kill(&host);
	assert_int_equal(event_channels_count_ports(0), ports);
	fake_host_open_with(&host, kept_fd);
	assert_int_equal(event_channels_count_ports(0), ports);
	assert_true(fake_guest_domain(laptop.web)->is_shut_down);
	virtual_time_after(2000000, submit, (void *)(uintptr_t)&verb);
	run_daemon_for(10000000);
	assert_int_equal(client.result, JOB_RESULT_DONE);
	assert_untouched(laptop.web);
	assert_untouched(laptop.netvm);
}

static void closes_its_ports_when_nobody_keeps_the_descriptor(void **state)
{
	unsigned int before = event_channels_count_ports(0);

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	before = event_channels_count_ports(0);
	run_daemon_for(5000000);
	assert_int_equal(event_channels_count_ports(0), before + 5);
	fake_host_kill(&host);
	assert_int_equal(event_channels_count_ports(0), before);
	/* The guests' ports are not freed; the next process binds them again. */
	fake_host_open(&host);
	run_daemon_for(5000000);
	assert_int_equal(event_channels_count_ports(0), before + 5);
	assert_int_equal(event_channels_count_ports(fake_guest_domid(laptop.web)), 3);
}

static void kill_process(void *data)
{
	(void)data;
	process_kill();
}

static void run_program(void *data)
{
	fake_host_open(&host);
	run_daemon_for(*(const uint64_t *)data);
	fake_host_close(&host);
}

/* It is killed while it waits for mail, which cannot suspend; the others are suspended. */
static void resumes_the_guests_of_a_daemon_that_was_killed(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	uint64_t duration_us = 60000000;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	virtual_time_after(2000000, submit_guests_only, NULL);
	virtual_time_after(4000000, kill_process, NULL);
	assert_false(process_run(run_program, &duration_us));
	host.hypervisor = NULL;
	host.loop = NULL;
	assert_true(fake_guest_domain(laptop.web)->is_shut_down);
	assert_true(process_run(run_program, &duration_us));
	assert_untouched(laptop.web);
	assert_untouched(laptop.vault);
	assert_untouched(laptop.mail);
	assert_untouched(laptop.netvm);
}

static void survives_kills_at_any_moment(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_ONLY_CLEARS };
	uint64_t duration_us = 60000000;

	(void)state;
	/* Later, all are suspended, and stay so until somebody resumes them. */
	for (uint64_t at_us = 2000000; at_us < 11900000; at_us += 517000) {
		fake_laptop_build(&laptop, &mail);
		virtual_time_after(2000000, submit_guests_only, NULL);
		virtual_time_after(at_us, kill_process, NULL);
		assert_false(process_run(run_program, &duration_us));
		host.hypervisor = NULL;
		host.loop = NULL;
		assert_true(process_run(run_program, &duration_us));
		assert_untouched(laptop.web);
		assert_untouched(laptop.mail);
		assert_untouched(laptop.netvm);
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

/* ---- late guests: the host's sleep does not count in these times ----------- */

#define MINUTE_US 60000000ull
/* How long after its suspension a guest may be found by a daemon that waits for it. */
#define AT_ONCE_US 200000

/* They acknowledge, and suspend when all is long over: the kernel has 20 s, and again 20 s. */
static void resumes_a_guest_however_late_it_suspends(void **state)
{
	static const enum job_verb verb = JOB_SUSPEND_ALL;
	static const unsigned int late_s[] = { 12, 27, 45, 120, 840 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(late_s); i++) {
		struct fake_guest_params mail = { .name = "mail",
						  .suspend_us = late_s[i] * 1000000ull };
		const struct fake_domain *domain;

		fake_laptop_build(&laptop, &mail);
		fake_host_open(&host);
		virtual_time_after(2000000, submit, (void *)(uintptr_t)&verb);
		run_daemon_for(20 * MINUTE_US);
		domain = fake_guest_domain(laptop.mail);
		assert_int_equal(domain->n_suspended, 1);
		assert_true(domain->resumed_us - domain->suspended_us < AT_ONCE_US);
		assert_untouched(laptop.mail);
		assert_int_equal(client.cycle_result, RESULT_DEGRADED);
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

/* It suspends while no process waits for it. */
static void resumes_a_late_guest_when_it_starts(void **state)
{
	static const enum job_verb verb = JOB_SUSPEND_ALL;
	struct fake_guest_params mail = { .name = "mail", .suspend_us = 120000000 };
	uint64_t started_us;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	virtual_time_after(2000000, submit, (void *)(uintptr_t)&verb);
	run_daemon_for(MINUTE_US);
	fake_host_kill(&host);
	virtual_time_pass(3 * MINUTE_US);
	assert_true(fake_guest_domain(laptop.mail)->is_shut_down);
	started_us = virtual_time_now();
	fake_host_open(&host);
	run_daemon_for(MINUTE_US);
	assert_untouched(laptop.mail);
	assert_true(fake_guest_domain(laptop.mail)->resumed_us - started_us < AT_ONCE_US);
}

static struct fake_save *begun_save;

static void save_mail(void *data)
{
	(void)data;
	fake_guest_set_answer(laptop.mail, ANSWER_CLEARS);
	begun_save = toolstack_save(fake_guest_domid(laptop.mail), 20000000, true);
}

enum restart { NO_RESTART, PROPER_RESTART, KILLED };

/* Runs the daemon for the time, in the middle of which it is started again. */
static void run_with_restart(uint64_t us, enum restart restart)
{
	if (restart != NO_RESTART) {
		run_daemon_for(us / 2);
		assert_null(begun_save);
		if (restart == KILLED)
			fake_host_kill(&host);
		else
			fake_host_close(&host);
		fake_host_open(&host);
		us -= us / 2;
	}
	run_daemon_for(us);
}

/* It has acknowledged, and could not freeze. Minutes or an hour later, its owner saves it. */
static void leaves_a_save_alone_that_follows_a_failed_suspension(void **state)
{
	static const enum job_verb verb = JOB_SUSPEND_ALL;
	static const unsigned int after_min[] = { 2, 10, 60 };

	(void)state;
	for (size_t i = 0; i < 3 * ELEMENTSOF(after_min); i++) {
		struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_ONLY_CLEARS };
		enum restart restart = (enum restart)(i / ELEMENTSOF(after_min));
		uint64_t after_us = after_min[i % ELEMENTSOF(after_min)] * MINUTE_US;

		fake_laptop_build(&laptop, &mail);
		fake_host_open(&host);
		begun_save = NULL;
		virtual_time_after(2000000, submit, (void *)(uintptr_t)&verb);
		virtual_time_after(after_us, save_mail, NULL);
		run_with_restart(after_us + MINUTE_US, restart);
		assert_non_null(begun_save);
		if (!begun_save->is_finished || begun_save->is_broken || begun_save->has_failed)
			fail_msg("after %u min, restart %d: finished %d, broken %d, failed %d",
				 after_min[i % ELEMENTSOF(after_min)], restart,
				 begun_save->is_finished, begun_save->is_broken,
				 begun_save->has_failed);
		assert_int_equal(fake_guest_domain(laptop.mail)->n_suspended, 1);
		assert_untouched(laptop.mail);
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
		T(prepares_all_guests_while_idle),
		T(is_quiet_while_idle),
		T(prepares_a_guest_that_appears),
		T(runs_cycles_one_after_another),
		T(undoes_the_cycle_when_it_is_stopped),
		T(refuses_a_job_while_another_one_runs),
		T(a_job_that_is_cancelled_is_undone),
		T(the_sleep_unit_learns_how_its_sleep_went),
		T(the_end_of_a_lease_resumes_the_guests),
		T(a_sleep_waits_for_the_job_that_runs),
		T(a_lease_that_has_ended_begins_no_sleep),
		T(a_job_needs_the_configuration_that_it_names),
		T(the_timeout_of_a_job_is_its_deadline),
		T(keeps_guests_suspended_across_a_restart),
		T(closes_its_ports_when_nobody_keeps_the_descriptor),
		T(resumes_the_guests_of_a_daemon_that_was_killed),
		T(survives_kills_at_any_moment),
		T(resumes_a_guest_however_late_it_suspends),
		T(resumes_a_late_guest_when_it_starts),
		T(leaves_a_save_alone_that_follows_a_failed_suspension),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
