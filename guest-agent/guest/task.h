/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_TASK_H
#define GUEST_AGENT_GUEST_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/*
 * Work that may hang in the kernel, in a child of its own: it can be waited for
 * with a limit, and a stuck one takes nobody with it. The child is forked, not
 * executed, so that nothing has to be read from a disk.
 *
 * SIGCHLD must be blocked in all threads (sd_event_add_child).
 */

#define TASK_TEXT_MAX 240

/* What the child tells before it ends. */
struct task_report {
	int r; /* 0, or negative errno */
	char text[TASK_TEXT_MAX];
};

struct task_result {
	/* The limit passed. The child was killed, but may be stuck. */
	bool timed_out;
	/* It ended without a report: killed, or an executed program. */
	bool silent;
	int status; /* as of waitid(2): exit status or signal number */
	bool signalled;
	struct task_report report;
};

/* Runs in the child with only stdio and the journal's stderr open. */
typedef void (*task_body_fn)(void *data, struct task_report *report);

/* Called once when the task has ended, or its limit passed. */
typedef void (*task_done_fn)(void *userdata, const struct task_result *result);

/* Called when a child whose limit had passed ended after all. */
typedef void (*task_late_fn)(void *userdata);

struct task_spec {
	const char *name; /* for ps: at most 15 bytes */
	task_body_fn body;
	void *data; /* the child's copy of memory has it */
	uint64_t timeout_us;
	task_done_fn done;
	task_late_fn late; /* or NULL */
	void *userdata;
};

struct task;

/* Forks. Returns 0 or negative errno; `ret` is to be freed by task_free. */
int task_start(sd_event *event, const struct task_spec *spec, struct task **ret);

/* Still running, perhaps past its limit? */
bool task_is_alive(const struct task *task);

/*
 * Kills a running child (its callbacks are not called any more) and lets go of
 * it; it is reaped whenever it ends. NULL is fine.
 */
void task_free(struct task *task);

#endif
