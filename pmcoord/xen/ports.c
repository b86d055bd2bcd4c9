/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/ports.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "model/domain-id.h"

#define WORD_OWN "own"
#define WORD_PUBLISHED "published"

/*
 * Parses a line "domid uuid own|published guest-port local-port". Returns 0 or
 * -EINVAL.
 */
static int parse_line(const char *line, struct remembered_port *ret)
{
	struct remembered_port port = { 0 };
	char uuid[GUEST_UUID_TEXT_SIZE], kind[16];

	if (sscanf(line, "%" SCNu32 " %36s %15s %" SCNu32 " %" SCNu32, &port.id.domid, uuid, kind,
		   &port.guest_port, &port.local_port) != 5 ||
	    guest_uuid_parse(uuid, port.id.uuid) < 0)
		return -EINVAL;
	port.is_published = strcmp(kind, WORD_PUBLISHED) == 0;
	if (!port.is_published && strcmp(kind, WORD_OWN) != 0)
		return -EINVAL;
	*ret = port;
	return 0;
}

void ports_load(const char *path, port_fn handle, void *data)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	struct remembered_port port;
	char line[128];

	assert(path && handle);
	while (file && fgets(line, sizeof(line), file))
		if (parse_line(line, &port) == 0)
			handle(data, &port);
}

static void print_port(FILE *file, const struct remembered_port *port)
{
	char uuid[GUEST_UUID_TEXT_SIZE];

	fprintf(file, "%" PRIu32 " %s %s %" PRIu32 " %" PRIu32 "\n", port->id.domid,
		guest_uuid_format(port->id.uuid, uuid),
		port->is_published ? WORD_PUBLISHED : WORD_OWN, port->guest_port, port->local_port);
}

int ports_save(const char *path, const struct remembered_port *ports, size_t n)
{
	_cleanup_(freep) char *fresh = NULL;
	_cleanup_(fclosep) FILE *file = NULL;

	assert(path && (ports || n == 0));
	if (asprintf(&fresh, "%s.new", path) < 0)
		return -ENOMEM;
	file = fopen(fresh, "we");
	if (!file)
		return -errno;
	for (size_t i = 0; i < n; i++)
		print_port(file, &ports[i]);
	if (fflush(file) != 0 || rename(fresh, path) < 0)
		return -errno;
	return 0;
}
