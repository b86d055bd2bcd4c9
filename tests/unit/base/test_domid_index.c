/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "base/domid-index.h"

static uint32_t at(const void *domids, size_t i)
{
	return ((const uint32_t *)domids)[i];
}

static void finds_all_elements_of_a_domid_in_order(void **state)
{
	static const uint32_t domids[] = { 7, 3, 9, 3, 1, 9, 9, 0, UINT32_MAX };
	struct domid_index index = { 0 };

	(void)state;
	assert_int_equal(domid_index_make(&index, domids, ELEMENTSOF(domids), at), 0);
	for (uint32_t domid = 0; domid < 12; domid++) {
		size_t n, found = 0;
		const struct domid_entry *entries = domid_index_find(&index, domid, &n);

		for (size_t i = 0; i < ELEMENTSOF(domids); i++) {
			if (domids[i] != domid)
				continue;
			assert_true(found < n);
			assert_int_equal(entries[found].domid, domid);
			assert_int_equal(entries[found].element, i);
			found++;
		}
		assert_int_equal(n, found);
		assert_int_equal(entries == NULL, found == 0);
	}
	for (size_t i = 1; i < index.n; i++)
		assert_true(index.entries[i - 1].domid <= index.entries[i].domid);
	domid_index_done(&index);
	assert_null(index.entries);
}

static void finds_nothing_in_an_empty_index(void **state)
{
	struct domid_index index = { 0 };
	size_t n;

	(void)state;
	assert_null(domid_index_find(&index, 1, &n));
	assert_int_equal(n, 0);
	assert_int_equal(domid_index_make(&index, NULL, 0, at), 0);
	assert_null(domid_index_find(&index, 1, &n));
	assert_int_equal(n, 0);
	domid_index_done(&index);
	domid_index_done(&index);
}

/* Finds each without a search through all. */
static void finds_each_of_many_domids(void **state)
{
	enum { MANY = 5000 };
	_cleanup_(freep) uint32_t *domids = calloc(MANY, sizeof(*domids));
	struct domid_index index = { 0 };

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		domids[i] = (uint32_t)(i * 7919 % MANY * 2);
	assert_int_equal(domid_index_make(&index, domids, MANY, at), 0);
	for (size_t i = 0; i < MANY; i++) {
		size_t n;
		const struct domid_entry *entry = domid_index_find(&index, domids[i], &n);

		assert_int_equal(n, 1);
		assert_int_equal(entry->element, i);
		assert_null(domid_index_find(&index, domids[i] + 1, &n));
	}
	domid_index_done(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_all_elements_of_a_domid_in_order),
		cmocka_unit_test(finds_nothing_in_an_empty_index),
		cmocka_unit_test(finds_each_of_many_domids),
	};

	return cmocka_run_group_tests_name("domid index", tests, NULL, NULL);
}
