/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_WAKE_CLOCK_H
#define GUEST_AGENT_GUEST_WAKE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/*
 * Detects from inside the guest that it was suspended and has been resumed. The
 * kernel cancels a timerfd with TFD_TIMER_CANCEL_ON_SET when it resumes its
 * clock, and also when the time is set; after a suspend, CLOCK_BOOTTIME has
 * advanced against CLOCK_MONOTONIC.
 */
struct wake_clock;

typedef void (*wake_clock_fn)(void *userdata);

/*
 * `suspended_us` returns for how long the guest has been suspended since its boot
 * (clock_suspended_us). Starts disarmed. Returns 0 or negative errno.
 */
int wake_clock_new(sd_event *event, uint64_t (*suspended_us)(void), wake_clock_fn woken,
		   void *userdata, struct wake_clock **ret);

/* Calls `woken` once, after the next suspend. Returns 0 or negative errno. */
int wake_clock_arm(struct wake_clock *clock);
void wake_clock_disarm(struct wake_clock *clock);

/* Has the guest been suspended since the clock was armed? */
bool wake_clock_was_suspended(const struct wake_clock *clock);

/* NULL is a no-op. */
void wake_clock_free(struct wake_clock *clock);

#endif
