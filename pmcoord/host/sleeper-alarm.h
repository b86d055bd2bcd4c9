/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEPER_ALARM_H
#define PMCOORD_HOST_SLEEPER_ALARM_H

#include "model/sleeper.h"

/*
 * The sleep of a rehearsal: written to <sys>/power by ourselves, and ended by
 * the alarm of the real-time clock, <sys>/class/rtc/rtc0/wakealarm. prepare()
 * refuses with -EOPNOTSUPP where there is no such alarm, or one of somebody
 * else's is set. Returns 0 or -ENOMEM.
 */
int sleeper_alarm_new(const char *sys, struct sleeper **ret_sleeper);

/* The same around another sleeper, which is taken over also on failure. */
int sleeper_alarm_around(struct sleeper *inner, const char *sys, struct sleeper **ret_sleeper);

#endif
