/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guestexec: runs commands in a guest, asked by dom0 through xenstore; both ends, and small helpers for guests.
 *
 * In dom0:
 *   guestexec run DOMID SECONDS COMMAND   runs COMMAND in the guest, prints its output, exits with its status;
 *                                         125: the guest did not answer, or is gone
 *   guestexec wait DOMID SECONDS NODE     waits until NODE, below the domain's own path, exists
 * In a guest:
 *   guestexec serve                       runs what dom0 asks for
 *   guestexec heartbeat FILE              writes an increasing number to FILE, five times a second
 *   guestexec read PATH, write PATH VALUE xenstore, for guests that have no tools of their own
 * Anywhere:
 *   guestexec clocks                      prints CLOCK_REALTIME, _MONOTONIC and _BOOTTIME in microseconds
 *
 * Below data/lab in the guest's own path: run/ID holds the command, out/ID/{o,e}N the pieces of its output and
 * then out/ID/status its wait status. dom0 removes both when it has read them. It is all watches: no end polls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store.h"

#define JOBS_MAX 16
/* xenstored lets a guest have values of 2,048 bytes, and 1,000 nodes in all. */
#define PIECE_MAX 2000
#define OUTPUT_MAX (200u * PIECE_MAX)
#define EXIT_NO_ANSWER 125

struct output {
	int fd;
	char *data;
	size_t length;
};

struct job {
	bool used;
	char id[32];
	pid_t pid;
	struct output out, err;
};

static void die(const char *what) {
	perror(what);
	exit(EXIT_NO_ANSWER);
}

