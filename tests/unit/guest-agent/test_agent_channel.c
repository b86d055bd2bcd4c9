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
	/* errno of the calls that fail; 0: they do not. */
	int read_error, rm_error, start_error, end_error, watch_error, check_error;
	int bind_error, pending_error, unmask_error;
	const char *refused_node; /* that cannot be written, or watched */
	int store_opens_left; /* if not 0: the number of calls until one fails */
	int event_fd, watch_fd;
	int unmasked, notified, bound;
	unsigned int last_port;
	int open_stores, open_devices;
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
	if (xen.no_store || (xen.store_opens_left > 0 && --xen.store_opens_left == 0))
		return NULL;
	xen.open_stores++;
	return &the_store;
}

void xs_close(struct xs_handle *handle)
{
	assert_ptr_equal(handle, &the_store);
	xen.open_stores--;
}

void *xs_read(struct xs_handle *handle, xs_transaction_t transaction, const char *path,
	      unsigned int *length)
{
	char *value = node(path);

	(void)handle;
	(void)transaction;
	errno = xen.read_error ? xen.read_error : ENOENT;
	if (xen.read_error || !value || strcmp(value, "(none)") == 0)
		return NULL;
	*length = (unsigned int)strlen(value);
	return strdup(value);
}

bool xs_write(struct xs_handle *handle, xs_transaction_t transaction, const char *path,
	      const void *data, unsigned int length)
{
	char *value = node(path);

	(void)handle;
	if (xen.refuse_write || (xen.refused_node && strcmp(path, xen.refused_node) == 0)) {
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
	errno = xen.rm_error;
	if (xen.rm_error)
		return false;
	strcpy(node(path), "(none)");
	return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *handle)
{
	(void)handle;
	errno = xen.start_error;
	if (xen.start_error)
		return XBT_NULL;
	strcpy(xen.new_state, xen.state);
	strcpy(xen.new_shutdown, xen.shutdown);
	return (xs_transaction_t)++xen.transactions;
}

bool xs_transaction_end(struct xs_handle *handle, xs_transaction_t transaction, bool abort)
{
	(void)handle;
	(void)transaction;
	xen.ends++;
	errno = xen.end_error;
	if (xen.end_error)
		return false;
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
	(void)token;
	errno = xen.watch_error;
	return !xen.watch_error || strcmp(path, xen.refused_node) != 0;
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
	errno = xen.check_error ? xen.check_error : EAGAIN;
	return NULL;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	errno = ENOENT;
	if (xen.no_device)
		return NULL;
	xen.open_devices++;
	return (xenevtchn_handle *)&xen;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int flags)
{
	(void)logger;
	(void)flags;
	if (fd != xen.event_fd)
		return NULL;
	xen.open_devices++;
	return (xenevtchn_handle *)&xen;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
	assert_ptr_equal(handle, &xen);
	xen.open_devices--;
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
	xen.last_port = port;
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
	errno = xen.bind_error;
	return xen.bind_error ? -1 : 40 + ++xen.bound;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
	uint64_t n;

	(void)handle;
	errno = xen.pending_error;
	if (xen.pending_error)
		return -1;
	/* The eventfd is a semaphore, so each read consumes one event. */
	assert_int_equal(read(xen.event_fd, &n, sizeof(n)), sizeof(n));
	return 41;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
	(void)handle;
	xen.last_port = port;
	errno = xen.unmask_error;
	if (xen.unmask_error)
		return -1;
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
	/* Whatever was opened is closed, also after a failure. */
	assert_int_equal(xen.open_stores, 0);
	assert_int_equal(xen.open_devices, 0);
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

/* ---- Calls that fail ---- */

static void opens_nothing_or_all(void **state)
{
	static const struct {
		int *error; /* NULL: xs_open() fails */
		const char *node;
		int r;
		const char *text;
	} cases[] = {
		{ NULL, NULL, -ENOENT,
		  "cannot open xenstore: No such file or directory; run pmcoord-agent as root in a Xen guest" },
		{ &xen.watch_error, PROTOCOL_NODE_REQUEST, -EACCES,
		  "cannot watch pmcoord/request or pmcoord/timeout-ms in xenstore: Permission denied" },
		{ &xen.watch_error, PROTOCOL_NODE_TIMEOUT, -EACCES,
		  "cannot watch pmcoord/request or pmcoord/timeout-ms in xenstore: Permission denied" },
		{ &xen.bind_error, NULL, -EACCES,
		  "cannot allocate an event channel for dom0: Permission denied" },
	};
	struct channel_past past = { .fd = -1 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct channel *channel = NULL;
		struct error error = { 0 };

		/* The second of two connections fails. */
		xen.store_opens_left = cases[i].error ? 0 : 2;
		if (cases[i].error)
			*cases[i].error = EACCES;
		xen.refused_node = cases[i].node;
		assert_int_equal(channel_open_xen(&past, &channel, &error), cases[i].r);
		assert_string_equal(error.text, cases[i].text);
		assert_null(channel);
		assert_int_equal(xen.open_stores, 0);
		assert_int_equal(xen.open_devices, 0);
		if (cases[i].error)
			*cases[i].error = 0;
	}
}

static void an_earlier_agents_port_that_is_not_valid_is_closed(void **state)
{
	struct channel_past past = { .fd = eventfd(0, EFD_CLOEXEC), .port = 17 };
	struct error error = { 0 };
	struct channel *channel;

	(void)state;
	/* No event channel device. */
	assert_int_equal(channel_open_xen(&past, &channel, &error), 0);
	assert_int_equal(close(past.fd), -1);
	assert_int_equal(channel->port, 41);
	assert_false(channel->kept);
	assert_int_equal(xen.open_devices, 1);
	channel_close(channel);
	past.fd = xen.event_fd;
	xen.unmask_error = EINVAL;
	assert_int_equal(channel_open_xen(&past, &channel, &error), 0);
	assert_int_equal(xen.last_port, 17);
	assert_int_equal(channel->port, 42);
	assert_false(channel->kept);
	assert_int_equal(xen.open_devices, 1);
	channel_close(channel);
	channel_close(NULL);
}

static void a_port_that_cannot_be_renewed_is_an_error(void **state)
{
	struct channel *channel = open_channel();
	struct error error = { 0 };

	(void)state;
	xen.no_device = true;
	assert_int_equal(channel->ops->renew(channel, &error), -ENOENT);
	assert_string_equal(
		error.text,
		"cannot open /dev/xen/evtchn: No such file or directory; load its driver with 'modprobe xen-evtchn'");
	assert_int_equal(xen.open_devices, 0);
	channel_close(channel);
}

static void reads_a_node_only_as_a_whole(void **state)
{
	struct channel *channel = open_channel();
	char text[16];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(channel->ops->read(channel, PROTOCOL_NODE_REQUEST, text, 9), 9);
	assert_memory_equal(text, "suspend 5x", 10);
	assert_int_equal(channel->ops->read(channel, PROTOCOL_NODE_REQUEST, text, 8), -EMSGSIZE);
	assert_int_equal(channel->ops->read(channel, PROTOCOL_NODE_DETAIL, text, 9), -ENOENT);
	xen.read_error = EACCES;
	assert_int_equal(channel->ops->read(channel, PROTOCOL_NODE_REQUEST, text, 9), -EACCES);
	channel_close(channel);
}

static void writes_and_removes_a_node(void **state)
{
	struct channel *channel = open_channel();

	(void)state;
	assert_int_equal(channel->ops->write(channel, PROTOCOL_NODE_STATE, "ready 6"), 0);
	assert_string_equal(xen.state, "ready 6");
	assert_int_equal(channel->ops->write(channel, PROTOCOL_NODE_STATE, NULL), 0);
	assert_string_equal(xen.state, "(none)");
	/* A node that is not there need not be removed. */
	xen.rm_error = ENOENT;
	assert_int_equal(channel->ops->write(channel, PROTOCOL_NODE_STATE, NULL), 0);
	xen.rm_error = EACCES;
	assert_int_equal(channel->ops->write(channel, PROTOCOL_NODE_STATE, NULL), -EACCES);
	xen.refuse_write = true;
	assert_int_equal(channel->ops->write(channel, PROTOCOL_NODE_STATE, "ready 6"), -EACCES);
	channel_close(channel);
}

/* Neither is written if one of them, or the transaction, fails. */
static void a_transaction_that_fails_writes_nothing(void **state)
{
	static const struct {
		int *error; /* NULL: the node cannot be written */
		const char *node;
		int value, r;
	} cases[] = {
		{ &xen.start_error, NULL, EACCES, -EACCES },
		/* A library function that has failed without an error. */
		{ &xen.read_error, NULL, -1, -EIO },
		{ &xen.read_error, NULL, EACCES, -EACCES },
		{ &xen.end_error, NULL, EACCES, -EACCES },
		{ NULL, PROTOCOL_NODE_STATE, 0, -EACCES },
		{ NULL, PROTOCOL_NODE_SHUTDOWN, 0, -EACCES },
	};
	struct channel *channel = open_channel();

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		for (int withdraws = 0; withdraws <= 1; withdraws++) {
			strcpy(xen.state, "ready 5");
			strcpy(xen.shutdown, withdraws ? "suspend" : "");
			xen.transactions = xen.ends = 0;
			if (cases[i].error)
				*cases[i].error = cases[i].value;
			xen.refused_node = cases[i].node;
			if (!withdraws)
				assert_int_equal(commit(channel), cases[i].r);
			/* A withdrawal does not write the state. */
			else if (cases[i].node && strcmp(cases[i].node, PROTOCOL_NODE_STATE) == 0)
				assert_int_equal(channel->ops->withdraw(channel), 0);
			else
				assert_int_equal(channel->ops->withdraw(channel), cases[i].r);
			if (cases[i].error)
				*cases[i].error = 0;
			assert_string_equal(xen.state, "ready 5");
			if (!withdraws)
				assert_string_equal(xen.shutdown, "");
			assert_int_equal(xen.transactions, xen.ends);
		}
	}
	channel_close(channel);
}

static void withdraws_nothing_that_is_longer(void **state)
{
	static const char *const others[] = {
		"suspend2",
		"suspends",
		"suspen",
		"a text that is longer than any request is",
	};
	struct channel *channel = open_channel();

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(others); i++) {
		strcpy(xen.shutdown, others[i]);
		assert_int_equal(channel->ops->withdraw(channel), 0);
		assert_string_equal(xen.shutdown, others[i]);
		assert_int_equal(xen.transactions, xen.ends);
	}
	strcpy(xen.request, "suspend 5, which is longer than any request");
	assert_int_equal(commit(channel), CHANNEL_RETRACTED);
	channel_close(channel);
}

