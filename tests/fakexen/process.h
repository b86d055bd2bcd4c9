/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_PROCESS_H
#define TESTS_FAKEXEN_PROCESS_H

/*
 * The processes that call the libraries: in which domain they run, and how they are killed. A
 * process of dom0 is root while the double is started, and the link option --wrap=fopen64 gives it
 * /proc/xen/capabilities.
 */

#include <stdbool.h>
#include <stdint.h>

/* Whether the system is a Xen guest (false) or dom0 (true, at first). */
void process_set_privileged(bool is_dom0);
/* Whether the system runs on Xen at all; true at first. */
void process_set_on_xen(bool is_on_xen);
/* Whether programs run as root; true at first. */
void process_set_root(bool is_root);

/*
 * Runs a program in this domain until it returns (true) or is killed (false). What a killed
 * program has allocated is lost, and is no leak of the test.
 */
bool process_run(void (*program)(void *data), void *data);

/*
 * Kills the program that process_run runs, as SIGKILL does: its descriptors are closed. Called
 * within a call of a library, or by a handler of virtual time. Does not return.
 */
_Noreturn void process_kill(void);

/* Kills a program that a test runs without process_run. Only its handles are dead then. */
void process_disconnect(void);

/* The programs that follow run in this domain: for the agent's channel. 0: in dom0. */
void process_act_as(uint32_t domid);

#endif
