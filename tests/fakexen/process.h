/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_PROCESS_H
#define TESTS_FAKEXEN_PROCESS_H

/*
 * The processes that call the libraries: in which domain they run, and how they are killed. A
 * process of dom0 is root, and the link option --wrap=fopen64 gives it /proc/xen/capabilities.
 */

#include <stdbool.h>
#include <stdint.h>

/* Whether the system is a Xen guest (false) or dom0 (true, at first). */
void process_set_privileged(bool is_dom0);

/* Kills the process that uses the libraries in this domain, as SIGKILL does: its descriptors are
 * closed, and no call has an effect. */
void process_kill(void);

/* The programs that follow run in this domain: for the agent's channel. 0: in dom0. */
void process_act_as(uint32_t domid);

#endif
