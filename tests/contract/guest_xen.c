/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Xen's libraries as an agent finds them in a guest, for test_agent_guest.py, which loads this
 * before them. Nodes are files in $XEN_NODES, with '_' for '/'; no event ever arrives.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int store, device, device_fd;

static void find_node(const char *path, char ret[512])
{
	const char *nodes = getenv("XEN_NODES");

	snprintf(ret, 512, "%s/%s", nodes, path);
	for (char *at = ret + strlen(nodes) + 1; (at = strchr(at, '/'));)
		*at = '_';
}

void *xs_open(unsigned long flags)
{
	(void)flags;
	return &store;
}

void xs_close(void *handle)
{
	(void)handle;
}

void *xs_read(void *handle, uint32_t transaction, const char *path, unsigned int *length)
{
	char node[512], *text = calloc(1, 2048);
	FILE *file;

	(void)handle;
	(void)transaction;
	find_node(path, node);
	file = fopen(node, "re");
	if (!file) {
		free(text);
		errno = ENOENT;
		return NULL;
	}
	*length = (unsigned int)fread(text, 1, 2047, file);
	fclose(file);
	return text;
}

bool xs_write(void *handle, uint32_t transaction, const char *path, const void *data,
	      unsigned int length)
{
	char node[512];
	FILE *file;

	(void)handle;
	(void)transaction;
	find_node(path, node);
	file = fopen(node, "we");
	if (!file)
		return false;
	fwrite(data, 1, length, file);
	return fclose(file) == 0;
}

bool xs_rm(void *handle, uint32_t transaction, const char *path)
{
	char node[512];

	(void)handle;
	(void)transaction;
	find_node(path, node);
	return unlink(node) == 0;
}

bool xs_watch(void *handle, const char *path, const char *token)
{
	(void)handle;
	(void)path;
	(void)token;
	return true;
}

int xs_fileno(void *handle)
{
	(void)handle;
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

char **xs_check_watch(void *handle)
{
	(void)handle;
	errno = EAGAIN;
	return NULL;
}

void *xenevtchn_open(void *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	device_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return &device;
}

void *xenevtchn_fdopen(void *logger, int fd, unsigned int flags)
{
	(void)logger;
	(void)flags;
	device_fd = fd;
	return &device;
}

int xenevtchn_close(void *handle)
{
	(void)handle;
	return close(device_fd);
}

int xenevtchn_fd(void *handle)
{
	(void)handle;
	return device_fd;
}

int xenevtchn_bind_unbound_port(void *handle, uint32_t domid)
{
	(void)handle;
	return domid == 0 ? 41 : -1;
}

int xenevtchn_notify(void *handle, uint32_t port)
{
	(void)handle;
	return port == 41 || port == 17 ? 0 : -1;
}

int xenevtchn_unmask(void *handle, uint32_t port)
{
	return xenevtchn_notify(handle, port);
}
