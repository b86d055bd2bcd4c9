/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CHECK_CHECK_H
#define PMCOORD_CHECK_CHECK_H

/*
 * The preflight: would a cycle go well, and what should be done first? Each
 * check judges facts that were read before; it reads nothing, changes nothing,
 * and knows no other check.
 */

#include "model/config.h"
#include "view/findings.h"
#include "model/graph.h"
#include "host/host.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "record/status.h"

/* What is known of one PCI function beside its address. */
struct check_function {
	char address[PCI_ADDRESS_SIZE];
	uint32_t class; /* 0x0c0330, 0: unknown */
};

/* One guest, beside what the inventory says. */
struct check_details {
	struct guest_examination examination;
	struct check_function functions[EXAMINED_PCI_MAX];
	struct agent_state agent; /* state none where there is no agent */
};

/* Facts; all borrowed, and NULL where they are not known. */
struct check_context {
	const char *const *config_errors; /* "file:line: …", NULL ends */
	const char *const *config_warnings; /* likewise */
	const struct config *config; /* never NULL */
	const struct host *host; /* NULL: the host has no files */
	const char *no_sleep; /* why a host without files does not sleep */
	const char *no_hypervisor; /* why nothing is known of guests */
	const struct inventory *inventory;
	const struct graph *graph;
	const struct check_details *details; /* of each guest */
	const struct status *status;
	const char *no_status; /* why that is not known */
};

/* Does all checks. */
void check_all(const struct check_context *context, struct findings *findings);

/* The groups; each needs only the facts that it is about. */
void check_host(const struct check_context *context, struct findings *findings);
void check_systemd(const struct check_context *context, struct findings *findings);
void check_config(const struct check_context *context, struct findings *findings);
void check_order(const struct check_context *context, struct findings *findings);
void check_guests(const struct check_context *context, struct findings *findings);
void check_cycles(const struct check_context *context, struct findings *findings);

#endif
