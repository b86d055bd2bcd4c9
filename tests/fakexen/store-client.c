/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/store-client.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xenstore.h>

#include "tests/fakexen/faults.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/virtual-time.h"
#include "tests/fakexen/wakeup-fd.h"

#define LATENCY_US 50

struct event {
	char *path, *token;
	struct event *next;
};

struct xs_handle {
	struct store_connection *connection; /* NULL: xenstored has closed it */
	uint32_t domid;
	bool told; /* the first failure was reported as EPIPE */
	bool dead; /* the process was killed */
	struct event *events, **events_end;
	struct wakeup_fd wakeup;
	int fd;
	struct xs_handle *next;
};

static struct {
	struct xs_handle *handles;
	uint32_t domid;
	uint64_t latency_us;
	uint64_t silent_until_us;
	uint64_t n_requests;
	void (*before_end)(void *data);
	void *before_end_data;
	int listener;
	char socket_path[64];
} client = { .listener = -1 };

static void *require(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* ---- xenstored's behaviour ---------------------------------------------- */

static void stop_listening(void)
{
	if (client.listener < 0)
		return;
	close(client.listener);
	unlink(client.socket_path);
	client.listener = -1;
}

static void listen_on_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(client.socket_path, sizeof(client.socket_path), "/tmp/fakexen-store-%d",
		 (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", client.socket_path);
	unlink(client.socket_path);
	client.listener = fcntl(fd, F_DUPFD_CLOEXEC, WAKEUP_FD_MIN);
	close(fd);
	if (client.listener < 0 ||
	    bind(client.listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(client.listener, 1024) < 0)
		abort();
}

void store_client_start(void)
{
	store_client_stop();
	client.latency_us = LATENCY_US;
	listen_on_socket();
}

void store_client_stop(void)
{
	stop_listening();
	/* Handles that the program has not closed yet stay usable for xs_close(). */
	store_client_kill();
	client = (typeof(client)){ .handles = client.handles, .listener = -1 };
}

void store_client_act_as(uint32_t domid)
{
	client.domid = domid;
}

void store_client_set_latency(uint64_t us)
{
	client.latency_us = us;
}

void store_client_be_silent(uint64_t us)
{
	client.silent_until_us = virtual_time_now() + us;
}

uint64_t store_client_silence_left(void)
{
	uint64_t now_us = virtual_time_now();

	return client.silent_until_us > now_us ? client.silent_until_us - now_us : 0;
}

static void drop(struct xs_handle *handle)
{
	if (handle->connection)
		store_disconnect(handle->connection);
	handle->connection = NULL;
}

void store_client_lose(void)
{
	for (struct xs_handle *handle = client.handles; handle; handle = handle->next)
		if (handle->domid == 0)
			drop(handle);
}

void store_client_stop_daemon(void)
{
	stop_listening();
	store_client_lose();
}

void store_client_before_end(void (*handle)(void *data), void *data)
{
	client.before_end = handle;
	client.before_end_data = data;
}

void store_client_kill(void)
{
	for (struct xs_handle *handle = client.handles; handle; handle = handle->next) {
		if (handle->dead || handle->domid != client.domid)
			continue;
		drop(handle);
		handle->dead = true;
		close(handle->fd);
	}
}

uint64_t store_client_count(void)
{
	return client.n_requests;
}

/* ---- connections -------------------------------------------------------- */

const char *xs_daemon_socket(void)
{
	return client.socket_path;
}

static void update_fd(struct xs_handle *handle)
{
	if (!handle->dead)
		wakeup_fd_set(&handle->wakeup, handle->fd, handle->events != NULL, 1);
}

static void on_event(void *data, const char *path, const char *token)
{
	struct xs_handle *handle = data;
	struct event *event = require(calloc(1, sizeof(*event)));

	event->path = require(strdup(path));
	event->token = require(strdup(token));
	*handle->events_end = event;
	handle->events_end = &event->next;
	update_fd(handle);
}

struct xs_handle *xs_open(unsigned long flags)
{
	struct xs_handle *handle;

	(void)flags;
	if (client.listener < 0) {
		errno = ENOENT;
		return NULL;
	}
	if (faults_hit("xs_open", ""))
		return NULL;
	handle = require(calloc(1, sizeof(*handle)));
	handle->domid = client.domid;
	handle->events_end = &handle->events;
	handle->fd = wakeup_fd_open(&handle->wakeup);
	handle->connection = store_connect(client.domid, on_event, handle);
	handle->next = client.handles;
	client.handles = handle;
	return handle;
}

static struct event *take_event(struct xs_handle *handle)
{
	struct event *event = handle->events;

	handle->events = event->next;
	if (!handle->events)
		handle->events_end = &handle->events;
	return event;
}

static void free_event(struct event *event)
{
	free(event->path);
	free(event->token);
	free(event);
}

void xs_close(struct xs_handle *handle)
{
	struct xs_handle **place = &client.handles;

	if (!handle)
		return;
	drop(handle);
	while (*place != handle)
		place = &(*place)->next;
	*place = handle->next;
	while (handle->events)
		free_event(take_event(handle));
	if (!handle->dead)
		close(handle->fd);
	wakeup_fd_close(&handle->wakeup);
	free(handle);
}

int xs_fileno(struct xs_handle *handle)
{
	return handle->fd;
}

/* ---- requests ----------------------------------------------------------- */

/* Lets the request take its time. Returns whether xenstored handles it; else errno is set. */
static bool reaches_store(struct xs_handle *handle, const char *function, const char *path)
{
	uint64_t now = virtual_time_now();
	uint64_t answer_us = now + client.latency_us;

	if (handle->dead) {
		errno = EBADF;
		return false;
	}
	client.n_requests++;
	if (answer_us < client.silent_until_us)
		answer_us = client.silent_until_us;
	virtual_time_spend(answer_us - now);
	if (!handle->connection) {
		errno = handle->told ? EBADF : EPIPE;
		handle->told = true;
		return false;
	}
	return !faults_hit(function, path);
}

/* Converts a result of store.h to one of libxenstore. */
static bool succeeds(int r)
{
	if (r < 0)
		errno = -r;
	return r == 0;
}

void *xs_read(struct xs_handle *handle, xs_transaction_t transaction, const char *path,
	      unsigned int *ret_length)
{
	const struct store_node *node;
	char *value;

	if (!reaches_store(handle, "xs_read", path) ||
	    !succeeds(store_read(handle->connection, transaction, path, &node)))
		return NULL;
	value = require(malloc(node->length + 1));
	memcpy(value, node->value, node->length + 1);
	if (ret_length)
		*ret_length = (unsigned int)node->length;
	return value;
}

char **xs_directory(struct xs_handle *handle, xs_transaction_t transaction, const char *path,
		    unsigned int *ret_n)
{
	const struct store_node *node;
	size_t size = 0;
	char **names, *text;

	if (!reaches_store(handle, "xs_directory", path) ||
	    !succeeds(store_read(handle->connection, transaction, path, &node)))
		return NULL;
	for (size_t i = 0; i < node->n_children; i++)
		size += sizeof(*names) + strlen(node->children[i]->name) + 1;
	/* One allocation, as libxenstore's: the caller frees only the list. */
	names = require(malloc(size + 1));
	text = (char *)(names + node->n_children);
	for (size_t i = 0; i < node->n_children; i++) {
		names[i] = strcpy(text, node->children[i]->name);
		text += strlen(text) + 1;
	}
	*ret_n = (unsigned int)node->n_children;
	return names;
}

bool xs_write(struct xs_handle *handle, xs_transaction_t transaction, const char *path,
	      const void *data, unsigned int length)
{
	return reaches_store(handle, "xs_write", path) &&
	       succeeds(store_write(handle->connection, transaction, path, data, length));
}

bool xs_mkdir(struct xs_handle *handle, xs_transaction_t transaction, const char *path)
{
	return reaches_store(handle, "xs_mkdir", path) &&
	       succeeds(store_mkdir(handle->connection, transaction, path));
}

bool xs_rm(struct xs_handle *handle, xs_transaction_t transaction, const char *path)
{
	return reaches_store(handle, "xs_rm", path) &&
	       succeeds(store_remove(handle->connection, transaction, path));
}

struct xs_permissions *xs_get_permissions(struct xs_handle *handle, xs_transaction_t transaction,
					  const char *path, unsigned int *ret_n)
{
	const struct store_node *node;
	struct xs_permissions *permissions;

	if (!reaches_store(handle, "xs_get_permissions", path) ||
	    !succeeds(store_read(handle->connection, transaction, path, &node)))
		return NULL;
	permissions = require(calloc(node->n_permissions, sizeof(*permissions)));
	memcpy(permissions, node->permissions, node->n_permissions * sizeof(*permissions));
	*ret_n = (unsigned int)node->n_permissions;
	return permissions;
}

bool xs_set_permissions(struct xs_handle *handle, xs_transaction_t transaction, const char *path,
			struct xs_permissions *permissions, unsigned int n)
{
	return reaches_store(handle, "xs_set_permissions", path) &&
	       succeeds(store_set_permissions(handle->connection, transaction, path, permissions,
					      n));
}

/* ---- watches ------------------------------------------------------------ */

bool xs_watch(struct xs_handle *handle, const char *path, const char *token)
{
	return reaches_store(handle, "xs_watch", path) &&
	       succeeds(store_watch(handle->connection, path, token));
}

bool xs_unwatch(struct xs_handle *handle, const char *path, const char *token)
{
	return reaches_store(handle, "xs_unwatch", path) &&
	       succeeds(store_unwatch(handle->connection, path, token));
}

/* Returns an event in one allocation, as libxenstore does. */
static char **pack_event(const struct event *event)
{
	size_t path_size = strlen(event->path) + 1, token_size = strlen(event->token) + 1;
	char **result = require(malloc(2 * sizeof(*result) + path_size + token_size));
	char *text = (char *)(result + 2);

	result[XS_WATCH_PATH] = memcpy(text, event->path, path_size);
	result[XS_WATCH_TOKEN] = memcpy(text + path_size, event->token, token_size);
	return result;
}

char **xs_check_watch(struct xs_handle *handle)
{
	struct event *event;
	char **result;

	if (!handle->events || handle->dead) {
		errno = handle->connection ? EAGAIN : EINVAL;
		return NULL;
	}
	event = take_event(handle);
	result = pack_event(event);
	free_event(event);
	update_fd(handle);
	return result;
}

/* ---- transactions, domains ---------------------------------------------- */

xs_transaction_t xs_transaction_start(struct xs_handle *handle)
{
	xs_transaction_t transaction = XBT_NULL;

	if (reaches_store(handle, "xs_transaction_start", ""))
		succeeds(store_begin(handle->connection, &transaction));
	return transaction;
}

static void run_before_end(void)
{
	void (*handle)(void *data) = client.before_end;

	client.before_end = NULL;
	if (handle)
		handle(client.before_end_data);
}

bool xs_transaction_end(struct xs_handle *handle, xs_transaction_t transaction, bool abort)
{
	run_before_end();
	return reaches_store(handle, "xs_transaction_end", "") &&
	       succeeds(store_end(handle->connection, transaction, !abort));
}

bool xs_resume_domain(struct xs_handle *handle, unsigned int domid)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", domid);
	return reaches_store(handle, "xs_resume_domain", text) &&
	       succeeds(store_resume_domain(domid));
}
