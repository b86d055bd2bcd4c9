/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_GUESTS_H
#define TESTS_FAKEXEN_GUESTS_H

/*
 * Guests as libxl builds them, and the kernels in them. What it claims:
 *
 * - libxl's tree: the guest reads its directory and control/, which dom0 owns (n0,rN); it owns
 *   control/shutdown, control/feature-suspend, data/ and device/suspend (nN). Below /libxl,
 *   which guests cannot read, is libxl's record of the domain and its devices.
 * - A kernel watches control/shutdown. On "suspend" it acknowledges (see enum guest_answer) and
 *   suspends later. A kernel that still boots looks at the node when it is up.
 * - A kernel whose suspension was cancelled keeps its watches. One that was resumed as a new
 *   domain sets them again, and then executes a request that stands.
 * - A guest that is paused or suspended does nothing; its time stands still.
 * - On "poweroff" and "reboot" it clears the node, ignores further requests, and shuts down
 *   some time later.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fakexen/domains.h"

enum guest_answer {
	ANSWER_CLEARS, /* Linux: clears the node, then suspends */
	ANSWER_REMOVES, /* Windows PV drivers 8.x, NetBSD: removes the node, then suspends */
	ANSWER_ONLY_CLEARS, /* Linux whose processes do not freeze: runs on, and says nothing */
	ANSWER_LEAVES, /* suspends, and leaves the request as it is */
	ANSWER_NEVER, /* MirageOS, OpenBSD, or a hung kernel */
	ANSWER_NONSENSE, /* writes a text of its own instead, and runs on */
	ANSWER_REFUSES, /* clears the node, and publishes that it cannot suspend */
	ANSWER_TWICE, /* Linux, and suspends once more after its resume, without a request */
};

struct fake_guest_params {
	const char *name;
	uint32_t domid; /* 0: the next one */
	enum domain_kind kind;
	enum guest_answer answer;
	uint64_t boot_us; /* until its kernel watches the node */
	uint64_t acknowledge_us; /* after the request; 0: 1 ms */
	uint64_t suspend_us; /* after the acknowledgement; 0: 30 ms */
	uint64_t shut_down_us; /* after the acknowledgement of a poweroff; 0: 1 s */
	const char *feature; /* control/feature-suspend; NULL: "1" */
	bool without_record; /* another toolstack has built it: nothing below /libxl */
	bool still_built; /* its builder has not unpaused it yet */
	bool has_channel; /* its kernel takes requests over device/suspend/event-channel instead */
	bool without_drivers; /* HVM: no PV drivers, no kernel that listens */
	uint16_t uuid_tag; /* its UUID is made of it, which sets the order; 0: of its first domid */
};

struct fake_guest;

void guests_start(void);
void guests_stop(void);

/* Builds a guest and, unless still_built, unpauses it. The guest lives until guests_stop. */
struct fake_guest *fake_guest_build(const struct fake_guest_params *params);

/* Its domain; NULL: it is gone. */
struct fake_domain *fake_guest_domain(const struct fake_guest *guest);
uint32_t fake_guest_domid(const struct fake_guest *guest);
const struct fake_guest_params *fake_guest_params(const struct fake_guest *guest);
struct fake_guest *fake_guest_find(uint32_t domid);

/* Changes how it answers from the next request on. */
void fake_guest_set_answer(struct fake_guest *guest, enum guest_answer answer);

/* Adds a device of libxl's kind: nodes of frontend, backend and, unless without_record, libxl. */
void fake_guest_add_device(struct fake_guest *frontend, uint32_t backend, const char *class,
			   unsigned int n);
/* Passes a PCI function through, e.g. "0000:03:00.0". */
void fake_guest_add_pci(struct fake_guest *guest, const char *address);

/* Formats "/local/domain/<domid>/<node>" in a static buffer, for store_text and others. */
const char *fake_guest_path(const struct fake_guest *guest, const char *node);

/*
 * Calls `handle` in the guest, after it has run for `delay_us` more. Its time stands still while
 * it does not run. Nothing is called once the domain is gone.
 */
typedef void (*fake_guest_fn)(struct fake_guest *guest, void *data);
void fake_guest_after(struct fake_guest *guest, uint64_t delay_us, fake_guest_fn handle,
		      void *data);

/* Called when the guest was resumed, for the agent in it. */
void fake_guest_on_resume(struct fake_guest *guest, fake_guest_fn handle, void *data);

#endif
