/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/lease.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "pmcoord/error.h"
#include "host/loop-event.h"

struct lease {
	int fd;
	struct job_outcome outcome;
	bool was_ready; /* the daemon has sent READY=1 */
	bool is_over; /* the outcome was received, or the daemon has died */
	int error; /* 0, or -ECONNRESET if the daemon died before it sent the outcome */
};

/*
 * Handles a message of the daemon: the outcome
 * "EXIT=<code>\nMESSAGE=<sentence>", or any other text, which is passed to
 * sd_notify(3).
 */
static void handle_message(struct lease *lease, const char *text)
{
	static const char message_key[] = "\nMESSAGE=";
	const char *message = strstr(text, message_key);
	int result;

	if (sscanf(text, "EXIT=%d", &result) == 1 && message) {
		lease->outcome.result = job_result_of_number(result);
		snprintf(lease->outcome.message, sizeof(lease->outcome.message), "%s",
			 message + strlen(message_key));
		lease->is_over = true;
		return;
	}
	if (strncmp(text, "READY=1", 7) == 0)
		lease->was_ready = true;
	sd_notify(0, text);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct lease *lease = data;
	char text[ERROR_TEXT_MAX + 64];
	ssize_t n;

	(void)source;
	(void)events;
	while ((n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[n] = '\0';
		handle_message(lease, text);
	}
	if (n == 0 && !lease->is_over) {
		lease->error = -ECONNRESET;
		lease->is_over = true;
	}
	return 0;
}

int lease_hold(int fd, struct loop *loop, struct job_outcome *ret_outcome, bool *ret_was_ready)
{
	struct lease lease = { .fd = fd };
	sd_event_source *source = NULL;
	int r = sd_event_add_io(loop_event(loop), &source, fd, EPOLLIN, on_readable, &lease);

	assert(fd >= 0 && ret_outcome && ret_was_ready);
	while (r >= 0 && !lease.is_over) {
		r = loop->ops->wait(loop, LOOP_FOREVER);
		if (loop_take_signal(loop))
			shutdown(fd, SHUT_WR);
	}
	sd_event_source_unref(source);
	if (r < 0)
		return r;
	*ret_was_ready = lease.was_ready;
	if (lease.error == 0)
		*ret_outcome = lease.outcome;
	return lease.error;
}
