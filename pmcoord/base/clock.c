/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/clock.h"

#include <time.h>

uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

uint64_t clock_boottime_us(void)
{
	return clock_us(CLOCK_BOOTTIME);
}

uint64_t clock_suspended_us(void)
{
	uint64_t monotonic = clock_now_us();
	uint64_t boottime = clock_boottime_us();

	return boottime > monotonic ? boottime - monotonic : 0;
}
