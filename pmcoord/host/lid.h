/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LID_H
#define PMCOORD_HOST_LID_H

/*
 * The laptop's lid: the input device with the switch SW_LID, which logind uses, too.
 * Opening the lid aborts a suspend. A lid that is already open does not abort it,
 * because a docked laptop can sleep with an open lid.
 */

#include <stdbool.h>

struct lid;

/* The reason of an abort by the lid, in messages and reports. */
#define LID_WAS_OPENED "the lid was opened"

/*
 * Opens the lid among <dev>/input/event*. Returns NULL if there is no lid, or if its
 * device cannot be opened. The host can sleep without a lid, so NULL is no error.
 * Release: lid_free.
 */
struct lid *lid_open(const char *dev);

/*
 * Makes a lid that is closed if `is_closed` is true, otherwise open. Later states are
 * read as struct input_event from `fd`, which must be non-blocking. Takes ownership of
 * `fd`, even on failure. Returns NULL if out of memory.
 */
struct lid *lid_new(int fd, bool is_closed);

/* `lid` may be NULL. */
void lid_free(struct lid *lid);

/* Returns a descriptor, borrowed, that is readable after the lid was moved. */
int lid_fd(const struct lid *lid);

/*
 * The functions below read all pending events first. On a host without a lid, `lid` is
 * NULL. A NULL lid is not closed, was not opened, and is gone.
 */

bool lid_is_closed(struct lid *lid);

/* Whether the closed lid was opened since lid_open, lid_new or the last lid_restart. */
bool lid_was_opened(struct lid *lid);

/* Whether the device was removed, so that the lid's state no longer changes. */
bool lid_is_gone(struct lid *lid);

/* Lets lid_was_opened return false until the closed lid is opened again. */
void lid_restart(struct lid *lid);

#endif
