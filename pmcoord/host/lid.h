/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LID_H
#define PMCOORD_HOST_LID_H

/*
 * The laptop's lid: the input device with the switch SW_LID, as logind sees it.
 * What counts is that it is opened, not that it is open: a docked laptop sleeps
 * with a lid that has been either all along.
 */

#include <stdbool.h>

struct lid;

/* What is said of a sleep that ended so. */
#define LID_WAS_OPENED "the lid was opened"

/*
 * Looks for the lid among <dev>/input/event*. NULL where there is none, or none
 * that can be read: that keeps no machine awake. Release: lid_free.
 */
struct lid *lid_open(const char *dev);

/*
 * The lid behind a descriptor that yields struct input_event without waiting,
 * and how it stands. The descriptor is ours from now on; NULL out of memory.
 */
struct lid *lid_new(int fd, bool is_closed);

void lid_free(struct lid *lid);

/* Readable when the lid was moved; borrowed. */
int lid_fd(const struct lid *lid);

/* Both take what has happened until now. NULL is a lid that stays open. */
bool lid_is_closed(struct lid *lid);
/* It was closed at some moment since lid_open, and opened after that. */
bool lid_was_opened(struct lid *lid);
/* Its device was removed, and it moves no more. NULL is gone as well. */
bool lid_is_gone(struct lid *lid);
/* As if it had just been opened by lid_open. NULL is allowed. */
void lid_restart(struct lid *lid);

#endif
