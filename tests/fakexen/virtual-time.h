/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_VIRTUAL_TIME_H
#define TESTS_FAKEXEN_VIRTUAL_TIME_H

/*
 * The clocks of dom0, which stand still unless the double lets them go on. While virtual time
 * is started, this program's clock_gettime(), timerfd_create(), timerfd_settime() and
 * epoll_wait() are those of virtual-time.c, also for libsystemd: the real event loop
 * (host/loop-event.c) waits in virtual time, and an idle wait jumps to the next timer.
 *
 * What it claims about Linux: CLOCK_BOOTTIME counts a sleep of the host and CLOCK_MONOTONIC
 * does not; timers of both clocks expire after the wake. A descriptor that is ready ends
 * epoll_wait() before any time passes.
 */

#include <stdbool.h>
#include <stdint.h>

#define VIRTUAL_TIME_NEVER UINT64_MAX

/* Starts at a fixed time. Ends with virtual_time_stop, which forgets all timers. */
void virtual_time_start(void);
void virtual_time_stop(void);
bool virtual_time_is_started(void);

/* Returns the µs of CLOCK_BOOTTIME. */
uint64_t virtual_time_now(void);

typedef void (*virtual_time_fn)(void *data);

/*
 * Calls `handle` when the clock reaches `at_us`: during a wait, or during a call of a library
 * that takes time. Handlers run one after another, those of one time in the order of these calls.
 */
void virtual_time_at(uint64_t at_us, virtual_time_fn handle, void *data);
/* The same, `delay_us` from now. */
void virtual_time_after(uint64_t delay_us, virtual_time_fn handle, void *data);

/*
 * Lets `us` pass as the duration of a library's call, and runs the handlers that became due.
 * Within a handler it does nothing: what a guest or a toolstack does takes dom0's caller no time.
 */
void virtual_time_spend(uint64_t us);

/* Lets time pass with nobody waiting, e.g. between two commands of a test. */
void virtual_time_pass(uint64_t us);

/* The host sleeps: `us` of CLOCK_BOOTTIME pass, no handler runs, and all are that much later. */
void virtual_time_sleep(uint64_t us);

/*
 * Called when the program waits without a timeout while no handler is left, so that it would
 * wait for ever. Without this call the program is aborted with a message. `handle` must make
 * a descriptor readable or add a handler.
 */
void virtual_time_on_idle(virtual_time_fn handle, void *data);

/* Whether a handler runs: what happens then is done by others than the program. */
bool virtual_time_is_in_handler(void);
/* The running handler does not return, because the program that waited was killed. */
void virtual_time_leave_handler(void);

/* Returns how often the program has waited: a loop that is woken without end shows here. */
uint64_t virtual_time_count_waits(void);

#endif
