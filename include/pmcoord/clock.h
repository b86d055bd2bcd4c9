/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLOCK_H
#define PMCOORD_CLOCK_H

/* The kernel's clocks in microseconds. */

#include <stdint.h>
#include <time.h>

/* Returns the time of `clock`, which must be a clock that clock_gettime(2) supports. */
uint64_t clock_us(clockid_t clock);

/* Returns CLOCK_MONOTONIC, which stops while this kernel is suspended. */
uint64_t clock_now_us(void);

/* Returns CLOCK_BOOTTIME, which continues while this kernel is suspended. */
uint64_t clock_boottime_us(void);

/* Returns how long this kernel has been suspended since boot. */
uint64_t clock_suspended_us(void);

#endif
