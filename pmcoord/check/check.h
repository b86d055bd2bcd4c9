/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CHECK_CHECK_H
#define PMCOORD_CHECK_CHECK_H

/*
 * The preflight of `pmcoord check`: finds what would make a cycle fail or degrade.
 * The checks are independent of each other, and use only facts that the caller read.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/config.h"
#include "model/graph.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "host/host.h"
#include "record/status.h"
#include "view/findings.h"

/* A PCI function, with its class code as in sysfs. */
struct check_pci_function {
	char address[PCI_ADDRESS_SIZE];
	uint32_t class; /* such as 0x0c0330; 0: unknown */
};

/* Facts about one guest that the inventory lacks. */
struct check_details {
	struct guest_examination examination;
	struct check_pci_function functions[EXAMINED_PCI_MAX];
	unsigned int n_missed, n_cycles; /* in n_missed of n_cycles it did not answer; 0: unknown */
	bool never_answers;
	struct agent_state agent; /* PROTOCOL_AGENT_NONE: no agent, or its state is unknown */
};

/*
 * The facts that the checks use. Pointers are borrowed. NULL: the fact is unknown, or
 * there is nothing to report.
 */
struct check_context {
	const char *const *config_errors; /* "file:line: …", NULL-terminated */
	const char *const *config_warnings; /* "file:line: …", NULL-terminated */
	const struct config *config; /* never NULL */
	const struct host *host; /* NULL: the host is simulated */
	const char *no_sleep; /* why the simulated host cannot sleep; NULL: it can */
	const char *no_hypervisor; /* why the guests could not be read */
	const struct inventory *inventory;
	const struct graph *graph;
	const struct check_details *details; /* one per element of inventory->guests */
	const struct status *status;
	const char *no_status; /* why the status could not be read */
};

/* Runs all checks, and appends what they find to `findings`. */
void check_all(const struct check_context *context, struct findings *findings);

/* Each runs one group of checks. A check whose facts are missing is skipped. */
void check_host(const struct check_context *context, struct findings *findings);
void check_systemd(const struct check_context *context, struct findings *findings);
void check_config(const struct check_context *context, struct findings *findings);
void check_order(const struct check_context *context, struct findings *findings);
void check_guests(const struct check_context *context, struct findings *findings);
void check_cycles(const struct check_context *context, struct findings *findings);

#endif
