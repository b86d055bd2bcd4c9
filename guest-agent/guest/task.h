/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_TASK_H
#define GUEST_AGENT_GUEST_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/*
 * Runs work in a child process with a time limit, because the work may hang in the kernel.
 * The child is a fork of the agent: to start it, nothing is read from a disk. The work may
 * execute a program.
 *
 * SIGCHLD must be blocked in all threads, as sd_event_add_child(3) requires.
 */

/* The size of a report's text, with its NUL. */
#define TASK_TEXT_MAX 240

/* What the child sends before it exits. */
struct task_report {
	int r; /* 0, or negative errno */
	char text[TASK_TEXT_MAX];
};

struct task_result {
	/* The time limit has passed. The child was killed, but may still hang in the kernel. */
	bool timed_out;
	/* The child has sent no report: it was killed, or executed a program. */
	bool silent;
	int status; /* exit status or signal number, see waitid(2) */
	bool signalled; /* `status` is a signal number */
	struct task_report report;
};

/* Runs in the child, where only the standard file descriptors can be used. */
typedef void (*task_body_fn)(void *data, struct task_report *report);

/* Called once, when the child has ended or the time limit has passed. */
typedef void (*task_done_fn)(void *userdata, const struct task_result *result);

/* Called when the child ends after its time limit has passed. */
typedef void (*task_late_fn)(void *userdata);

struct task_spec {
	const char *name; /* the child's name for ps(1): at most 15 bytes */
	task_body_fn body;
	void *data; /* for `body`, which reads the child's copy of it */
	uint64_t timeout_us;
	task_done_fn done;
	task_late_fn late; /* or NULL */
	void *userdata;
};

struct task;

/* Forks a child that runs spec->body. Returns 0 or negative errno; release with task_free(). */
int task_start(sd_event *event, const struct task_spec *spec, struct task **ret);

/*
 * Writes to `ret` why a task failed: the text of its report, or e.g. "failed with status 3"
 * or "was killed by signal 9". Returns `ret`, or NULL if the task succeeded.
 */
const char *task_describe_failure(const struct task_result *result, char *ret, size_t size);

/* Whether the child exists, even after its time limit; false if `task` is NULL. */
bool task_is_alive(const struct task *task);

/*
 * Frees a task. A running child is killed, and the event loop reaps it later without calling
 * `done` or `late`. NULL is a no-op.
 */
void task_free(struct task *task);

#endif
