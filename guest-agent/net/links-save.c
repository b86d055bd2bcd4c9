/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pmcoord/clock.h"
#include "guest/class.h"
#include "guest/files.h"
#include "net/links-saved.h"
#include "net/links-vlans.h"
#include "net/links.h"
#include "net/manager.h"
#include "net/netlink.h"

/* Declared here because <net/if.h> clashes with <linux/if.h>. */
unsigned int if_nametoindex(const char *name);

struct names {
	char *text;
	size_t size;
	int n;
};

static int add_name(void *data, const char *name)
{
	struct names *names = data;
	size_t used = strlen(names->text);

	snprintf(names->text + used, names->size - used, "%s%s", used ? "," : "", name);
	names->n++;
	return 0;
}

int links_list(const struct roots *roots, const char *address, char *ret_names, size_t size)
{
	struct names names = { .text = ret_names, .size = size };
	int r;

	assert(roots && address && size > 0);
	ret_names[0] = '\0';
	r = class_each(roots, "net", address, add_name, &names);
	return r < 0 ? r : names.n;
}

static void mark_managed(const struct roots *roots, struct link_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		set->managed[i] = manager_manages_link(roots, set->old[i]);
}

static int set_down(void *data, const char *name)
{
	struct netlink_message message;
	struct ifinfomsg *info = netlink_begin(&message, RTM_NEWLINK, 0, sizeof(*info));

	info->ifi_index = (int)if_nametoindex(name);
	info->ifi_change = IFF_UP;
	if (info->ifi_index > 0)
		(void)netlink_request(data, &message);
	return 0;
}

void links_down(const struct roots *roots, const char *address)
{
	struct netlink netlink;

	assert(roots && address);
	if (netlink_open(&netlink, 0) < 0)
		return;
	(void)class_each(roots, "net", address, set_down, &netlink);
	netlink_close(&netlink);
}

/*
 * Whether `attributes` describe an upper link (e.g. a VLAN) whose lower link is in `set` and
 * is unmanaged. The upper link must be saved too, because the kernel removes it together with
 * its lower link.
 */
static bool is_upper_of_set(const struct link_set *set, const struct rtattr *const *attributes)
{
	int lower = link_set_find(set, netlink_u32(attributes[IFLA_LINK], 0));

	return lower >= 0 && !set->managed[lower] && link_find_upper_kind(attributes) &&
	       !attributes[IFLA_LINK_NETNSID];
}

/* Whether the interface is in the set and is configured by no network manager. */
static bool is_unmanaged(const struct link_set *set, uint32_t index)
{
	int i = link_set_find(set, index);

	return i >= 0 && !set->managed[i];
}

/* Appends only the MAC address and the names of an interface that a network manager configures. */
static int append_identity(struct message_buffer *buffer, const struct nlmsghdr *message,
			   const struct rtattr *const *attributes)
{
	const struct rtattr *hardware = link_hardware_address(attributes);
	const struct ifinfomsg *info = NLMSG_DATA(message);
	struct netlink_message identity;
	struct ifinfomsg *copy = netlink_begin(&identity, RTM_NEWLINK, 0, sizeof(*copy));
	int r = netlink_copy(&identity, attributes[IFLA_IFNAME]);

	copy->ifi_index = info->ifi_index;
	if (r == 0)
		r = netlink_copy(&identity, attributes[IFLA_PROP_LIST]);
	if (r == 0 && hardware)
		r = netlink_put(&identity, ATTRIBUTE_PERM_ADDRESS, RTA_DATA(hardware),
				RTA_PAYLOAD(hardware));
	return r < 0 ? r : message_buffer_add(buffer, &identity.header);
}

/*
 * If `base` is true, appends the links of the set to `ret`. Otherwise appends the upper links
 * of these links, and adds them to the set. Returns the number of appended links, or negative
 * errno.
 */
static int select_links(const struct message_buffer *all, struct link_set *set, bool base,
			struct message_buffer *ret)
{
	const struct nlmsghdr *message = NULL;
	int n = 0, r;

	while ((message = netlink_next(all->data, all->used, message))) {
		const struct rtattr *attributes[ATTRIBUTE_PERM_ADDRESS + 1];
		const struct ifinfomsg *info = NLMSG_DATA(message);
		bool known = link_set_find(set, (uint32_t)info->ifi_index) >= 0;

		netlink_attributes(message, sizeof(*info), attributes, ATTRIBUTE_PERM_ADDRESS);
		if (base ? !known : known || !is_upper_of_set(set, attributes))
			continue;
		r = base ? 0 : link_set_add(set, (uint32_t)info->ifi_index);
		if (r == 0)
			r = is_unmanaged(set, (uint32_t)info->ifi_index)
				    ? message_buffer_add(ret, message)
				    : append_identity(ret, message, attributes);
		if (r < 0)
			return r;
		n++;
	}
	return n;
}

/*
 * Saves the links of the set, which are the PCI function's own, and then their upper links.
 * Returns the number of the PCI function's own links, or negative errno.
 */
