/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/links-saved.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "net/netlink.h"

int message_buffer_append(struct message_buffer *buffer, const void *data, size_t length)
{
	size_t aligned = NLMSG_ALIGN(length);

	assert(data && length > 0);
	if (buffer->used + aligned > buffer->size) {
		size_t size = (buffer->used + aligned) * 2;
		char *grown = realloc(buffer->data, size);

		if (!grown)
			return -ENOMEM;
		buffer->data = grown;
		buffer->size = size;
	}
	memset(buffer->data + buffer->used, 0, aligned);
	memcpy(buffer->data + buffer->used, data, length);
	buffer->used += aligned;
	return 0;
}

int message_buffer_add(void *data, const struct nlmsghdr *message)
{
	return message_buffer_append(data, message, message->nlmsg_len);
}

int link_set_find(const struct link_set *set, uint32_t old)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->old[i] == old)
			return (int)i;
	return -1;
}

int link_set_add(struct link_set *set, uint32_t old)
{
	if (set->n >= LINKS_MAX)
		return -E2BIG;
	set->old[set->n] = old;
	set->managed[set->n] = false;
	set->new[set->n++] = 0;
	return 0;
}

int link_set_add_name(void *data, const char *name)
{
	uint32_t index = if_nametoindex(name);

	return index == 0 ? 0 : link_set_add(data, index);
}

const struct rtattr *link_hardware_address(const struct rtattr *const *attributes)
{
	return attributes[ATTRIBUTE_PERM_ADDRESS] ? attributes[ATTRIBUTE_PERM_ADDRESS]
						  : attributes[IFLA_ADDRESS];
}

struct rtnexthop *link_next_hop(const struct rtattr *multipath, const struct rtnexthop *previous)
{
	struct rtnexthop *hop = previous ? RTNH_NEXT(previous) : RTA_DATA(multipath);
	int left = (int)RTA_PAYLOAD(multipath) - (int)((char *)hop - (char *)RTA_DATA(multipath));

	return left >= (int)sizeof(*hop) && RTNH_OK(hop, left) ? hop : NULL;
}

static const char *link_kind(const struct rtattr *const *attributes)
{
	const struct rtattr *nested[IFLA_INFO_MAX + 1];

	if (!attributes[IFLA_LINKINFO])
		return "";
	netlink_nested(attributes[IFLA_LINKINFO], nested, IFLA_INFO_MAX);
	return nested[IFLA_INFO_KIND] ? (const char *)RTA_DATA(nested[IFLA_INFO_KIND]) : "";
}

static const struct upper_kind upper_kinds[] = {
	{ "vlan", IFLA_VLAN_PROTOCOL },
	{ "macvlan", IFLA_MACVLAN_FLAGS },
};

const struct upper_kind *link_find_upper_kind(const struct rtattr *const *attributes)
{
	const char *kind = link_kind(attributes);

	for (size_t i = 0; i < ELEMENTSOF(upper_kinds); i++)
		if (strcmp(upper_kinds[i].name, kind) == 0)
			return &upper_kinds[i];
	return NULL;
}

int links_saved_path(const struct roots *roots, const char *address, char *ret)
{
	return file_path(ret, "%s/links-%s", roots->run, address);
}
