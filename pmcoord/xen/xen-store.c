/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <xenstore.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

/*
 * The largest number of names that xen_store_list returns. No real directory of
 * devices has more, but a guest can fill its own directories.
 */
#define ENTRIES_MAX 256

struct xen_store {
	struct xs_handle *handle;
};

/* ---- connection --------------------------------------------------------- */

/*
 * Tries the socket. If no process listens on it, xs_open opens the kernel's
 * device instead. Without a xenstored, that device waits forever.
 */
bool xen_store_daemon_listens(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *path = xs_daemon_socket();

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

int xen_store_open(struct xen_store **ret_store)
{
	_cleanup_(freep) struct xen_store *store = calloc(1, sizeof(*store));

	assert(ret_store);
	if (!store)
		return -ENOMEM;
	store->handle = xs_open(0);
	if (!store->handle)
		return -errno;
	*ret_store = TAKE_PTR(store);
	return 0;
}

void xen_store_free(struct xen_store *store)
{
	if (!store)
		return;
	xs_close(store->handle);
	free(store);
}

/* ---- reading ------------------------------------------------------------ */

void xen_store_format_path(uint32_t domid, const char *node, char *ret)
{
	assert(node && ret);
	snprintf(ret, XEN_STORE_PATH_MAX, "/local/domain/%" PRIu32 "%s%s", domid,
		 node[0] ? "/" : "", node);
}

static char *read_path(struct xen_store *store, xs_transaction_t transaction, const char *path)
{
	unsigned int length;

	/* The length is not needed, because libxenstore appends a NUL. */
	return xs_read(store->handle, transaction, path, &length);
}

char *xen_store_read(struct xen_store *store, const char *path)
{
	assert(store && path);
	return read_path(store, XBT_NULL, path);
}

char *xen_store_read_domain(struct xen_store *store, uint32_t domid, const char *node)
{
	return xen_store_read_within(store, XBT_NULL, domid, node);
}

uint64_t xen_store_read_number(struct xen_store *store, uint32_t domid, const char *node,
			       uint64_t max, uint64_t fallback)
{
	_cleanup_(freep) char *text = xen_store_read_domain(store, domid, node);
	uint64_t number;

	return text && parse_u64(text, max, &number) == 0 ? number : fallback;
}

char **xen_store_list(struct xen_store *store, const char *path, unsigned int *ret_n)
{
	char **names = xs_directory(store->handle, XBT_NULL, path, ret_n);

	assert(path);
	if (!names)
		*ret_n = 0;
	if (*ret_n > ENTRIES_MAX)
		*ret_n = ENTRIES_MAX;
	return names;
}

/* ---- writing ------------------------------------------------------------ */

int xen_store_write_domain(struct xen_store *store, uint32_t domid, const char *node,
			   const char *text)
{
	return xen_store_write_within(store, XBT_NULL, domid, node, text);
}

int xen_store_publish(struct xen_store *store, uint32_t domid, const char *node, const char *text)
{
	struct xs_permissions permissions[2] = {
		{ .id = 0, .perms = XS_PERM_NONE },
		{ .id = domid, .perms = XS_PERM_READ },
	};
	char path[XEN_STORE_PATH_MAX];

	assert(store && text);
	xen_store_format_path(domid, node, path);
	/* Set permissions before the value, so that the domain can read the value at once. */
	if (!xs_mkdir(store->handle, XBT_NULL, path) ||
	    !xs_set_permissions(store->handle, XBT_NULL, path, permissions, 2))
		return -errno;
	return xen_store_write_domain(store, domid, node, text);
}

int xen_store_give(struct xen_store *store, uint32_t domid, const char *node)
{
	struct xs_permissions permissions = { .id = domid, .perms = XS_PERM_NONE };
	char path[XEN_STORE_PATH_MAX];

	assert(store);
	xen_store_format_path(domid, node, path);
	if (!xs_mkdir(store->handle, XBT_NULL, path) ||
	    !xs_set_permissions(store->handle, XBT_NULL, path, &permissions, 1))
		return -errno;
	return 0;
}

int xen_store_get_owner(struct xen_store *store, uint32_t domid, const char *node,
			uint32_t *ret_owner)
{
	_cleanup_(freep) struct xs_permissions *permissions = NULL;
	char path[XEN_STORE_PATH_MAX];
	unsigned int n;

	assert(store && ret_owner);
	xen_store_format_path(domid, node, path);
	permissions = xs_get_permissions(store->handle, XBT_NULL, path, &n);
	if (!permissions)
		return -errno;
	if (n == 0)
		return -EBADMSG;
	*ret_owner = permissions[0].id;
	return 0;
}

int xen_store_resume_domain(struct xen_store *store, uint32_t domid)
{
	return xs_resume_domain(store->handle, domid) ? 0 : -errno;
}

/* ---- transactions ------------------------------------------------------- */

int xen_store_begin(struct xen_store *store, uint32_t *ret_transaction)
{
	xs_transaction_t transaction = xs_transaction_start(store->handle);

	assert(ret_transaction);
	if (transaction == XBT_NULL)
		return -errno;
	*ret_transaction = transaction;
	return 0;
}

char *xen_store_read_within(struct xen_store *store, uint32_t transaction, uint32_t domid,
			    const char *node)
{
	char path[XEN_STORE_PATH_MAX];

	assert(store && node);
	xen_store_format_path(domid, node, path);
	return read_path(store, transaction, path);
}

int xen_store_write_within(struct xen_store *store, uint32_t transaction, uint32_t domid,
			   const char *node, const char *text)
{
	char path[XEN_STORE_PATH_MAX];

	assert(store && text);
	xen_store_format_path(domid, node, path);
	return xs_write(store->handle, transaction, path, text, (unsigned int)strlen(text))
		       ? 0
		       : -errno;
}

int xen_store_end(struct xen_store *store, uint32_t transaction, bool commit)
{
	return xs_transaction_end(store->handle, transaction, !commit) ? 0 : -errno;
}
