/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_KERNEL_LOG_H
#define GUEST_AGENT_GUEST_KERNEL_LOG_H

#include <systemd/sd-event.h>

#include "guest/files.h"

/*
 * A guest's kernel that cannot suspend says so in its log, and nowhere else
 * (drivers/xen/manage.c, do_suspend).
 */

struct kernel_log;

/* `message` is the kernel's, without its prefix. May be called again. */
typedef void (*kernel_refused_fn)(void *userdata, const char *message);

/*
 * From now on calls `refused` when the kernel says that it does not suspend.
 * Returns 0 or negative errno.
 */
int kernel_log_watch(sd_event *event, const struct roots *roots, kernel_refused_fn refused,
		     void *userdata, struct kernel_log **ret);

/* NULL is fine. */
void kernel_log_free(struct kernel_log *log);

#endif
