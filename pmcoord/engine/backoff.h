/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_BACKOFF_H
#define PMCOORD_ENGINE_BACKOFF_H

/*
 * After an attempt to sleep that failed while the lid was closed, delays the
 * next attempt: by 30 s after the first failure. Each further failure doubles
 * the delay, up to 15 min. While the lid stays closed, logind requests a sleep
 * about every half minute; without a delay the guests would be suspended and
 * resumed all night. The failures are kept in a file on /run, because each
 * attempt may be made by a new process.
 */

#include <stdint.h>

#include "pmcoord/error.h"

/*
 * Checks whether the next attempt is due; `now_us` is CLOCK_BOOTTIME. Returns 0
 * if the attempt is due or the file cannot be read; otherwise -EAGAIN with
 * `error` set to the reason of the last failure and the time that is left.
 */
int backoff_check(const char *run_directory, uint64_t now_us, struct error *error);

/*
 * Counts a failed attempt; `reason` is one sentence. Writes a new file and
 * renames it over the old one. Returns 0 or a negative errno.
 */
int backoff_note_failure(const char *run_directory, uint64_t now_us, const char *reason);

/*
 * Forgets all failures, so that the next attempt is not delayed: to be called
 * after a successful attempt, or when the lid was opened.
 */
void backoff_forget(const char *run_directory);

#endif
