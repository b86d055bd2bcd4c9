/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_BACKOFF_H
#define PMCOORD_ENGINE_BACKOFF_H

/*
 * Delays the next attempt to sleep after an attempt that failed while the lid
 * was closed. The first delay is 30 s. Each further failure doubles the delay,
 * up to 15 min. While the lid stays closed, logind requests a sleep about every
 * 30 s. Without a delay the guests would be suspended and resumed all night. The
 * failures are stored in a file on /run, because each attempt may be made by a
 * new process.
 */

#include <stdint.h>

#include "pmcoord/error.h"

/*
 * Checks whether the next attempt is due. `now_us` is CLOCK_BOOTTIME. Returns 0
 * if the attempt is due or the file cannot be read. Otherwise returns -EAGAIN
 * with `error` set to the reason of the last failure and the remaining delay.
 */
int backoff_check(const char *run_directory, uint64_t now_us, struct error *error);

/*
 * Counts a failed attempt. `now_us` is CLOCK_BOOTTIME, and `reason` is one
 * sentence. Replaces the file atomically. Returns 0 or a negative errno.
 */
int backoff_note_failure(const char *run_directory, uint64_t now_us, const char *reason);

/*
 * Forgets all failures, so that the next attempt is not delayed. Must be called
 * after a successful attempt, and when the lid was opened.
 */
void backoff_forget(const char *run_directory);

#endif
