/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEPER_ALARM_H
#define PMCOORD_HOST_SLEEPER_ALARM_H

/* A sleep that an alarm ends: that of 'pmcoord cycle --sleep'. */

#include "model/sleeper.h"

/*
 * Sleeps by writing to <sys>/power; the alarm of the real-time clock,
 * <sys>/class/rtc/rtc0/wakealarm, wakes the host. prepare() fails with
 * -EOPNOTSUPP if there is no such alarm, or one is set already. Returns 0 or
 * -ENOMEM. Release: sleeper_free.
 */
int sleeper_alarm_new(const char *sys, struct sleeper **ret_sleeper);

/* The same with another sleeper, which it takes ownership of, also on failure. */
int sleeper_alarm_around(struct sleeper *inner, const char *sys, struct sleeper **ret_sleeper);

#endif
