/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_BACKOFF_H
#define PMCOORD_ENGINE_BACKOFF_H

/*
 * While the lid stays closed logind asks for sleep again and again, about
 * every half minute. After an attempt that failed the next are refused for a
 * while, which doubles from 30 s to 15 min, so that guests do not go down and
 * up all night. Remembered on /run, for whichever process is asked next.
 */

#include <stdint.h>

#include "pmcoord/error.h"

/*
 * Whether it is time for another attempt; `now_us` is CLOCK_BOOTTIME. Returns
 * 0, or -EAGAIN with `error` saying what failed and when the next is due. What
 * cannot be read keeps no machine awake.
 */
int backoff_check(const char *run_directory, uint64_t now_us, struct error *error);

/* An attempt failed: why, in a sentence. Returns 0 or a negative errno. */
int backoff_note_failure(const char *run_directory, uint64_t now_us, const char *reason);

/* One that did not fail, or a lid that was opened: start anew. */
void backoff_forget(const char *run_directory);

#endif