static void gives_up_a_transaction_after_many_conflicts(void **state)
{
	struct channel *channel = open_channel();

	(void)state;
	xen.conflicts = 63;
	assert_int_equal(commit(channel), CHANNEL_COMMITTED);
	assert_int_equal(xen.transactions, 64);
	xen.conflicts = 64;
	assert_int_equal(commit(channel), -EAGAIN);
	assert_int_equal(xen.transactions, 128);
	channel_close(channel);
}

static void events_and_watches_that_fail_are_errors(void **state)
{
	struct channel *channel = open_channel();
	uint64_t three = 3;

	(void)state;
	assert_int_equal(channel->ops->notify(channel), 0);
	assert_int_equal(xen.notified, 1);
	assert_int_equal(xen.last_port, 41);
	xen.refuse_notify = true;
	assert_int_equal(channel->ops->notify(channel), -ENOTCONN);
	assert_int_equal(write(xen.event_fd, &three, sizeof(three)), 8);
	xen.pending_error = EBADF;
	assert_int_equal(channel->ops->drain(channel), -EBADF);
	xen.pending_error = 0;
	xen.unmask_error = EINVAL;
	assert_int_equal(channel->ops->drain(channel), -EINVAL);
	assert_int_equal(xen.last_port, 41);
	xen.unmask_error = 0;
	assert_int_equal(channel->ops->drain(channel), 2);
	assert_int_equal(write(xen.watch_fd, &three, sizeof(three)), 8);
	xen.check_error = EPIPE;
	assert_int_equal(channel->ops->take_watches(channel), -EPIPE);
	channel_close(channel);
}

