/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_STORE_TREE_H
#define TESTS_FAKEXEN_STORE_TREE_H

/*
 * The tree of nodes in xenstored, with permissions and quotas. What it claims about xenstored:
 *
 * - A node's first permission names its owner and what others may do; further ones are for one
 *   domain each. dom0 and the owner may do everything.
 * - A new node inherits its parent's permissions. If a guest creates it, that guest owns it.
 *   Missing parents are created likewise.
 * - To write a missing node, the nearest parent that exists must be writable. Without that,
 *   a missing node is EACCES: a guest cannot find out whether it exists.
 * - To remove a node, write permission on the node is enough. Its children go with it. To remove
 *   a missing node below an existing one succeeds.
 * - Only an owner changes permissions, and a guest cannot give its node away (EPERM).
 * - A guest owns at most 1000 nodes (ENOSPC), each of at most 2048 bytes (ENOSPC).
 *   Nobody writes more than 4096 bytes (E2BIG).
 *
 * Functions that return an int return 0 or a negative errno. Paths are absolute.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenstore.h>

#define STORE_TREE_NODES_MAX 1000
#define STORE_TREE_NODE_SIZE_MAX 2048
#define STORE_TREE_PAYLOAD_MAX 4096
#define STORE_TREE_PERMISSIONS_MAX 8

struct store_node {
	char *name; /* "" for the root */
	char *value;
	size_t length;
	struct xs_permissions permissions[STORE_TREE_PERMISSIONS_MAX];
	size_t n_permissions;
	struct store_node **children;
	size_t n_children;
	uint64_t generation; /* changes with each change of the node or of its list of children */
};

struct store_tree {
	struct store_node *root;
	uint64_t *generation; /* the last one given; shared with the trees of transactions */
};

/* A tree with a root that dom0 owns and anybody can read. `generation` is borrowed. */
void store_tree_init(struct store_tree *tree, uint64_t *generation);
void store_tree_copy(const struct store_tree *from, struct store_tree *ret);
void store_tree_done(struct store_tree *tree);

/* Whether a path may be used: its characters, its length, no empty part. */
bool store_tree_is_valid_path(const char *path);

/* Finds a node without any check; NULL: there is none. */
struct store_node *store_tree_find(const struct store_tree *tree, const char *path);

/* The permissions (XS_PERM_READ | XS_PERM_WRITE) that a domain has on a node. */
unsigned int store_tree_permissions(const struct store_node *node, uint32_t domid);

/* Each of these is done by domain `domid`. *ret_node is borrowed until the tree changes. */
int store_tree_read(const struct store_tree *tree, uint32_t domid, const char *path,
		    const struct store_node **ret_node);
int store_tree_write(struct store_tree *tree, uint32_t domid, const char *path, const void *data,
		     size_t length);
int store_tree_mkdir(struct store_tree *tree, uint32_t domid, const char *path);
int store_tree_remove(struct store_tree *tree, uint32_t domid, const char *path);
int store_tree_set_permissions(struct store_tree *tree, uint32_t domid, const char *path,
			       const struct xs_permissions *permissions, size_t n);

/* The number of nodes that a domain owns. */
size_t store_tree_count_owned(const struct store_node *node, uint32_t domid);

#endif
