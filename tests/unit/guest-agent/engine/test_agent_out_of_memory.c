/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fails the n-th allocation of the agent, for every n, while it quiesces and while it restores.
 * A disk in use is never taken away, an error has a text, and what was changed is undone.
 *
 * The C library's allocator is replaced by one that counts and then calls AddressSanitizer's, or
 * glibc's own. Allocations of libraries are not counted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "tests/unit/guest-agent/engine/engine_run.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

#ifdef __SANITIZE_ADDRESS__
#define real_malloc __interceptor_malloc
#define real_calloc __interceptor_calloc
#define real_realloc __interceptor_realloc
#else
#define real_malloc __libc_malloc
#define real_calloc __libc_calloc
#define real_realloc __libc_realloc
#endif

void *real_malloc(size_t size);
void *real_calloc(size_t n, size_t size);
void *real_realloc(void *old, size_t size);

/* The begin and the end of this program's code, from the linker. */
extern const char __executable_start, etext;

/* The allocation that fails, counted from now on (0: none); whether it has failed. */
static unsigned long fails_in;
static bool has_failed;

static bool fails_now(const char *caller)
{
	if (fails_in == 0 || caller < &__executable_start || caller >= &etext || --fails_in > 0)
		return false;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails_now(__builtin_return_address(0)) ? NULL : real_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails_now(__builtin_return_address(0)) ? NULL : real_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails_now(__builtin_return_address(0)) ? NULL : real_realloc(old, size);
}

/* A network card, and a USB controller with a mounted disk. */
static void add_devices(struct run *run)
{
	add_nic(run);
	tree_add_function(&run->tree, USB, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	tree_add_node(&run->tree, "block", "sda", TREE_DEVICES USB "/usb1/1-1/host2/block/sda",
		      "8:0");
	tree_write(&run->tree, "proc/self/mountinfo", "25 1 8:0 / /mnt rw - ext4 /dev/sda rw\n");
}

static void renew_engine(struct run *run)
{
	struct error error = { 0 };

	engine_free(run->engine);
	run->engine = NULL;
	journal_done(&run->journal);
	assert_int_equal(journal_load(&run->journal, &run->tree.roots, &error), 0);
	make_engine(run);
}

static void assert_undone(struct run *run)
{
	assert_true(tree_is_bound(&run->tree, NIC));
	assert_true(tree_is_bound(&run->tree, USB));
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "0");
	assert_string_equal(tree_read(&run->tree, "sys/power/pm_freeze_timeout"), "20000");
	assert_string_equal(tree_read(&run->tree, "run/journal"), "(none)");
}

static void quiescing_without_memory_fails_or_succeeds_as_a_whole(void **state)
{
	struct run *run = *state;
	unsigned long n = 1;

	add_devices(run);
	for (; n == 1 || has_failed; n++) {
		renew_engine(run);
		has_failed = false;
		fails_in = n;
		go_down(run);
		fails_in = 0;
		assert_true(tree_is_bound(&run->tree, USB));
		if (run->r == 0)
			assert_string_equal(effects(run), "fdt");
		else
			assert_true(run->text[0] != '\0');
		go_up(run);
		assert_undone(run);
	}
	assert_true(n > 10);
}

static void restoring_without_memory_reports_what_is_lost(void **state)
{
	struct run *run = *state;
	unsigned long n = 1;

	add_devices(run);
	for (; n == 1 || has_failed; n++) {
		renew_engine(run);
		go_down(run);
		assert_int_equal(run->r, 0);
		has_failed = false;
		fails_in = n;
		go_up(run);
		fails_in = 0;
		if (!tree_is_bound(&run->tree, NIC)) {
			assert_true(run->degraded);
			assert_non_null(strstr(run->text, NIC));
			tree_link(&run->tree, TREE_DEVICES NIC "/driver",
				  "sys/bus/pci/drivers/e1000e");
		}
		assert_undone(run);
	}
	assert_true(n > 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_run, teardown_run)
	const struct CMUnitTest tests[] = {
		TEST(quiescing_without_memory_fails_or_succeeds_as_a_whole),
		TEST(restoring_without_memory_reports_what_is_lost),
	};

	return cmocka_run_group_tests_name("agent-memory", tests, NULL, NULL);
}
