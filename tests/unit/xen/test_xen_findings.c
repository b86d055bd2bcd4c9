/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Laws that pmcoord breaks on the double of Xen today. Each is run, and must still break its law:
 * one that holds is fixed, and its test moves to where it belongs, as an ordinary one.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "record/report.h"
#include "tests/unit/xen/fake_host.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/virtual-time.h"

/* Exit statuses of the process that runs a finding. */
#define STATUS_FIXED 0
#define STATUS_BROKEN 77

static struct fake_host host;
static struct fake_laptop laptop;

/* Ends the process if the law is broken, which is what is expected. */
static void require_law(bool holds, const char *law)
{
	if (holds)
		return;
	printf("known: not so: %s\n", law);
	fflush(stdout);
	tree_remove_all(host.directory);
	_exit(STATUS_BROKEN);
}

/* ---- the request node ---------------------------------------------------- */

/* ---- late guests --------------------------------------------------------- */

static void require_resumed_after(uint64_t suspend_us)
{
	struct fake_guest_params mail = { .name = "mail", .suspend_us = suspend_us };

	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	report_free(fake_host_cycle(&host));
	virtual_time_pass(300000000);
	require_law(domains_is_running(fake_guest_domain(laptop.mail)),
		    "a guest that suspends late is resumed");
}

static void guest_that_suspends_after_45_s_is_stranded(void)
{
	require_resumed_after(45000000);
}

static void guest_that_suspends_after_120_s_is_stranded(void)
{
	require_resumed_after(120000000);
}

/* ---- what others do ------------------------------------------------------ */

/* ---- running them -------------------------------------------------------- */

struct finding {
	const char *name;
	void (*run)(void);
};

static void run_finding(const struct finding *finding)
{
	fake_host_start(&host);
	finding->run();
	fake_host_stop(&host);
	_exit(STATUS_FIXED);
}

/* In a process of its own, which may end in the middle. */
static void is_still_broken(void **state)
{
	const struct finding *finding = *state;
	int status = 0;
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_finding(finding);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_FIXED)
		fail_msg("fixed: remove it from the list, and keep its test as an ordinary one");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != STATUS_BROKEN)
		fail_msg("ended for another reason than a broken law (status 0x%x)", status);
}

static const struct finding findings[] = {
#define FINDING(name)                                                                              \
	{                                                                                          \
#name, name                                                                        \
	}
	FINDING(guest_that_suspends_after_45_s_is_stranded),
	FINDING(guest_that_suspends_after_120_s_is_stranded),
#undef FINDING
};

/* Without arguments, runs all. With the name of one, runs it in this process, for a debugger. */
int main(int argc, char **argv)
{
	struct CMUnitTest tests[ELEMENTSOF(findings)];

	for (size_t i = 0; argc == 2 && i < ELEMENTSOF(findings); i++)
		if (strcmp(argv[1], findings[i].name) == 0)
			run_finding(&findings[i]);

	for (size_t i = 0; i < ELEMENTSOF(findings); i++)
		tests[i] = (struct CMUnitTest){
			.name = findings[i].name,
			.test_func = is_still_broken,
			.initial_state = (void *)(uintptr_t)&findings[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
