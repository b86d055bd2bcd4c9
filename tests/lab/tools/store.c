/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define EXIT_NO_STORE 125

static void die(const char *what) {
	fprintf(stderr, "xenstore: %s: %s\n", what, strerror(errno));
	exit(EXIT_NO_STORE);
}

static void read_all(const struct store *s, void *data, size_t length) {
	for (char *p = data; length > 0;) {
		ssize_t n = read(s->fd, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("read");
		p += n;
		length -= (size_t) n;
	}
}

/* Takes in one message; NULL if it was a watch's. */
static char *read_message(struct store *s, struct xsd_sockmsg *ret_header) {
	char *body;

	read_all(s, ret_header, sizeof(*ret_header));
	body = malloc(ret_header->len + 2u);
	if (!body)
		die("malloc");
	read_all(s, body, ret_header->len);
	/* One NUL ends a value, the second one a list of names. */
	body[ret_header->len] = body[ret_header->len + 1u] = 0;
	if (ret_header->type != XS_WATCH_EVENT)
		return body;
	s->watch_fired = true;
	free(body);
	return NULL;
}

/* The kernel wants a message in one piece. */
static char *request(struct store *s, uint32_t type, const void *a, size_t a_length, const void *b, size_t b_length, size_t *ret_length) {
	struct xsd_sockmsg header = { .type = type, .req_id = ++s->requests, .len = (uint32_t) (a_length + b_length) };
	char message[sizeof(header) + XENSTORE_PAYLOAD_MAX];
	char *body;

	if (header.len > XENSTORE_PAYLOAD_MAX)
		return NULL;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), a, a_length);
	if (b_length > 0)
		memcpy(message + sizeof(header) + a_length, b, b_length);
	if (write(s->fd, message, sizeof(header) + header.len) != (ssize_t) (sizeof(header) + header.len))
		die("write");
	do
		body = read_message(s, &header);
	while (!body);
	if (header.type == XS_ERROR) {
		free(body);
		return NULL;
	}
	if (ret_length)
		*ret_length = header.len;
	return body;
}

static bool succeeded(char *reply) {
	free(reply);
	return reply != NULL;
}

void store_open(struct store *s) {
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/xenstored/socket" };

	*s = (struct store) { .fd = -1 };
	if (access(address.sun_path, F_OK) == 0) {
		s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (s->fd < 0 || connect(s->fd, (struct sockaddr *) &address, sizeof(address)) < 0)
			die(address.sun_path);
		return;
	}
	s->fd = open("/dev/xen/xenbus", O_RDWR | O_CLOEXEC);
	if (s->fd < 0)
		die("/dev/xen/xenbus");
}

char *store_read(struct store *s, const char *path, size_t *ret_length) {
	return request(s, XS_READ, path, strlen(path) + 1, NULL, 0, ret_length);
}

bool store_write(struct store *s, const char *path, const void *value, size_t length) {
	return succeeded(request(s, XS_WRITE, path, strlen(path) + 1, value, length, NULL));
}

bool store_mkdir(struct store *s, const char *path) {
	return succeeded(request(s, XS_MKDIR, path, strlen(path) + 1, NULL, 0, NULL));
}

bool store_rm(struct store *s, const char *path) {
	return succeeded(request(s, XS_RM, path, strlen(path) + 1, NULL, 0, NULL));
}

char *store_directory(struct store *s, const char *path) {
	return request(s, XS_DIRECTORY, path, strlen(path) + 1, NULL, 0, NULL);
}

void store_watch(struct store *s, const char *path) {
	if (!succeeded(request(s, XS_WATCH, path, strlen(path) + 1, "watch", sizeof("watch"), NULL)))
		die(path);
}

bool store_is_introduced(struct store *s, unsigned int domid) {
	char text[16], *reply;
	bool introduced;

	snprintf(text, sizeof(text), "%u", domid);
	reply = request(s, XS_IS_DOMAIN_INTRODUCED, text, strlen(text) + 1, NULL, 0, NULL);
	introduced = reply && reply[0] == 'T';
	free(reply);
	return introduced;
}

void store_dispatch(struct store *s) {
	struct xsd_sockmsg header;

	free(read_message(s, &header));
}
