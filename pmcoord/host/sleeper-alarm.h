/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEPER_ALARM_H
#define PMCOORD_HOST_SLEEPER_ALARM_H

/* A sleep that an alarm ends, for 'pmcoord cycle --sleep'. */

#include "model/sleeper.h"

/*
 * Makes a sleeper that writes "mem" to <sys>/power/state, and wakes the host by the
 * alarm of the real-time clock (<sys>/class/rtc/rtc0/wakealarm). prepare() fails with
 * -EOPNOTSUPP if the clock has no alarm, or if its alarm is already set. Returns 0 or
 * -ENOMEM. Release: sleeper_free.
 */
int sleeper_alarm_new(const char *sys, struct sleeper **ret_sleeper);

/*
 * Like sleeper_alarm_new, but `inner` puts the host to sleep. Takes ownership of
 * `inner`, even on failure.
 */
int sleeper_alarm_around(struct sleeper *inner, const char *sys, struct sleeper **ret_sleeper);

#endif
