/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shelld: runs the lab's commands in dom0, asked through a serial port.
 *
 * Usage: shelld /dev/ttyS1
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "frames.h"

#define JOBS_MAX 32
#define COMMAND_MAX (256u * 1024)
/* Above this much unsent output the commands' pipes are left alone until the port has caught up. */
#define BACKLOG_MAX (64u * 1024)

struct job {
	bool used;
	bool terminal;
	bool no_input;
	uint32_t id;
	pid_t pid; /* 0: still being told what to run */
	bool ended;
	int status;
	int in, out, err;
	uint32_t out_bytes, err_bytes;
	char *command;
	size_t command_length;
};

struct shelld {
	int port;
	int signals;
	uint32_t last_seq;
	struct job jobs[JOBS_MAX];
	uint8_t in[64 * 1024];
	size_t in_length;
	uint8_t *out;
	size_t out_length, out_size;
};

static void die(const char *what) {
	perror(what);
	exit(EXIT_FAILURE);
}

static uint32_t crc32_update(uint32_t crc, const void *data, size_t length) {
	const uint8_t *p = data;

	crc = ~crc;
	while (length--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (0xedb88320u & -(crc & 1));
	}
	return ~crc;
}

static uint32_t frame_crc(const struct frame_header *header, const void *payload) {
	return crc32_update(crc32_update(0, header, offsetof(struct frame_header, crc)), payload, header->length);
}

static void send_frame(struct shelld *s, enum frame_type type, uint32_t seq, uint32_t job, const void *payload, uint32_t length) {
	struct frame_header header = { FRAME_MAGIC, type, seq, job, length, 0 };
	size_t need = s->out_length + sizeof(header) + length;

	header.crc = frame_crc(&header, payload);
	if (need > s->out_size) {
		s->out_size = need * 2;
		s->out = realloc(s->out, s->out_size);
		if (!s->out)
			die("realloc");
	}
	memcpy(s->out + s->out_length, &header, sizeof(header));
	if (length > 0)
		memcpy(s->out + s->out_length + sizeof(header), payload, length);
	s->out_length = need;
}

static struct job *find_job(struct shelld *s, uint32_t id) {
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (s->jobs[i].used && s->jobs[i].id == id)
			return &s->jobs[i];
	return NULL;
}

static struct job *new_job(struct shelld *s, uint32_t id) {
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (!s->jobs[i].used) {
			s->jobs[i] = (struct job) { .used = true, .id = id, .in = -1, .out = -1, .err = -1 };
			return &s->jobs[i];
		}
	return NULL;
}