static uint64_t clock_us(clockid_t clock) {
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

__attribute__((format(printf, 2, 3))) static void format_path(char (*path)[256], const char *format, ...) {
	va_list args;

	va_start(args, format);
	vsnprintf(*path, sizeof(*path), format, args);
	va_end(args);
}

/* ---- guest ---- */

static void output_add(struct output *output, const char *data, size_t length) {
	/* The end of a long output says more than its beginning. */
	if (output->length + length > OUTPUT_MAX) {
		size_t surplus = output->length + length - OUTPUT_MAX;

		memmove(output->data, output->data + surplus, output->length - surplus);
		output->length -= surplus;
	}
	output->data = realloc(output->data, output->length + length + 1);
	if (!output->data)
		die("realloc");
	memcpy(output->data + output->length, data, length);
	output->length += length;
}

static bool output_read(struct output *output) {
	char buffer[PIECE_MAX];
	ssize_t n;

	if (output->fd < 0)
		return false;
	n = read(output->fd, buffer, sizeof(buffer));
	if (n > 0) {
		output_add(output, buffer, (size_t) n);
		return true;
	}
	if (n == 0 || errno != EAGAIN) {
		close(output->fd);
		output->fd = -1;
	}
	return false;
}

static void output_send(struct store *store, const char *id, char kind, struct output *output) {
	char path[256];
	unsigned int piece = 0;

	for (size_t sent = 0; sent < output->length; piece++) {
		size_t length = output->length - sent < PIECE_MAX ? output->length - sent : PIECE_MAX;

		format_path(&path, "data/lab/out/%s/%c%u", id, kind, piece);
		if (!store_write(store, path, output->data + sent, length))
			die(path);
		sent += length;
	}
	if (output->fd >= 0)
		close(output->fd);
	free(output->data);
	*output = (struct output) { .fd = -1 };
}

static void job_end(struct store *store, struct job *job, int status) {
	char path[256], text[16];

	while (output_read(&job->out))
		;
	while (output_read(&job->err))
		;
	output_send(store, job->id, 'o', &job->out);
	output_send(store, job->id, 'e', &job->err);
	format_path(&path, "data/lab/out/%s/status", job->id);
	snprintf(text, sizeof(text), "%d", status);
	if (!store_write(store, path, text, strlen(text)))
		die(path);
	job->used = false;
}

static void job_start(struct job *job, const char *id, const char *command) {
	int out[2], err[2];

	*job = (struct job) { .used = true };
	snprintf(job->id, sizeof(job->id), "%s", id);
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		die("pipe2");
	job->pid = fork();
	if (job->pid < 0)
		die("fork");
	if (job->pid == 0) {
		int null = open("/dev/null", O_RDONLY);
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		dup2(null, 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		execl("/bin/sh", "sh", "-c", command, (char *) NULL);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	job->out.fd = out[0];
	job->err.fd = err[0];
}

static struct job *find_free_job(struct job *jobs) {
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (!jobs[i].used)
			return &jobs[i];
	return NULL;
}

/* Any firing of the watch means: look at everything. A taken command is removed, so it is never taken twice. */
static void take_commands(struct store *store, struct job *jobs) {
	char *ids = store_directory(store, "data/lab/run");

	for (const char *id = ids; id && id[0]; id += strlen(id) + 1) {
		struct job *job = find_free_job(jobs);
		char path[256], *command;

		if (!job)
			break;
		format_path(&path, "data/lab/run/%s", id);
		command = store_read(store, path, NULL);
		if (command && store_rm(store, path))
			job_start(job, id, command);
		free(command);
	}
	free(ids);
}

static void reap(struct store *store, struct job *jobs) {
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < JOBS_MAX; i++)
			if (jobs[i].used && jobs[i].pid == pid)
				job_end(store, &jobs[i], status);
}

__attribute__((noreturn)) static void serve(void) {
	static struct job jobs[JOBS_MAX];
	struct signalfd_siginfo info;
	struct store store;
	sigset_t chld;
	int signals;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	store_open(&store);
	/* The directories are made here so that they belong to the guest, whoever writes below them. */
	if (signals < 0 || !store_mkdir(&store, "data/lab/run") || !store_mkdir(&store, "data/lab/out"))
		die("serve");
	store_watch(&store, "data/lab/run");
	if (!store_write(&store, "data/lab/up", "1", 1))
		die("serve");
	for (;;) {
		struct pollfd fds[2 + 2 * JOBS_MAX] = { { signals, POLLIN, 0 }, { store.fd, POLLIN, 0 } };

		for (size_t i = 0; i < JOBS_MAX; i++) {
			fds[2 + 2 * i] = (struct pollfd) { jobs[i].used ? jobs[i].out.fd : -1, POLLIN, 0 };
			fds[3 + 2 * i] = (struct pollfd) { jobs[i].used ? jobs[i].err.fd : -1, POLLIN, 0 };
		}
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), store.watch_fired ? 0 : -1) < 0)
			die("poll");
		for (size_t i = 0; i < JOBS_MAX; i++) {
			if (fds[2 + 2 * i].revents)
				output_read(&jobs[i].out);
			if (fds[3 + 2 * i].revents)
				output_read(&jobs[i].err);
		}
		if (fds[0].revents && read(signals, &info, sizeof(info)) > 0)
			reap(&store, jobs);
		if (fds[1].revents)
			store_dispatch(&store);
		/* A command left over for want of a free job is taken when one ends. */
		store.watch_fired = false;
		take_commands(&store, jobs);
	}
}

__attribute__((noreturn)) static void heartbeat(const char *path) {
	struct timespec pause = { .tv_nsec = 200 * 1000 * 1000 };
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		die(path);
	for (unsigned int beat = 1;; beat++) {
		char text[16];
		int length = snprintf(text, sizeof(text), "%u\n", beat);

		if (pwrite(fd, text, (size_t) length, 0) != length)
			die("pwrite");
		nanosleep(&pause, NULL);
	}
}

static int read_node(const char *path) {
	struct store store;
	char *value;

	store_open(&store);
	value = store_read(&store, path, NULL);
	if (!value)
		return EXIT_FAILURE;
	puts(value);
	free(value);
	return 0;
}

static int write_node(const char *path, const char *value) {
	struct store store;

	store_open(&store);
	return store_write(&store, path, value, strlen(value)) ? 0 : EXIT_FAILURE;
}

static int remove_node(const char *path) {
	struct store store;

	store_open(&store);
	return store_rm(&store, path) ? 0 : EXIT_FAILURE;
}

/* ---- dom0 ---- */

