/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_HOOKS_H
#define GUEST_AGENT_ENGINE_HOOKS_H

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"
#include "guest/task.h"

/*
 * The executables in <etc>/suspend.d: each is run with "pre" before anything
 * else is stopped, in the order of their names, and with "post" when all is
 * back, in the reverse order. PMCOORD_CYCLE is in their environment.
 */

struct hook_list {
	char **names;
	size_t n_names;
};

/*
 * Lists what is executable; backup and package manager leftovers (a dot or a
 * tilde in the name) are not. Returns 0 (also without the directory) or
 * negative errno.
 */
int hook_list_read(struct hook_list *ret, const struct roots *roots);
void hook_list_done(struct hook_list *list);

/* What one run needs; must live until `done` was called. */
struct hook_run {
	const struct roots *roots;
	const char *name;
	const char *verb; /* "pre", "post" */
	uint64_t cycle;
};

/* Runs one; `done` finds its exit status in the result (a silent one). */
int hook_start(sd_event *event, struct hook_run *run, uint64_t timeout_us, task_done_fn done,
	       void *userdata, struct task **ret);

#endif
