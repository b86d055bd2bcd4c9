/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_TOOLSTACKS_H
#define TESTS_FAKEXEN_TOOLSTACKS_H

/*
 * What other programs of dom0 do to guests: xl save, migrate, destroy, reboot, shutdown, pause.
 * What it claims about libxl:
 *
 * - A save writes "suspend" to control/shutdown, and takes any other content, or none, for the
 *   guest's answer. It then waits for @releaseDomain, and reads the domain's state at each; so it
 *   sees nothing while somebody else has subscribed. After 60 s it gives up, and takes its request
 * out.
 * - A domain's nodes are written before it runs: none is built while xenstored is silent.
 * - During a save the domain must not run: the image would be of no use.
 * - After a save the domain is destroyed; with `keeps` (xl save -c) it is resumed, cancelled, and
 *   xenstored is told.
 * - A guest that powers off or crashes is destroyed by its monitor; one that reboots is built
 *   again with another domid and the same UUID.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fakexen/guests.h"

/* A save, from its begin to its end. Fields are read by tests. */
struct fake_save {
	uint32_t domid;
	uint64_t save_us; /* how long the image takes */
	bool keeps;
	bool migrates; /* a new domain of the same guest runs at the end */
	bool is_acknowledged, is_suspended, is_finished;
	bool has_failed; /* the guest did not suspend in time */
	bool is_broken; /* the domain ran while its image was written */
	unsigned int n_resumed_before;
	void *connection;
	struct fake_save *next;
};

void toolstacks_start(void);
void toolstacks_stop(void);

/* Begins a save. The result is valid until toolstacks_stop. */
struct fake_save *toolstack_save(uint32_t domid, uint64_t save_us, bool keeps);
/* Begins a migration to this host itself. */
struct fake_save *toolstack_migrate(uint32_t domid, uint64_t save_us);

/*
 * Writes the command line, with its NULs, of the newest save's libxl-save-helper, which runs
 * from the begin of the save to its end. Returns its length; 0: no save is running.
 */
size_t toolstack_command_line(char *ret, size_t size);

void toolstack_destroy(uint32_t domid);
/* Requests a shutdown or a reboot from the guest's kernel; its monitor does the rest. */
void toolstack_shut_down(uint32_t domid, bool reboots);
void toolstack_pause(uint32_t domid);
void toolstack_unpause(uint32_t domid);
/* xl resume: as xc_domain_resume's fast way, and xenstored is told. */
void toolstack_resume(uint32_t domid);
/* Subscribes to the guest's suspension with another port, as a program like us would. */
void toolstack_subscribe(uint32_t domid, uint32_t port);

/* The guest of this name that exists now, e.g. after a reboot; NULL: none. */
struct fake_guest *toolstack_find(const char *name);

#endif
