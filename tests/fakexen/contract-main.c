/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* contract: checks the claims of contract.h on the Xen of this host. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakexen/contract.h"

static int check(struct contract *contract)
{
	size_t n_failed = 0;

	for (size_t i = 0; i < contract_n_claims; i++) {
		const char *problem = contract_claims[i].holds(contract);

		if (problem)
			printf("FAILED %s: %s\n", contract_claims[i].name, problem);
		else
			printf("ok %s\n", contract_claims[i].name);
		fflush(stdout);
		n_failed += problem != NULL;
	}
	printf("%zu of %zu claims hold\n", contract_n_claims - n_failed, contract_n_claims);
	return n_failed > 0;
}

int main(int argc, char **argv)
{
	struct contract *contract;
	char *end = NULL;
	unsigned long domid = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
	int r;

	if (argc != 2 || *end || domid == 0 || domid > 32750) {
		fprintf(stderr, "usage: contract DOMID, of a guest that may be suspended\n");
		return 2;
	}
	contract = contract_open((uint32_t)domid);
	if (!contract) {
		fprintf(stderr,
			"contract: cannot open Xen's interfaces: %s; run it as root in dom0\n",
			strerror(errno));
		return 4;
	}
	r = check(contract);
	contract_close(contract);
	return r;
}
