/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_DOM0_H
#define TESTS_FAKEXEN_DOM0_H

/*
 * The whole double, and what a process of dom0 sees of its own system: it is root, and the link
 * option --wrap=fopen64 gives it /proc/xen/capabilities.
 *
 * The libraries have no context in which a test could pass its world, so the double is one set of
 * static variables, and there is one world at a time.
 */

#include <stdbool.h>
#include <stdint.h>

/* Starts an empty host: dom0, no guest, virtual time. */
void dom0_start(void);
/* Ends it; the program must have closed all its handles. */
void dom0_stop(void);

/* Whether the system is a Xen guest (false) or dom0 (true, at first). */
void dom0_set_privileged(bool is_dom0);

/* Kills the process, as SIGKILL does: its descriptors are closed, and no call has an effect. */
void dom0_kill_process(void);

/* The programs that follow run in this domain: for the agent's channel. 0: in dom0. */
void dom0_act_as(uint32_t domid);

#endif
