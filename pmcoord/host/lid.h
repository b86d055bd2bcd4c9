/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LID_H
#define PMCOORD_HOST_LID_H

/*
 * The laptop's lid: the input device with the switch SW_LID, as logind uses it.
 * Opening it aborts a suspend, an open lid does not: a docked laptop sleeps with
 * its lid in either position.
 */

#include <stdbool.h>

struct lid;

/* The reason in messages and reports of a cycle that it aborted. */
#define LID_WAS_OPENED "the lid was opened"

/*
 * Searches <dev>/input/event* for the lid. NULL: there is none, or it cannot be
 * read; neither may keep the host awake. Release: lid_free.
 */
struct lid *lid_open(const char *dev);

/*
 * A lid whose struct input_event are read from the non-blocking `fd`, with its
 * initial state. Takes ownership of `fd`, also on failure. NULL: no memory.
 */
struct lid *lid_new(int fd, bool is_closed);

void lid_free(struct lid *lid);

/* Readable after the lid was moved; borrowed. */
int lid_fd(const struct lid *lid);

/*
 * These read all pending events first. NULL is a host without a lid: not closed,
 * never opened, gone.
 */
bool lid_is_closed(struct lid *lid);
/* Whether it was opened after having been closed, since lid_open or restart. */
bool lid_was_opened(struct lid *lid);
/* Whether the device was removed: its state changes no more. */
bool lid_is_gone(struct lid *lid);
/* Clears lid_was_opened. */
void lid_restart(struct lid *lid);

#endif
