/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_FAKEXEN_H
#define TESTS_FAKEXEN_FAKEXEN_H

/*
 * The double of Xen: libxenctrl, libxencall, libxenevtchn and libxenstore as far as this project
 * calls them, with the hypervisor, xenstored, guests and other toolstacks behind them. It is
 * linked in place of the libraries. What it claims about Xen stands in the header of each of its
 * files; contract.h has those claims that are tested on the double and on real Xen.
 *
 * The libraries have no argument in which a test could pass its world. Therefore the double is
 * one set of static variables, and there is one world at a time.
 */

/* Starts an empty host: dom0, no guest, virtual time. */
void fakexen_start(void);

/* Ends it. Handles that the program still has can only be closed. */
void fakexen_stop(void);

#endif