static void close_fd(int *fd) {
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void job_exec(const struct job *job) {
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execl("/bin/bash", "bash", "-c", job->command, (char *) NULL);
	_exit(127);
}

static int job_start_terminal(struct job *job) {
	int master;

	job->pid = forkpty(&master, NULL, NULL, NULL);
	if (job->pid < 0)
		return -errno;
	if (job->pid == 0) {
		setenv("TERM", "linux", 1);
		job_exec(job);
	}
	fcntl(master, F_SETFD, FD_CLOEXEC);
	fcntl(master, F_SETFL, O_NONBLOCK);
	job->out = master;
	return 0;
}

static int job_start_pipes(struct job *job) {
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		die("pipe2");
	job->pid = fork();
	if (job->pid < 0)
		die("fork");
	if (job->pid == 0) {
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		job_exec(job);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	job->in = in[1];
	job->out = out[0];
	job->err = err[0];
	if (job->no_input)
		close_fd(&job->in);
	return 0;
}

static void job_end(struct shelld *s, struct job *job) {
	uint32_t report[3] = { (uint32_t) job->status, job->out_bytes, job->err_bytes };

	send_frame(s, FRAME_EXIT, 0, job->id, report, sizeof(report));
	close_fd(&job->in);
	close_fd(&job->out);
	close_fd(&job->err);
	free(job->command);
	job->used = false;
}

/* Returns false when there is nothing more to be had from fd now. */
static bool job_read(struct shelld *s, struct job *job, int *fd, enum frame_type type, uint32_t *count) {
	uint8_t buffer[FRAME_PAYLOAD_MAX];
	ssize_t n;

	if (*fd < 0)
		return false;
	n = read(*fd, buffer, sizeof(buffer));
	if (n > 0) {
		*count += (uint32_t) n;
		send_frame(s, type, 0, job->id, buffer, (uint32_t) n);
		return true;
	}
	/* A terminal whose last user is gone says EIO. */
	if (n == 0 || errno != EAGAIN)
		close_fd(fd);
	return false;
}

/*
 * A command is over when its own process is; what it left in the background may hold the pipes open
 * for as long as it likes.
 */
static void job_finish_if_over(struct shelld *s, struct job *job) {
	if (!job->ended)
		return;
	while (job_read(s, job, &job->out, FRAME_OUT, &job->out_bytes))
		;
	while (job_read(s, job, &job->err, FRAME_ERR, &job->err_bytes))
		;
	job_end(s, job);
}

static void job_input(struct job *job, const void *payload, uint32_t length) {
	int fd = job->terminal ? job->out : job->in;
	const char *p = payload;

	if (fd < 0)
		return;
	if (length == 0 && !job->terminal) {
		close_fd(&job->in);
		return;
	}
	while (length > 0) {
		ssize_t n = write(fd, p, length);

		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return; /* its reader is gone, as in any pipeline */
		p += n;
		length -= (uint32_t) n;
	}
}

static void job_add_command(struct job *job, const char *payload, uint32_t length) {
	if (length < 1 || job->command_length + length > COMMAND_MAX)
		return;
	job->terminal = payload[0] == 't';
	job->command = realloc(job->command, job->command_length + length);
	if (!job->command)
		die("realloc");
	memcpy(job->command + job->command_length, payload + 1, length - 1);
	job->command_length += length - 1;
	job->command[job->command_length] = 0;
}

static void handle_frame(struct shelld *s, const struct frame_header *header, const uint8_t *payload) {
	struct job *job = find_job(s, header->job);
	uint32_t words[2] = { 0 };

	send_frame(s, FRAME_ACK, header->seq, 0, NULL, 0);
	if (header->seq == s->last_seq)
		return;
	s->last_seq = header->seq;
	memcpy(words, payload, header->length < sizeof(words) ? header->length : sizeof(words));
	if (!job && header->type == FRAME_RUN)
		job = new_job(s, header->job);
	if (!job)
		return;

	switch (header->type) {
	case FRAME_RUN:
		job_add_command(job, (const char *) payload, header->length);
		break;
	case FRAME_GO:
		if (job->pid != 0 || !job->command)
			break;
		job->no_input = header->length > 0 && payload[0] == '0';
		if ((job->terminal ? job_start_terminal(job) : job_start_pipes(job)) < 0) {
			job->status = 126 << 8;
			job_end(s, job);
		}
		break;
	case FRAME_INPUT:
		job_input(job, payload, header->length);
		break;
	case FRAME_SIGNAL:
		if (job->pid > 0)
			kill(-job->pid, (int) words[0]);
		break;
	case FRAME_WINDOW:
		if (job->terminal && job->out >= 0)
			ioctl(job->out, TIOCSWINSZ, &(struct winsize) { .ws_row = (unsigned short) words[0], .ws_col = (unsigned short) words[1] });
		break;
	}
}

/* Returns how many bytes at p are dealt with; 0 when more are needed. */
static size_t parse_frame(struct shelld *s, const uint8_t *p, size_t length) {
	struct frame_header header;

	if (length < sizeof(header))
		return 0;
	memcpy(&header, p, sizeof(header));
	if (header.magic != FRAME_MAGIC || header.length > FRAME_PAYLOAD_MAX)
		return 1;
	if (length < sizeof(header) + header.length)
		return 0;
	if (frame_crc(&header, p + sizeof(header)) != header.crc)
		return 1;
	handle_frame(s, &header, p + sizeof(header));
	return sizeof(header) + header.length;
}

static void port_read(struct shelld *s) {
	size_t done = 0, step;
	ssize_t n = read(s->port, s->in + s->in_length, sizeof(s->in) - s->in_length);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die("read");
	if (n <= 0)
		return;
	s->in_length += (size_t) n;
	while ((step = parse_frame(s, s->in + done, s->in_length - done)) > 0)
		done += step;
	memmove(s->in, s->in + done, s->in_length - done);
	s->in_length -= done;
}

static void port_write(struct shelld *s) {
	ssize_t n = write(s->port, s->out, s->out_length);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die("write");
	if (n <= 0)
		return;
	memmove(s->out, s->out + n, s->out_length - (size_t) n);
	s->out_length -= (size_t) n;
}

static void reap(struct shelld *s) {
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	if (read(s->signals, &info, sizeof(info)) < 0 && errno != EAGAIN)
		die("read signalfd");
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < JOBS_MAX; i++)
			if (s->jobs[i].used && s->jobs[i].pid == pid) {
				s->jobs[i].ended = true;
				s->jobs[i].status = status;
				job_finish_if_over(s, &s->jobs[i]);
			}
}

static int open_port(const char *path) {
	struct termios tio;
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		die(path);
	if (tcgetattr(fd, &tio) < 0)
		die("tcgetattr");
	cfmakeraw(&tio);
	cfsetspeed(&tio, B115200);
	tio.c_cflag |= CLOCAL | CREAD;
	tio.c_cflag &= (tcflag_t) ~CRTSCTS;
	if (tcsetattr(fd, TCSANOW, &tio) < 0)
		die("tcsetattr");
	tcflush(fd, TCIOFLUSH);
	return fd;
}

static void serve(struct shelld *s) {
	for (;;) {
		struct pollfd fds[2 + 2 * JOBS_MAX];
		bool room = s->out_length < BACKLOG_MAX;

		fds[0] = (struct pollfd) { s->port, (short) (POLLIN | (s->out_length > 0 ? POLLOUT : 0)), 0 };
		fds[1] = (struct pollfd) { s->signals, POLLIN, 0 };
		for (size_t i = 0; i < JOBS_MAX; i++) {
			const struct job *job = &s->jobs[i];

			fds[2 + 2 * i] = (struct pollfd) { job->used && room ? job->out : -1, POLLIN, 0 };
			fds[3 + 2 * i] = (struct pollfd) { job->used && room ? job->err : -1, POLLIN, 0 };
		}
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0 && errno != EINTR)
			die("poll");
		for (size_t i = 0; i < JOBS_MAX; i++) {
			struct job *job = &s->jobs[i];

			if (job->used && fds[2 + 2 * i].fd >= 0 && fds[2 + 2 * i].revents)
				job_read(s, job, &job->out, FRAME_OUT, &job->out_bytes);
			if (job->used && fds[3 + 2 * i].fd >= 0 && fds[3 + 2 * i].revents)
				job_read(s, job, &job->err, FRAME_ERR, &job->err_bytes);
		}
		if (fds[0].revents & POLLOUT)
			port_write(s);
		if (fds[0].revents & POLLIN)
			port_read(s);
		if (fds[1].revents)
			reap(s);
	}
}

int main(int argc, char **argv) {
	static struct shelld s;
	sigset_t chld;

	if (argc != 2) {
		fprintf(stderr, "Usage: %s PORT\n", argv[0]);
		return 2;
	}
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signal(SIGPIPE, SIG_IGN);
	s.signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.signals < 0)
		die("signalfd");
	s.port = open_port(argv[1]);
	serve(&s);
}