/* Waits until path exists. False: it took too long, or the domain is gone. */
static bool wait_for_node(struct store *store, unsigned int domid, const char *path, uint64_t deadline_us) {
	store_watch(store, path);
	store_watch(store, "@releaseDomain");
	for (;;) {
		struct pollfd fd = { store->fd, POLLIN, 0 };
		uint64_t now;
		char *value;

		store->watch_fired = false;
		value = store_read(store, path, NULL);
		free(value);
		if (value)
			return true;
		if (!store_is_introduced(store, domid)) {
			fprintf(stderr, "guestexec: domain %u is gone\n", domid);
			return false;
		}
		if (store->watch_fired)
			continue;
		now = clock_us(CLOCK_MONOTONIC);
		if (now >= deadline_us || poll(&fd, 1, (int) ((deadline_us - now) / 1000 + 1)) == 0) {
			fprintf(stderr, "guestexec: domain %u did not answer in time (%s)\n", domid, path);
			return false;
		}
		store_dispatch(store);
	}
}

static void print_output(struct store *store, const char *out, char kind, FILE *to) {
	for (unsigned int piece = 0;; piece++) {
		size_t length;
		char path[256], *data;

		format_path(&path, "%s/%c%u", out, kind, piece);
		data = store_read(store, path, &length);
		if (!data)
			break;
		fwrite(data, 1, length, to);
		free(data);
	}
	fflush(to);
}

static int run(unsigned int domid, uint64_t deadline_us, const char *command) {
	char run_path[256], out_path[256], status_path[256], id[64], *text;
	struct store store;
	int status;

	if (strlen(command) >= PIECE_MAX) {
		fprintf(stderr, "guestexec: a command may have %d bytes\n", PIECE_MAX - 1);
		return EXIT_NO_ANSWER;
	}
	snprintf(id, sizeof(id), "%d-%" PRIu64, getpid(), clock_us(CLOCK_BOOTTIME));
	format_path(&run_path, "/local/domain/%u/data/lab/run/%s", domid, id);
	format_path(&out_path, "/local/domain/%u/data/lab/out/%s", domid, id);
	format_path(&status_path, "/local/domain/%u/data/lab/out/%s/status", domid, id);
	store_open(&store);
	if (!store_is_introduced(&store, domid)) {
		fprintf(stderr, "guestexec: there is no domain %u\n", domid);
		return EXIT_NO_ANSWER;
	}
	if (!store_write(&store, run_path, command, strlen(command)))
		die(run_path);
	if (!wait_for_node(&store, domid, status_path, deadline_us)) {
		store_rm(&store, run_path); /* not to be run by a guest that wakes up later */
		return EXIT_NO_ANSWER;
	}
	print_output(&store, out_path, 'o', stdout);
	print_output(&store, out_path, 'e', stderr);
	text = store_read(&store, status_path, NULL);
	status = text ? atoi(text) : EXIT_NO_ANSWER << 8;
	free(text);
	store_rm(&store, out_path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int wait_command(unsigned int domid, uint64_t deadline_us, const char *node) {
	struct store store;
	char path[256];

	store_open(&store);
	format_path(&path, "/local/domain/%u/%s", domid, node);
	return wait_for_node(&store, domid, path, deadline_us) ? 0 : EXIT_NO_ANSWER;
}

int main(int argc, char **argv) {
	uint64_t deadline_us = argc == 5 ? clock_us(CLOCK_MONOTONIC) + (uint64_t) (atof(argv[3]) * 1e6) : 0;

	if (argc == 5 && strcmp(argv[1], "run") == 0)
		return run((unsigned int) atoi(argv[2]), deadline_us, argv[4]);
	if (argc == 5 && strcmp(argv[1], "wait") == 0)
		return wait_command((unsigned int) atoi(argv[2]), deadline_us, argv[4]);
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		serve();
	if (argc == 3 && strcmp(argv[1], "heartbeat") == 0)
		heartbeat(argv[2]);
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return read_node(argv[2]);
	if (argc == 4 && strcmp(argv[1], "write") == 0)
		return write_node(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "remove") == 0)
		return remove_node(argv[2]);
	if (argc == 2 && strcmp(argv[1], "clocks") == 0) {
		uint64_t realtime = clock_us(CLOCK_REALTIME), monotonic = clock_us(CLOCK_MONOTONIC), boottime = clock_us(CLOCK_BOOTTIME);

		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", realtime, monotonic, boottime);
		return 0;
	}
	fprintf(stderr, "Usage: %s run DOMID SECONDS COMMAND | wait DOMID SECONDS NODE | serve | heartbeat FILE | read PATH | write PATH VALUE | remove PATH | clocks\n", argv[0]);
	return 2;
}
