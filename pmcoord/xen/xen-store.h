/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_STORE_H
#define PMCOORD_XEN_XEN_STORE_H

/*
 * Xenstore: reads, writes and transactions, most of them relative to a
 * domain's own path. Changes are reported elsewhere (xen-watches.h): a
 * connection with watches has a thread that reads and passes on each answer;
 * this one has none, and returns answers sooner.
 *
 * What a guest has written is untrusted: strings are returned as they are, and
 * directories bounded. Strings and lists are the caller's to free. Unless said
 * otherwise a function waits for one answer of xenstored, and returns 0 or a
 * negative errno.
 */

#include <stdbool.h>
#include <stdint.h>

/* An open connection to xenstored. */
struct xen_store;

/* Longest path that is read or written, with its NUL. */
#define XEN_STORE_PATH_MAX 256

/*
 * Whether a xenstored process answers on its socket. Where none does and no
 * xenstore domain runs either, xen_store_open would wait forever.
 */
bool xen_store_daemon_listens(void);

int xen_store_open(struct xen_store **ret_store);
void xen_store_free(struct xen_store *store);

/* Writes "/local/domain/<domid>/<node>" to `ret` (XEN_STORE_PATH_MAX bytes). */
void xen_store_format_path(uint32_t domid, const char *node, char *ret);

/*
 * Reads a node as a string. NULL, with errno: ENOENT, or what failed. A value
 * with a NUL inside ends there.
 */
char *xen_store_read(struct xen_store *store, const char *path);
char *xen_store_read_domain(struct xen_store *store, uint32_t domid, const char *node);

/* A number of a domain; `fallback` unless there is one that is <= `max`. */
uint64_t xen_store_read_number(struct xen_store *store, uint32_t domid, const char *node,
			       uint64_t max, uint64_t fallback);

/*
 * The names below a path, freed as one; NULL and 0 if there are none. Of a
 * directory with more than 256 only those are returned.
 */
char **xen_store_list(struct xen_store *store, const char *path, unsigned int *ret_n);

/* Writes a node of a domain; one that exists keeps its permissions. */
int xen_store_write_domain(struct xen_store *store, uint32_t domid, const char *node,
			   const char *text);

/*
 * Writes a node of dom0 that the domain alone can read beside it. Three
 * answers.
 */
int xen_store_publish(struct xen_store *store, uint32_t domid, const char *node, const char *text);

/*
 * A transaction: begun, then reads and writes within it, then ended with or
 * without effect. xen_store_end returns -EAGAIN if something that was read has
 * changed meanwhile: begin anew.
 */
int xen_store_begin(struct xen_store *store, uint32_t *ret_transaction);
char *xen_store_read_within(struct xen_store *store, uint32_t transaction, uint32_t domid,
			    const char *node);
int xen_store_write_within(struct xen_store *store, uint32_t transaction, uint32_t domid,
			   const char *node, const char *text);
int xen_store_end(struct xen_store *store, uint32_t transaction, bool commit);

/*
 * Reports to xenstored that a domain which was shut down runs again; without
 * it, xenstored does not announce the domain's next shutdown.
 */
int xen_store_resume_domain(struct xen_store *store, uint32_t domid);

#endif
