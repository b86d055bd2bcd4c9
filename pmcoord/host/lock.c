/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/lock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "base/directory.h"
#include "pmcoord/parse.h"
#include "pmcoord/stop-signals.h"

/* A wait for the lock, in a separate event loop. */
struct lock_wait {
	sd_event *event;
	sd_event_source *child;
	sd_event_source *deadline;
	pid_t pid; /* of the child that blocks in flock(2); 0: none */
	int pid_fd;
	bool stopped; /* by a stop signal */
};

static int try_lock(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

/*
 * Runs in the child, and waits for the lock. The parent then has the lock, too, because
 * flock(2) locks the open file, which child and parent share.
 */
static void block_in_flock(int fd, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	_exit(flock(fd, LOCK_EX) == 0 ? 0 : 1);
}

static int on_child(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct lock_wait *wait = data;

	(void)source;
	(void)fd;
	(void)events;
	return sd_event_exit(wait->event, 0);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
	struct lock_wait *wait = data;

	(void)source;
	(void)usec;
	return sd_event_exit(wait->event, 0);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct lock_wait *wait = data;

	(void)source;
	(void)info;
	wait->stopped = true;
	return sd_event_exit(wait->event, 0);
}

/*
 * Starts a child that blocks in flock(2), and ends the loop when the child ends. Only a
 * blocked flock(2) notices the release of a lock: inotify reports the close of the file
 * before the kernel drops the lock (__fput in fs/file_table.c).
 */
static int start_child(struct lock_wait *wait, int fd)
{
	pid_t parent = getpid();

	wait->pid = fork();
	if (wait->pid == 0)
		block_in_flock(fd, parent);
	if (wait->pid < 0) {
		wait->pid = 0;
		return -errno;
	}
	wait->pid_fd = pidfd_open(wait->pid, 0);
	if (wait->pid_fd < 0)
		return -errno;
	return sd_event_add_io(wait->event, &wait->child, wait->pid_fd, EPOLLIN, on_child, wait);
}

static int run_wait(struct lock_wait *wait, int fd, uint64_t timeout_us)
{
	uint64_t accuracy_us = 1;
	int r = sd_event_new(&wait->event);

	if (r >= 0)
		r = stop_signals_watch(wait->event, SD_EVENT_PRIORITY_IMPORTANT, on_stop, wait);
	if (r >= 0)
		r = sd_event_add_time_relative(wait->event, &wait->deadline, CLOCK_MONOTONIC,
					       timeout_us, accuracy_us, on_deadline, wait);
	if (r >= 0)
		r = start_child(wait, fd);
	if (r >= 0)
		r = sd_event_loop(wait->event);
	return r < 0 ? r : 0;
}

static void end_wait(struct lock_wait *wait)
{
	if (wait->pid > 0) {
		kill(wait->pid, SIGKILL);
		waitpid(wait->pid, NULL, 0);
	}
	sd_event_source_disable_unref(wait->child);
	sd_event_source_disable_unref(wait->deadline);
	sd_event_unref(wait->event);
	closep(&wait->pid_fd);
}

static int lock_within(int fd, uint64_t timeout_us)
{
	struct lock_wait wait = { .pid_fd = -EBADF };
	sigset_t before;
	int r = try_lock(fd);

	if (r != -EBUSY || timeout_us == 0)
		return r;
	sigprocmask(SIG_SETMASK, NULL, &before);
	r = run_wait(&wait, fd, timeout_us);
	end_wait(&wait);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (wait.stopped) {
		/* The wait has consumed the signal: raise SIGTERM for the caller's event loop. */
		raise(SIGTERM);
		return -EINTR;
	}
	return r < 0 ? r : try_lock(fd);
}

static void read_holder(int fd, char *ret, size_t size)
{
	char text[128];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	text_sanitize(text, n > 0 ? (size_t)n : 0, ret, size);
}

/* If this fails, e.g. because /run is full, the holder of the lock has no name. */
static void write_holder(int fd, const char *purpose)
{
	char text[128];
	int length = snprintf(text, sizeof(text), "%s, process %d", purpose, (int)getpid());

	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)length, 0);
}

int lock_describe_holder(const char *holder, struct error *error)
{
	assert(holder);
	return error_refuse(
		error, OUTCOME_BUSY,
		"another pmcoord is running (%s): wait until it has finished; see 'pmcoord status'",
		holder[0] ? holder : "unknown process");
}

int lock_take(const char *run_directory, const char *purpose, uint64_t timeout_us,
	      struct error *error)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int fd = -EBADF;
	char holder[128];
	int r = directory_make(run_directory);

	assert(purpose);
	if (r == 0 && asprintf(&path, "%s/lock", run_directory) < 0)
		r = -ENOMEM;
	if (r < 0)
		return error_set(error, r, "cannot create %s: %s", run_directory, strerror(-r));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(error, -errno, "cannot open %s: %s", path, strerror(errno));
	r = lock_within(fd, timeout_us);
	if (r == -EBUSY) {
		read_holder(fd, holder, sizeof(holder));
		return lock_describe_holder(holder, error);
	}
	if (r == -EINTR)
		return error_set(
			error, r,
			"interrupted while waiting for another pmcoord to finish; nothing was changed");
	if (r < 0)
		return error_set(error, r, "cannot lock %s: %s", path, strerror(-r));
	write_holder(fd, purpose);
	r = fd;
	fd = -EBADF;
	return r;
}

/*
 * Returns 1 if /proc/locks lists a flock(2) on this file, else 0, or a negative
 * errno. Does not try to take the lock, because another process that tries at the
 * same time would get -EBUSY.
 */
static int file_is_locked(const struct stat *file)
{
	_cleanup_(fclosep) FILE *locks = fopen("/proc/locks", "re");
	char line[256];

	if (!locks)
		return -errno;
	while (fgets(line, sizeof(line), locks)) {
		unsigned int major, minor;
		unsigned long inode;

		/* "7: FLOCK  ADVISORY  WRITE 812 00:1a:1234 0 EOF" */
		if (sscanf(line, "%*d: FLOCK %*s %*s %*d %x:%x:%lu", &major, &minor, &inode) == 3 &&
		    makedev(major, minor) == file->st_dev && inode == file->st_ino)
			return 1;
	}
	return 0;
}

int lock_holder(const char *run_directory, char *ret, size_t size)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int fd = -EBADF;
	struct stat st;
	int r;

	assert(run_directory && ret && size > 0);
	if (asprintf(&path, "%s/lock", run_directory) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = file_is_locked(&st);
	if (r > 0)
		read_holder(fd, ret, size);
	return r;
}
