/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/links-vlans.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "net/netlink.h"

/* The lowest and the highest VLAN ID of a bridge port. */
#define VLAN_FIRST 1
#define VLAN_LAST 4094

/* The flags that can be set; the kernel only reports the others. */
#define VLAN_FLAGS (BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED)

static void begin(struct netlink_message *message, uint16_t type, uint16_t flags, uint32_t index)
{
	struct br_vlan_msg *header = netlink_begin(message, type, flags, sizeof(*header));

	header->family = AF_BRIDGE;
	header->ifindex = index;
}

int links_vlans_dump(struct netlink *netlink, struct message_buffer *buffer)
{
	struct netlink_message request;
	int r;

	begin(&request, RTM_GETVLAN, NLM_F_DUMP, 0);
	r = netlink_dump_request(netlink, &request, message_buffer_add, buffer);
	return r == -EOPNOTSUPP || r == -EINVAL ? 0 : r;
}

uint32_t links_vlans_index(const struct nlmsghdr *message)
{
	const struct br_vlan_msg *header = NLMSG_DATA(message);

	return header->ifindex;
}

static int put_entry(struct netlink_message *message, const struct bridge_vlan_info *info,
		     uint16_t last)
{
	struct rtattr *nest = netlink_nest(message, BRIDGE_VLANDB_ENTRY | NLA_F_NESTED);
	int r = nest ? netlink_put(message, BRIDGE_VLANDB_ENTRY_INFO, info, sizeof(*info))
		     : -EMSGSIZE;

	if (r == 0 && last > info->vid)
		r = netlink_put(message, BRIDGE_VLANDB_ENTRY_RANGE, &last, sizeof(last));
	if (r == 0)
		netlink_nest_end(message, nest);
	return r;
}

int links_vlans_clear(struct netlink *netlink, uint32_t index)
{
	const struct bridge_vlan_info all = { .vid = VLAN_FIRST };
	struct netlink_message message;
	int r;

	begin(&message, RTM_DELVLAN, 0, index);
	r = put_entry(&message, &all, VLAN_LAST);
	return r < 0 ? r : netlink_request(netlink, &message);
}

static int copy_entry(struct netlink_message *message, const struct rtattr *entry)
{
	const struct rtattr *attributes[BRIDGE_VLANDB_ENTRY_RANGE + 1];
	struct bridge_vlan_info info;
	uint16_t last = 0;

	netlink_nested(entry, attributes, BRIDGE_VLANDB_ENTRY_RANGE);
	if (!attributes[BRIDGE_VLANDB_ENTRY_INFO])
		return -EBADMSG;
	memcpy(&info, RTA_DATA(attributes[BRIDGE_VLANDB_ENTRY_INFO]), sizeof(info));
	info.flags &= VLAN_FLAGS;
	if (attributes[BRIDGE_VLANDB_ENTRY_RANGE])
		memcpy(&last, RTA_DATA(attributes[BRIDGE_VLANDB_ENTRY_RANGE]), sizeof(last));
	return put_entry(message, &info, last);
}

int links_vlans_add(struct netlink *netlink, uint32_t index, const struct nlmsghdr *saved)
{
	size_t skip = NLMSG_SPACE(sizeof(struct br_vlan_msg));
	const struct rtattr *entry = (const void *)((const char *)saved + skip);
	int left = (int)saved->nlmsg_len - (int)skip, r = 0;
	struct netlink_message message;

	begin(&message, RTM_NEWVLAN, 0, index);
	for (; r == 0 && RTA_OK(entry, left); entry = RTA_NEXT(entry, left))
		if ((entry->rta_type & NLA_TYPE_MASK) == BRIDGE_VLANDB_ENTRY)
			r = copy_entry(&message, entry);
	return r < 0 ? r : netlink_request(netlink, &message);
}
