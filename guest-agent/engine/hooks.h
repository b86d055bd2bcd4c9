/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_HOOKS_H
#define GUEST_AGENT_ENGINE_HOOKS_H

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"
#include "guest/task.h"

/*
 * Runs the hooks, which are the executables in <etc>/suspend.d. Before anything in the
 * guest is stopped, each hook runs with the argument "pre", in the order of the names.
 * After everything else is restored, the same hooks run with "post", in the reverse order.
 * PMCOORD_CYCLE in the environment of a hook is the number of the cycle.
 */

struct hook_list {
	char **names;
	size_t n_names;
};

/*
 * Lists the hooks, sorted by name. Files whose name contains a dot, '~' or '#' are left out,
 * because they are backups or leftovers of package managers. If the directory does not exist,
 * the list is empty. Returns 0 or negative errno; release `ret` with hook_list_done().
 */
int hook_list_read(struct hook_list *ret, const struct roots *roots);
void hook_list_done(struct hook_list *list);

/* One run of a hook. */
struct hook_run {
	const struct roots *roots;
	const char *name;
	const char *verb; /* "pre" or "post" */
	uint64_t cycle;
};

/*
 * Starts a hook; `run` must outlive the task. If the hook was executed, its task_result
 * contains the hook's exit status and no report. Returns 0 or negative errno.
 */
int hook_start(sd_event *event, struct hook_run *run, uint64_t timeout_us, task_done_fn done,
	       void *userdata, struct task **ret);

#endif
