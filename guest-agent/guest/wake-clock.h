/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_WAKE_CLOCK_H
#define GUEST_AGENT_GUEST_WAKE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/*
 * Detects from inside the guest that the guest was suspended and resumed. The kernel cancels
 * a timerfd with TFD_TIMER_CANCEL_ON_SET when the guest is resumed, but also when the time is
 * set. So a cancelled timer counts only if CLOCK_BOOTTIME has advanced more than
 * CLOCK_MONOTONIC: only CLOCK_BOOTTIME continues during a suspend.
 */
struct wake_clock;

typedef void (*wake_clock_fn)(void *userdata);

/*
 * Creates a clock that is not armed. `suspended_us` returns how long the guest has been
 * suspended since its boot; it is clock_suspended_us(), except in tests. Returns 0 or negative
 * errno; release `*ret` with wake_clock_free().
 */
int wake_clock_new(sd_event *event, uint64_t (*suspended_us)(void), wake_clock_fn woken,
		   void *userdata, struct wake_clock **ret);

/* Arms the clock: `woken` is called once, after the next suspend. Returns 0 or negative errno. */
int wake_clock_arm(struct wake_clock *clock);

/* Disarms the clock: `woken` is not called. */
void wake_clock_disarm(struct wake_clock *clock);

/* Whether the guest has been suspended since the clock was armed. */
bool wake_clock_was_suspended(const struct wake_clock *clock);

/* Frees the clock. NULL is a no-op. */
void wake_clock_free(struct wake_clock *clock);

#endif