static void shows_the_nodes_of_this_guest(void **state)
{
	static const char *const nodes[] = { PROTOCOL_NODE_STATE, PROTOCOL_NODE_DETAIL,
					     PROTOCOL_NODE_REQUEST };
	char texts[3][CHANNEL_TEXT_MAX];
	struct error error = { 0 };

	(void)state;
	memset(texts, 'x', sizeof(texts));
	strcpy(xen.state, "two\nlines");
	assert_int_equal(channel_peek_xen(nodes, 3, texts, &error), 0);
	assert_null(strchr(texts[0], '\n'));
	assert_int_equal(strncmp(texts[0], "two", 3), 0);
	assert_string_equal(texts[1], "");
	assert_string_equal(texts[2], "suspend 5");
	assert_int_equal(xen.open_stores, 0);
	xen.no_store = true;
	assert_int_equal(channel_peek_xen(nodes, 3, texts, &error), -ENOENT);
	assert_string_equal(
		error.text,
		"cannot open xenstore: No such file or directory; run pmcoord-agent as root in a Xen guest");
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
		TEST(opens_nothing_or_all),
		TEST(an_earlier_agents_port_that_is_not_valid_is_closed),
		TEST(a_port_that_cannot_be_renewed_is_an_error),
		TEST(reads_a_node_only_as_a_whole),
		TEST(writes_and_removes_a_node),
		TEST(a_transaction_that_fails_writes_nothing),
		TEST(withdraws_nothing_that_is_longer),
		TEST(gives_up_a_transaction_after_many_conflicts),
		TEST(events_and_watches_that_fail_are_errors),
		TEST(shows_the_nodes_of_this_guest),
	};

	return cmocka_run_group_tests_name("agent-channel", tests, NULL, NULL);
}
