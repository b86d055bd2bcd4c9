/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The double keeps the contract that real Xen keeps (tests/fakexen/contract.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/fakexen/contract.h"
#include "tests/fakexen/fakexen.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/virtual-time.h"

/* Each claim has a world of its own. */
static void holds_on_the_double(void **state)
{
	const struct contract_claim *claim = *state;
	struct fake_guest_params params = { .name = "scratch" };
	struct contract *contract;
	const char *problem;

	fakexen_start();
	contract = contract_open(fake_guest_domid(fake_guest_build(&params)));
	assert_non_null(contract);
	virtual_time_pass(1000);
	problem = claim->holds(contract);
	contract_close(contract);
	fakexen_stop();
	if (problem)
		fail_msg("%s: %s", claim->name, problem);
}

/* As the program does it: a claim leaves nothing that another would notice. */
static void holds_in_one_run(void **state)
{
	struct fake_guest_params params = { .name = "scratch" };
	struct contract *contract;

	(void)state;
	fakexen_start();
	contract = contract_open(fake_guest_domid(fake_guest_build(&params)));
	assert_non_null(contract);
	virtual_time_pass(1000);
	for (size_t i = 0; i < contract_n_claims; i++) {
		const char *problem = contract_claims[i].holds(contract);

		if (problem)
			fail_msg("%s: %s", contract_claims[i].name, problem);
	}
	contract_close(contract);
	fakexen_stop();
}

int main(void)
{
	struct CMUnitTest tests[64];
	size_t n = 0;

	for (; n < contract_n_claims; n++)
		tests[n] = (struct CMUnitTest){
			.name = contract_claims[n].name,
			.test_func = holds_on_the_double,
			.initial_state = (void *)(uintptr_t)&contract_claims[n],
		};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(holds_in_one_run);
	return _cmocka_run_group_tests("contract", tests, n, NULL, NULL);
}
