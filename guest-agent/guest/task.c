/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/task.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"

struct task {
	pid_t pid;
	bool alive;
	bool abandoned; /* task_free() was called; on_child() frees the task */
	bool timed_out;
	int report_fd;
	sd_event_source *child;
	sd_event_source *limit;
	struct task_spec spec;
};

static void task_release(struct task *task)
{
	sd_event_source_disable_unref(task->child);
	sd_event_source_disable_unref(task->limit);
	closep(&task->report_fd);
	free(task);
}

static void kill_group(const struct task *task)
{
	/* The child leads a process group, which includes the processes that a hook has started. */
	if (kill(-task->pid, SIGKILL) < 0)
		kill(task->pid, SIGKILL);
}

static void fill_result(struct task *task, const siginfo_t *info, struct task_result *ret)
{
	ssize_t n = read(task->report_fd, &ret->report, sizeof(ret->report));

	ret->silent = n != (ssize_t)sizeof(ret->report);
	if (ret->silent)
		ret->report = (struct task_report){ 0 };
	ret->report.text[TASK_TEXT_MAX - 1] = '\0';
	ret->signalled = info->si_code != CLD_EXITED;
	ret->status = info->si_status;
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct task *task = userdata;
	struct task_spec spec = task->spec;
	struct task_result result = { 0 };

	(void)source;
	task->alive = false;
	if (task->abandoned) {
		task_release(task);
	} else if (task->timed_out) {
		if (spec.late)
			spec.late(spec.userdata);
	} else {
		sd_event_source_set_enabled(task->limit, SD_EVENT_OFF);
		fill_result(task, info, &result);
		spec.done(spec.userdata, &result);
	}
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct task *task = userdata;
	struct task_result result = { .timed_out = true };

	(void)source;
	(void)usec;
	task->timed_out = true;
	kill_group(task);
	task->spec.done(task->spec.userdata, &result);
	return 0;
}

/* Runs the body in the child and exits; never returns. */
static void run_child(const struct task_spec *spec, int report_fd, pid_t parent)
{
	struct task_report report = { 0 };
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_NAME, spec->name);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/*
	 * The report's pipe becomes descriptor 3. All higher descriptors are closed, e.g. those
	 * of the event loop, xenstore and the event channel.
	 */
	if (dup2(report_fd, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0)
		_exit(1);
	close_range(4, ~0U, 0);
	spec->body(spec->data, &report);
	if (write(3, &report, sizeof(report)) != (ssize_t)sizeof(report))
		_exit(1);
	_exit(report.r == 0 ? 0 : 1);
}

static int watch_child(sd_event *event, struct task *task)
{
	int r = sd_event_add_child(event, &task->child, task->pid, WEXITED, on_child, task);

	if (r < 0)
		return r;
	return sd_event_add_time_relative(event, &task->limit, CLOCK_MONOTONIC,
					  task->spec.timeout_us, 0, on_limit, task);
}

int task_start(sd_event *event, const struct task_spec *spec, struct task **ret)
{
	struct task *task;
	pid_t parent = getpid();
	int ends[2], r;

	assert(event && spec && spec->body && spec->done && ret);
	task = calloc(1, sizeof(*task));
	if (!task)
		return -ENOMEM;
	task->report_fd = -1;
	task->spec = *spec;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
		free(task);
		return r;
	}
	task->report_fd = ends[0];
	task->pid = fork();
	if (task->pid == 0)
		run_child(spec, ends[1], parent);
	r = task->pid < 0 ? -errno : 0;
	close(ends[1]);
	if (r == 0) {
		task->alive = true;
		/* Both processes call setpgid(), because either may run first. */
		setpgid(task->pid, task->pid);
		r = watch_child(event, task);
	}
	if (r < 0) {
		pid_t pid = task->pid;

		if (pid > 0)
			kill_group(task);
		task_release(task);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		return r;
	}
	*ret = task;
	return 0;
}

const char *task_describe_failure(const struct task_result *result, char *ret, size_t size)
{
	assert(size > 0);
	if (result->timed_out)
		snprintf(ret, size, "took too long and was killed");
	else if (!result->silent && result->report.r < 0)
		snprintf(ret, size, "%s", result->report.text);
	else if (result->signalled)
		snprintf(ret, size, "was killed by signal %d", result->status);
	else if (result->status != 0)
		snprintf(ret, size, "failed with status %d", result->status);
	else
		return NULL;
	return ret;
}

bool task_is_alive(const struct task *task)
{
	return task && task->alive;
}

void task_free(struct task *task)
{
	if (!task)
		return;
	if (!task->alive) {
		task_release(task);
		return;
	}
	kill_group(task);
	task->abandoned = true;
	task->limit = sd_event_source_disable_unref(task->limit);
}
