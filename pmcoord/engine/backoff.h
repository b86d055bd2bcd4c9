/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_BACKOFF_H
#define PMCOORD_ENGINE_BACKOFF_H

/*
 * Delays the next sleep after failed ones: 30 s, doubled with each failure up
 * to 15 min. While the lid stays closed, logind requests a sleep about every
 * half minute; without a delay the guests would be suspended and resumed all
 * night. The failures are kept in a file on /run, as each attempt may be a new
 * process.
 */

#include <stdint.h>

#include "pmcoord/error.h"

/*
 * Checks whether the next attempt is due; `now_us` is CLOCK_BOOTTIME. Returns 0,
 * also if the file cannot be read, or -EAGAIN with `error` set to the reason of
 * the last failure and the time left.
 */
int backoff_check(const char *run_directory, uint64_t now_us, struct error *error);

/*
 * Counts a failed attempt. `reason` is one sentence. Replaces the file as a
 * whole. Returns 0 or a negative errno.
 */
int backoff_note_failure(const char *run_directory, uint64_t now_us, const char *reason);

/* Resets the delay, after a successful attempt or an opened lid. */
void backoff_forget(const char *run_directory);

#endif