static int save_links(struct netlink *netlink, struct link_set *set, struct message_buffer *ret)
{
	struct message_buffer all = { 0 };
	int r = netlink_dump(netlink, RTM_GETLINK, message_buffer_add, &all);
	int n_base = r < 0 ? r : select_links(&all, set, true, ret);

	for (r = n_base; r > 0;)
		r = select_links(&all, set, false, ret);
	free(all.data);
	return r < 0 ? r : n_base;
}

struct selection {
	const struct link_set *set;
	struct message_buffer *buffer;
};

/*
 * Saves an address of an unmanaged interface. Temporary IPv6 addresses (RFC 8981) are left
 * out, because the kernel creates new ones.
 */
static int select_address(void *data, const struct nlmsghdr *message)
{
	struct selection *selection = data;
	const struct ifaddrmsg *info = NLMSG_DATA(message);
	const struct rtattr *attributes[IFA_MAX + 1];
	uint32_t flags;

	if ((info->ifa_family != AF_INET && info->ifa_family != AF_INET6) ||
	    !is_unmanaged(selection->set, info->ifa_index))
		return 0;
	netlink_attributes(message, sizeof(*info), attributes, IFA_MAX);
	flags = netlink_u32(attributes[IFA_FLAGS], info->ifa_flags);
	if (info->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY))
		return 0;
	return message_buffer_add(selection->buffer, message);
}

/* Whether a next hop of a multipath route uses an unmanaged interface of the set. */
static bool has_unmanaged_hop(const struct link_set *set, const struct rtattr *multipath)
{
	const struct rtnexthop *hop = NULL;

	while ((hop = link_next_hop(multipath, hop)))
		if (is_unmanaged(set, (uint32_t)hop->rtnh_ifindex))
			return true;
	return false;
}

static int select_route(void *data, const struct nlmsghdr *message)
{
	struct selection *selection = data;
	const struct rtmsg *info = NLMSG_DATA(message);
	const struct rtattr *attributes[RTA_MAX + 1];

	if ((info->rtm_family != AF_INET && info->rtm_family != AF_INET6) ||
	    info->rtm_type != RTN_UNICAST || (info->rtm_flags & RTM_F_CLONED) ||
	    info->rtm_protocol == RTPROT_KERNEL || info->rtm_protocol == RTPROT_RA ||
	    info->rtm_protocol == RTPROT_REDIRECT)
		return 0;
	netlink_attributes(message, sizeof(*info), attributes, RTA_MAX);
	if (attributes[RTA_NH_ID])
		return 0;
	if (attributes[RTA_MULTIPATH]
		    ? !has_unmanaged_hop(selection->set, attributes[RTA_MULTIPATH])
		    : !is_unmanaged(selection->set, netlink_u32(attributes[RTA_OIF], 0)))
		return 0;
	return message_buffer_add(selection->buffer, message);
}

static int save_vlans(struct netlink *netlink, const struct link_set *set,
		      struct message_buffer *ret)
{
	struct message_buffer all = { 0 };
	const struct nlmsghdr *message = NULL;
	int r = links_vlans_dump(netlink, &all);

	while (r == 0 && (message = netlink_next(all.data, all.used, message)))
		if (is_unmanaged(set, links_vlans_index(message)))
			r = message_buffer_add(ret, message);
	free(all.data);
	return r;
}

static int save_all(struct netlink *netlink, struct link_set *set, struct message_buffer *ret)
{
	struct links_header header = { .magic = LINKS_MAGIC, .boottime_us = clock_boottime_us() };
	struct selection selection = { .set = set, .buffer = ret };
	int r = message_buffer_append(ret, &header, sizeof(header));

	if (r < 0)
		return r;
	r = save_links(netlink, set, ret);
	if (r < 0)
		return r;
	header.n_base = (uint32_t)r;
	memcpy(ret->data, &header, sizeof(header));
	r = save_vlans(netlink, set, ret);
	if (r < 0)
		return r;
	r = netlink_dump(netlink, RTM_GETADDR, select_address, &selection);
	if (r < 0)
		return r;
	return netlink_dump(netlink, RTM_GETROUTE, select_route, &selection);
}

int links_save(const struct roots *roots, const char *address)
{
	struct link_set set = { .n = 0 };
	struct message_buffer buffer = { 0 };
	struct netlink netlink;
	char path[FILE_PATH_MAX];
	int n, r;

	assert(roots && address);
	links_forget(roots, address);
	r = class_each(roots, "net", address, link_set_add_name, &set);
	if (r < 0 || set.n == 0)
		return r;
	r = netlink_open(&netlink, 0);
	if (r < 0)
		return r;
	n = (int)set.n;
	mark_managed(roots, &set);
	r = save_all(&netlink, &set, &buffer);
	netlink_close(&netlink);
	if (r == 0)
		r = links_saved_path(roots, address, path);
	if (r == 0)
		r = file_replace(path, buffer.data, buffer.used);
	free(buffer.data);
	return r < 0 ? r : n;
}

void links_forget(const struct roots *roots, const char *address)
{
	char path[FILE_PATH_MAX];

	if (links_saved_path(roots, address, path) == 0)
		unlink(path);
}
