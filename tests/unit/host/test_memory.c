/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What of the process is locked into memory, with system calls that are only recorded. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "host/memory.h"

#define RANGES_MAX 64

static struct {
	int flags; /* of the last mlockall */
	int lock_error, unlock_error; /* positive errno; 0: none */
	struct range {
		uintptr_t begin, end;
	} unlocked[RANGES_MAX], released[RANGES_MAX];
	size_t n_unlocked, n_released;
} calls;

/* These replace the C library's functions. */
int mlockall(int flags)
{
	calls.flags = flags;
	errno = calls.lock_error;
	return calls.lock_error ? -1 : 0;
}

int munlock(const void *begin, size_t length)
{
	assert_true(calls.n_unlocked < RANGES_MAX);
	calls.unlocked[calls.n_unlocked++] =
		(struct range){ (uintptr_t)begin, (uintptr_t)begin + length };
	errno = calls.unlock_error;
	return calls.unlock_error ? -1 : 0;
}

int madvise(void *begin, size_t length, int advice)
{
	assert_int_equal(advice, MADV_DONTNEED);
	assert_true(calls.n_released < RANGES_MAX);
	calls.released[calls.n_released++] =
		(struct range){ (uintptr_t)begin, (uintptr_t)begin + length };
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&calls, 0, sizeof(calls));
	return 0;
}

/* The names of the libraries that are not used while guests are suspended. */
static bool is_unused(const char *path)
{
	static const char *const names[] = {
		"/libgcrypt.so", "/libgpg-error.so", "/liblz4.so",
		"/liblzma.so",	 "/libzstd.so",	     "/libsmartcols.so"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strstr(path, names[i]))
			return true;
	return false;
}

/* Whether the page was unlocked. */
static bool is_unlocked(uintptr_t page)
{
	for (size_t i = 0; i < calls.n_unlocked; i++)
		if (page >= calls.unlocked[i].begin && page < calls.unlocked[i].end)
			return true;
	return false;
}

/* Looks at each mapping of a file: unlocked is what is read-only and unused, and nothing else. */
static void assert_unlocked_is_unused(void)
{
	uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	size_t n_unused = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long begin, end;
		char permissions[8], *path = strchr(line, '/');

		if (!path || sscanf(line, "%lx-%lx %7s", &begin, &end, permissions) != 3)
			continue;
		for (uintptr_t page = begin; page < end; page += page_size) {
			if (!is_unused(path))
				assert_false(is_unlocked(page));
			else if (strchr(permissions, 'x'))
				assert_true(is_unlocked(page));
			else if (strchr(permissions, 'w'))
				assert_false(is_unlocked(page));
		}
		n_unused += is_unused(path) && strchr(permissions, 'x');
	}
	fclose(maps);
	/* At least libsmartcols. */
	assert_true(n_unused > 0);
}

static void locks_all_but_unused_libraries(void **state)
{
	struct error error = { 0 };

	(void)state;
	assert_int_equal(memory_lock(&error), 0);
	assert_int_equal(calls.flags, MCL_CURRENT | MCL_FUTURE);
	assert_true(calls.n_unlocked > 0);
	for (size_t i = 0; i < calls.n_unlocked; i++) {
		assert_int_equal(calls.unlocked[i].begin % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
		assert_int_equal(calls.unlocked[i].end % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
	}
	/* What is unlocked is also released. */
	assert_int_equal(calls.n_released, calls.n_unlocked);
	assert_memory_equal(calls.released, calls.unlocked, sizeof(calls.unlocked));
	assert_unlocked_is_unused();
}

/* What stays locked is not released: it would be read from a disk again. */
static void releases_nothing_that_stays_locked(void **state)
{
	struct error error = { 0 };

	(void)state;
	calls.unlock_error = ENOMEM;
	assert_int_equal(memory_lock(&error), 0);
	assert_true(calls.n_unlocked > 0);
	assert_int_equal(calls.n_released, 0);
}

static void says_why_nothing_can_be_locked(void **state)
{
	static const struct {
		int error;
		enum error_outcome outcome;
		const char *text;
	} cases[] = {
		{ EPERM, OUTCOME_NOT_PERMITTED,
		  "cannot lock pmcoord's memory: Operation not permitted" },
		{ ENOMEM, OUTCOME_UNEXPECTED,
		  "cannot lock pmcoord's memory: Cannot allocate memory" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = { 0 };

		calls.lock_error = cases[i].error;
		assert_int_equal(memory_lock(&error), -cases[i].error);
		assert_int_equal(error.outcome, cases[i].outcome);
		assert_string_equal(error_text(&error), cases[i].text);
		assert_int_equal(calls.n_unlocked, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(locks_all_but_unused_libraries, set_up),
		cmocka_unit_test_setup(releases_nothing_that_stays_locked, set_up),
		cmocka_unit_test_setup(says_why_nothing_can_be_locked, set_up),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
