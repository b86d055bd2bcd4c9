/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests channel-xen.c. This program replaces Xen's libraries by a store with a few nodes,
 * whose transactions fail on request, and by one port.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <xenevtchn.h>
#include <xenstore.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "channel.h"

static struct {
	char request[64], state[64], shutdown[64];
	/* What the current transaction has written. */
	char new_state[64], new_shutdown[64];
	int conflicts; /* the number of commits that will fail */
	const char *then; /* the request after a conflict */
	int transactions, ends;
	bool no_store, no_device, refuse_notify, refuse_write;
	int event_fd, watch_fd;
	int unmasked, notified, bound;
} xen;

struct xs_handle {
	int unused;
};

static struct xs_handle the_store;

static char *node(const char *name)
{
	if (strcmp(name, PROTOCOL_NODE_REQUEST) == 0)
		return xen.request;
	if (strcmp(name, PROTOCOL_NODE_STATE) == 0)
		return xen.state;
	if (strcmp(name, PROTOCOL_NODE_SHUTDOWN) == 0)
		return xen.shutdown;
	return NULL;
}

struct xs_handle *xs_open(unsigned long flags)
{
	(void)flags;
	errno = ENOENT;
	return xen.no_store ? NULL : &the_store;
}

void xs_close(struct xs_handle *handle)
{
	(void)handle;
}

void *xs_read(struct xs_handle *handle, xs_transaction_t transaction, const char *path,
	      unsigned int *length)
{
	char *value = node(path);

	(void)handle;
	(void)transaction;
	if (!value || strcmp(value, "(none)") == 0) {
		errno = ENOENT;
		return NULL;
	}
	*length = (unsigned int)strlen(value);
	return strdup(value);
}

bool xs_write(struct xs_handle *handle, xs_transaction_t transaction, const char *path,
	      const void *data, unsigned int length)
{
	char *value = node(path);

	(void)handle;
	if (xen.refuse_write) {
		errno = EACCES;
		return false;
	}
	if (transaction != XBT_NULL)
		value = value == xen.state ? xen.new_state : xen.new_shutdown;
	snprintf(value, 64, "%.*s", (int)length, (const char *)data);
	return true;
}

bool xs_rm(struct xs_handle *handle, xs_transaction_t transaction, const char *path)
{
	(void)handle;
	(void)transaction;
	strcpy(node(path), "(none)");
	return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *handle)
{
	(void)handle;
	strcpy(xen.new_state, xen.state);
	strcpy(xen.new_shutdown, xen.shutdown);
	return (xs_transaction_t)++xen.transactions;
}

bool xs_transaction_end(struct xs_handle *handle, xs_transaction_t transaction, bool abort)
{
	(void)handle;
	(void)transaction;
	xen.ends++;
	if (abort)
		return true;
	if (xen.conflicts > 0) {
		xen.conflicts--;
		if (xen.then)
			strcpy(xen.request, xen.then);
		errno = EAGAIN;
		return false;
	}
	strcpy(xen.state, xen.new_state);
	strcpy(xen.shutdown, xen.new_shutdown);
	return true;
}

bool xs_watch(struct xs_handle *handle, const char *path, const char *token)
{
	(void)handle;
	(void)path;
	(void)token;
	return true;
}

int xs_fileno(struct xs_handle *handle)
{
	(void)handle;
	return xen.watch_fd;
}

char **xs_check_watch(struct xs_handle *handle)
{
	uint64_t n;

	(void)handle;
	if (read(xen.watch_fd, &n, sizeof(n)) == sizeof(n))
		return calloc(2, sizeof(char *));
	errno = EAGAIN;
	return NULL;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	errno = ENOENT;
	return xen.no_device ? NULL : (xenevtchn_handle *)&xen;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return fd == xen.event_fd ? (xenevtchn_handle *)&xen : NULL;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
	(void)handle;
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
	(void)handle;
	return xen.event_fd;
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	(void)handle;
	(void)port;
	errno = ENOTCONN;
	if (xen.refuse_notify)
		return -1;
	xen.notified++;
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *handle, uint32_t domid)
{
	(void)handle;
	assert_int_equal(domid, 0);
	return 40 + ++xen.bound;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
	uint64_t n;

	(void)handle;
	/* The eventfd is a semaphore, so each read consumes one event. */
	assert_int_equal(read(xen.event_fd, &n, sizeof(n)), sizeof(n));
	return 41;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
	(void)handle;
	(void)port;
	xen.unmasked++;
	return 0;
}

/* ---- Tests ---- */

static int setup_xen(void **state)
{
	(void)state;
	memset(&xen, 0, sizeof(xen));
	strcpy(xen.request, "suspend 5");
	strcpy(xen.state, "ready 5");
	xen.event_fd = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE | EFD_CLOEXEC);
	xen.watch_fd = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE | EFD_CLOEXEC);
	return 0;
}

static int teardown_xen(void **state)
{
	(void)state;
	close(xen.event_fd);
	close(xen.watch_fd);
	return 0;
}

static struct channel *open_channel(void)
{
	struct channel_past past = { .fd = -1 };
	struct error error = { 0 };
	struct channel *channel;

	assert_int_equal(channel_open_xen(&past, &channel, &error), 0);
	assert_int_equal(channel->port, 41);
	assert_false(channel->kept);
	return channel;
}

static const struct protocol_request suspend_5 = { PROTOCOL_SUSPEND, 5 };
static const struct protocol_state quiesced_5 = { PROTOCOL_AGENT_QUIESCED, 5 };

