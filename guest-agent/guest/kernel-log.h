/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_KERNEL_LOG_H
#define GUEST_AGENT_GUEST_KERNEL_LOG_H

#include <systemd/sd-event.h>

#include "guest/files.h"

/*
 * Watches the kernel's log for a failed suspend, because a guest's kernel reports the
 * failure only there (do_suspend() in Linux's drivers/xen/manage.c).
 */

struct kernel_log;

/*
 * Called with the kernel's message, without its prefix "xen:manage: do_suspend: ". May be
 * called more than once.
 */
typedef void (*kernel_refused_fn)(void *userdata, const char *message);

/*
 * Calls `refused` for each failure to suspend that the kernel logs from now on. Returns 0 or
 * negative errno; release `*ret` with kernel_log_free().
 */
int kernel_log_watch(sd_event *event, const struct roots *roots, kernel_refused_fn refused,
		     void *userdata, struct kernel_log **ret);

/* Ends the watch. NULL is a no-op. */
void kernel_log_free(struct kernel_log *log);

#endif
