/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_WAKE_CLOCK_H
#define GUEST_AGENT_GUEST_WAKE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/*
 * Notices that the guest was suspended and runs again, without anybody's help:
 * a timerfd with TFD_TIMER_CANCEL_ON_SET is cancelled when the kernel's clock
 * resumes (and when someone sets it), and CLOCK_BOOTTIME has then moved on
 * while CLOCK_MONOTONIC stood still.
 */
struct wake_clock;

typedef void (*wake_clock_fn)(void *userdata);

/*
 * `suspended_us` says for how long the guest has been suspended so far
 * (clock_suspended_us). Nothing is watched before wake_clock_arm. Returns 0 or
 * negative errno.
 */
int wake_clock_new(sd_event *event, uint64_t (*suspended_us)(void), wake_clock_fn woken,
		   void *userdata, struct wake_clock **ret);

/* From now on: `woken` is called once, after the next suspend. */
int wake_clock_arm(struct wake_clock *clock);
void wake_clock_disarm(struct wake_clock *clock);

/* Has the guest been suspended since it was armed? */
bool wake_clock_has_slept(const struct wake_clock *clock);

void wake_clock_free(struct wake_clock *clock);

#endif