static int commit(struct channel *channel)
{
	return channel->ops->commit(channel, &suspend_5, &quiesced_5);
}

static void commits_state_and_shutdown_together(void **state)
{
	struct channel *channel = open_channel();

	(void)state;
	assert_int_equal(commit(channel), CHANNEL_COMMITTED);
	assert_string_equal(xen.state, "quiesced 5");
	assert_string_equal(xen.shutdown, "suspend");
	assert_int_equal(xen.transactions, xen.ends);
	channel_close(channel);
}

static void does_not_commit_another_request(void **state)
{
	static const char *const others[] = { "abort 5", "suspend 6",  "(none)",
					      "suspend", "suspend 5 ", "" };
	struct channel *channel = open_channel();

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(others); i++) {
		strcpy(xen.request, others[i]);
		assert_int_equal(commit(channel), CHANNEL_RETRACTED);
		assert_string_equal(xen.state, "ready 5");
		assert_string_equal(xen.shutdown, "");
	}
	assert_int_equal(xen.transactions, xen.ends);
	channel_close(channel);
}

static void reads_the_request_again_after_a_conflict(void **state)
{
	struct channel *channel = open_channel();

	(void)state;
	xen.conflicts = 3;
	assert_int_equal(commit(channel), CHANNEL_COMMITTED);
	assert_int_equal(xen.transactions, 4);
	strcpy(xen.state, "ready 5");
	strcpy(xen.shutdown, "");
	/* The conflict arises because dom0 writes an abort. */
	xen.conflicts = 1;
	xen.then = "abort 5";
	assert_int_equal(commit(channel), CHANNEL_RETRACTED);
	assert_string_equal(xen.state, "ready 5");
	assert_string_equal(xen.shutdown, "");
	/* Conflicts without an end are an error. */
	strcpy(xen.request, "suspend 5");
	xen.then = NULL;
	xen.conflicts = 1 << 20;
	assert_int_equal(commit(channel), -EAGAIN);
	assert_int_equal(xen.transactions, xen.ends);
	channel_close(channel);
}

static void reports_a_refused_write(void **state)
{
	struct channel *channel = open_channel();

	(void)state;
	xen.refuse_write = true;
	assert_int_equal(commit(channel), -EACCES);
	assert_int_equal(xen.transactions, xen.ends);
	channel_close(channel);
}

static void withdraws_only_its_own_unacknowledged_shutdown(void **state)
{
	static const char *const before[] = { "suspend", "", "poweroff", "(none)" };
	static const char *const after[] = { "", "", "poweroff", "(none)" };
	struct channel *channel = open_channel();

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(before); i++) {
		strcpy(xen.shutdown, before[i]);
		assert_int_equal(channel->ops->withdraw(channel), 0);
		assert_string_equal(xen.shutdown, after[i]);
	}
	channel_close(channel);
}

static void drains_all_events_and_unmasks_the_port(void **state)
{
	struct channel *channel = open_channel();
	uint64_t three = 3;

	(void)state;
	assert_int_equal(channel->ops->drain(channel), 0);
	assert_int_equal(write(xen.event_fd, &three, sizeof(three)), 8);
	assert_int_equal(channel->ops->drain(channel), 3);
	assert_int_equal(xen.unmasked, 3);
	assert_int_equal(channel->ops->drain(channel), 0);
	assert_int_equal(write(xen.watch_fd, &three, sizeof(three)), 8);
	assert_int_equal(channel->ops->take_watches(channel), 3);
	assert_int_equal(channel->ops->take_watches(channel), 0);
	channel_close(channel);
}

static void keeps_an_earlier_agents_port_if_it_is_valid(void **state)
{
	struct channel_past past = { .fd = xen.event_fd, .port = 17 };
	struct error error = { 0 };
	struct channel *channel;

	(void)state;
	assert_int_equal(channel_open_xen(&past, &channel, &error), 0);
	assert_int_equal(channel->port, 17);
	assert_true(channel->kept);
	assert_int_equal(xen.unmasked, 1);
	assert_int_equal(xen.bound, 0);
	channel_close(channel);
	xen.refuse_notify = true;
	assert_int_equal(channel_open_xen(&past, &channel, &error), 0);
	assert_int_equal(channel->port, 41);
	assert_false(channel->kept);
	assert_int_equal(channel->ops->renew(channel, &error), 0);
	assert_int_equal(channel->port, 42);
	channel_close(channel);
}

static void fails_with_advice_without_xen(void **state)
{
	struct channel_past past = { .fd = -1 };
	struct error error = { 0 };
	struct channel *channel;

	(void)state;
	xen.no_device = true;
	assert_int_equal(channel_open_xen(&past, &channel, &error), -ENOENT);
	assert_non_null(strstr(error.text, "modprobe xen-evtchn"));
	error = (struct error){ 0 };
	xen.no_store = true;
	assert_int_equal(channel_open_xen(&past, &channel, &error), -ENOENT);
	assert_non_null(strstr(error.text, "as root in a Xen guest"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_xen, teardown_xen)
	const struct CMUnitTest tests[] = {
		TEST(commits_state_and_shutdown_together),
		TEST(does_not_commit_another_request),
		TEST(reads_the_request_again_after_a_conflict),
		TEST(reports_a_refused_write),
		TEST(withdraws_only_its_own_unacknowledged_shutdown),
		TEST(drains_all_events_and_unmasks_the_port),
		TEST(keeps_an_earlier_agents_port_if_it_is_valid),
		TEST(fails_with_advice_without_xen),
	};

	return cmocka_run_group_tests_name("agent-channel", tests, NULL, NULL);
}
