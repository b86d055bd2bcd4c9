/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/store-tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Both limits of xenstored, of absolute and of relative paths, are at least this. */
#define PATH_LENGTH_MAX 3072
#define VALID_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@"

static void *require(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* ---- nodes -------------------------------------------------------------- */

static struct store_node *new_node(const char *name, size_t length)
{
	struct store_node *node = require(calloc(1, sizeof(*node)));

	node->name = require(strndup(name, length));
	node->value = require(strdup(""));
	return node;
}

static void free_node(struct store_node *node)
{
	for (size_t i = 0; i < node->n_children; i++)
		free_node(node->children[i]);
	free(node->children);
	free(node->name);
	free(node->value);
	free(node);
}

static void add_child(struct store_node *parent, struct store_node *child)
{
	parent->children = require(
		reallocarray(parent->children, parent->n_children + 1, sizeof(*parent->children)));
	parent->children[parent->n_children++] = child;
}

static void set_value(struct store_node *node, const void *data, size_t length)
{
	char *value = require(malloc(length + 1));

	memcpy(value, data, length);
	value[length] = '\0';
	free(node->value);
	node->value = value;
	node->length = length;
}

static struct store_node *copy_node(const struct store_node *from)
{
	struct store_node *node = new_node(from->name, strlen(from->name));

	set_value(node, from->value, from->length);
	memcpy(node->permissions, from->permissions, sizeof(node->permissions));
	node->n_permissions = from->n_permissions;
	node->generation = from->generation;
	for (size_t i = 0; i < from->n_children; i++)
		add_child(node, copy_node(from->children[i]));
	return node;
}

static struct store_node *find_child(const struct store_node *node, const char *name, size_t length)
{
	for (size_t i = 0; i < node->n_children; i++)
		if (strlen(node->children[i]->name) == length &&
		    memcmp(node->children[i]->name, name, length) == 0)
			return node->children[i];
	return NULL;
}

/* ---- trees -------------------------------------------------------------- */

void store_tree_init(struct store_tree *tree, uint64_t *generation)
{
	tree->root = new_node("", 0);
	tree->root->permissions[0] = (struct xs_permissions){ .id = 0, .perms = XS_PERM_READ };
	tree->root->n_permissions = 1;
	tree->generation = generation;
}

void store_tree_copy(const struct store_tree *from, struct store_tree *ret)
{
	ret->root = copy_node(from->root);
	ret->generation = from->generation;
}

void store_tree_done(struct store_tree *tree)
{
	if (tree->root)
		free_node(tree->root);
	tree->root = NULL;
}

bool store_tree_is_valid_path(const char *path)
{
	size_t length = strlen(path);

	if (path[0] != '/' || length > PATH_LENGTH_MAX || strspn(path, VALID_CHARACTERS) != length)
		return false;
	return length == 1 || (path[length - 1] != '/' && !strstr(path, "//"));
}

/* Splits off the first part of a path; returns its length, and sets *path behind its '/'. */
static size_t next_part(const char **path)
{
	if (**path == '/')
		++*path;
	return strcspn(*path, "/");
}

/*
 * Walks down as far as nodes exist. Returns the last one, with *rest set to the part of the path
 * that is missing ("" if nothing is).
 */
static struct store_node *walk(const struct store_tree *tree, const char *path, const char **rest)
{
	struct store_node *node = tree->root;

	for (;;) {
		size_t length = next_part(&path);
		struct store_node *child = length ? find_child(node, path, length) : NULL;

		*rest = path;
		if (!child)
			return node;
		node = child;
		path += length;
	}
}

struct store_node *store_tree_find(const struct store_tree *tree, const char *path)
{
	const char *rest;
	struct store_node *node = walk(tree, path, &rest);

	return *rest ? NULL : node;
}

size_t store_tree_count_owned(const struct store_node *node, uint32_t domid)
{
	size_t n = node->permissions[0].id == domid;

	for (size_t i = 0; i < node->n_children; i++)
		n += store_tree_count_owned(node->children[i], domid);
	return n;
}

/* ---- permissions -------------------------------------------------------- */

unsigned int store_tree_permissions(const struct store_node *node, uint32_t domid)
{
	if (domid == 0 || node->permissions[0].id == domid)
		return XS_PERM_READ | XS_PERM_WRITE;
	for (size_t i = 1; i < node->n_permissions; i++)
		if (node->permissions[i].id == domid)
			return node->permissions[i].perms;
	return node->permissions[0].perms;
}

/*
 * Finds a node for an access that needs the permissions `needed`. Returns -ENOENT only to a
 * domain that has them on the nearest existing parent.
 */
static int find_permitted(const struct store_tree *tree, uint32_t domid, const char *path,
			  unsigned int needed, struct store_node **ret_node)
{
	const char *rest;
	struct store_node *node = walk(tree, path, &rest);

	if ((store_tree_permissions(node, domid) & needed) != needed)
		return -EACCES;
	if (*rest)
		return -ENOENT;
	*ret_node = node;
	return 0;
}

/* ---- accesses ----------------------------------------------------------- */

int store_tree_read(const struct store_tree *tree, uint32_t domid, const char *path,
		    const struct store_node **ret_node)
{
	struct store_node *node;
	int r = find_permitted(tree, domid, path, XS_PERM_READ, &node);

	if (r == 0)
		*ret_node = node;
	return r;
}

static void inherit_permissions(const struct store_node *parent, uint32_t domid,
				struct store_node *node)
{
	memcpy(node->permissions, parent->permissions, sizeof(node->permissions));
	node->n_permissions = parent->n_permissions;
	if (domid != 0)
		node->permissions[0].id = domid;
}

/* Creates the missing parts of a path. */
static int create(struct store_tree *tree, uint32_t domid, const char *path,
		  struct store_node **ret_node)
{
	const char *rest;
	struct store_node *node = walk(tree, path, &rest);
	size_t owned = domid ? store_tree_count_owned(tree->root, domid) : 0;

	for (size_t length = strcspn(rest, "/"); length > 0; length = next_part(&rest)) {
		struct store_node *child;

		if (domid != 0 && owned++ >= STORE_TREE_NODES_MAX)
			return -ENOSPC;
		child = new_node(rest, length);
		inherit_permissions(node, domid, child);
		node->generation = ++*tree->generation;
		child->generation = ++*tree->generation;
		add_child(node, child);
		node = child;
		rest += length;
	}
	*ret_node = node;
	return 0;
}

int store_tree_write(struct store_tree *tree, uint32_t domid, const char *path, const void *data,
		     size_t length)
{
	struct store_node *node;
	int r;

	if (length > STORE_TREE_PAYLOAD_MAX)
		return -E2BIG;
	if (domid != 0 && length > STORE_TREE_NODE_SIZE_MAX)
		return -ENOSPC;
	r = find_permitted(tree, domid, path, XS_PERM_WRITE, &node);
	if (r == -ENOENT)
		r = create(tree, domid, path, &node);
	if (r < 0)
		return r;
	set_value(node, data, length);
	node->generation = ++*tree->generation;
	return 0;
}

int store_tree_mkdir(struct store_tree *tree, uint32_t domid, const char *path)
{
	struct store_node *node;
	int r = find_permitted(tree, domid, path, XS_PERM_WRITE, &node);

	return r == -ENOENT ? create(tree, domid, path, &node) : r;
}

static struct store_node *parent_of(const struct store_tree *tree, const char *path)
{
	size_t length = (size_t)(strrchr(path, '/') - path);
	char *parent = require(strndup(path, length));
	struct store_node *node = store_tree_find(tree, length ? parent : "/");

	free(parent);
	return node;
}

int store_tree_remove(struct store_tree *tree, uint32_t domid, const char *path)
{
	struct store_node *node, *parent;
	int r = find_permitted(tree, domid, path, XS_PERM_WRITE, &node);

	if (r == 0 && node == tree->root)
		return -EINVAL;
	parent = parent_of(tree, path);
	if (r == -ENOENT && parent)
		return 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < parent->n_children; i++)
		if (parent->children[i] == node)
			parent->children[i] = parent->children[--parent->n_children];
	parent->generation = ++*tree->generation;
	free_node(node);
	return 0;
}

int store_tree_set_permissions(struct store_tree *tree, uint32_t domid, const char *path,
			       const struct xs_permissions *permissions, size_t n)
{
	struct store_node *node;
	int r = find_permitted(tree, domid, path, XS_PERM_WRITE, &node);

	if (r < 0)
		return r;
	if (n == 0 || n > STORE_TREE_PERMISSIONS_MAX)
		return -EINVAL;
	if (domid != 0 && node->permissions[0].id != domid)
		return -EACCES;
	if (domid != 0 && permissions[0].id != domid)
		return -EPERM;
	memcpy(node->permissions, permissions, n * sizeof(*permissions));
	node->n_permissions = n;
	node->generation = ++*tree->generation;
	return 0;
}
