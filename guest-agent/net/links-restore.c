/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "guest/class.h"
#include "guest/files.h"
#include "net/links-saved.h"
#include "net/links-vlans.h"
#include "net/links.h"
#include "net/netlink.h"

/* Declared here because <net/if.h> clashes with <linux/if.h>. */
unsigned int if_nametoindex(const char *name);

struct restore {
	const struct roots *roots;
	const char *address;
	struct netlink netlink;
	const struct links_header *header;
	const struct nlmsghdr *first; /* the first saved message */
	size_t size; /* bytes from `first` on */
	struct link_set set;
	struct message_buffer now; /* all links of the guest, as of the last dump */
	char *text; /* the list of what could not be restored */
	size_t text_size;
};

static const struct nlmsghdr *next_saved(const struct restore *restore,
					 const struct nlmsghdr *previous)
{
	return netlink_next(restore->first, restore->size, previous);
}

static const struct nlmsghdr *next_now(const struct restore *restore,
				       const struct nlmsghdr *previous)
{
	return netlink_next(restore->now.data, restore->now.used, previous);
}

static const char *link_name(const struct rtattr *const *attributes)
{
	return attributes[IFLA_IFNAME] ? (const char *)RTA_DATA(attributes[IFLA_IFNAME]) : "?";
}

/*
 * Appends to restore->text that `what` of the link `name` could not be restored, and why
 * (`r`, a negative errno).
 */
static void add_problem(struct restore *restore, const char *name, const char *what, int r)
{
	size_t used = strlen(restore->text);

	snprintf(restore->text + used, restore->text_size - used, "%s%s: cannot restore %s: %s",
		 used ? ", " : "", name, what, strerror(-r));
}

static bool same_bytes(const struct rtattr *a, const struct rtattr *b)
{
	return a && b && RTA_PAYLOAD(a) == RTA_PAYLOAD(b) &&
	       memcmp(RTA_DATA(a), RTA_DATA(b), RTA_PAYLOAD(a)) == 0;
}

/*
 * Finds the candidate with the same MAC address as the saved link `i` of the set, and sets
 * the link's new index.
 */
static void match_link(struct restore *restore, size_t i, const struct nlmsghdr *saved,
		       const struct link_set *candidates)
{
	const struct rtattr *old[ATTRIBUTE_PERM_ADDRESS + 1];
	const struct nlmsghdr *message = NULL;

	netlink_attributes(saved, sizeof(struct ifinfomsg), old, ATTRIBUTE_PERM_ADDRESS);
	while ((message = next_now(restore, message))) {
		const struct rtattr *new[ATTRIBUTE_PERM_ADDRESS + 1];
		const struct ifinfomsg *info = NLMSG_DATA(message);

		netlink_attributes(message, sizeof(*info), new, ATTRIBUTE_PERM_ADDRESS);
		if (link_set_find(candidates, (uint32_t)info->ifi_index) >= 0 &&
		    same_bytes(link_hardware_address(old), link_hardware_address(new))) {
			restore->set.new[i] = (uint32_t)info->ifi_index;
			return;
		}
	}
}

/*
 * Reads all links, and finds among them the saved interfaces of the PCI function. Returns
 * the number of saved interfaces that are missing, or negative errno.
 */
static int match_base(struct restore *restore)
{
	struct link_set candidates = { .n = 0 };
	const struct nlmsghdr *message = NULL;
	size_t i = 0;
	int missing = 0, r;

	restore->now.used = 0;
	r = class_each(restore->roots, "net", restore->address, link_set_add_name, &candidates);
	if (r == 0)
		r = netlink_dump(&restore->netlink, RTM_GETLINK, message_buffer_add, &restore->now);
	for (; r == 0 && i < restore->header->n_base && (message = next_saved(restore, message));
	     i++) {
		restore->set.new[i] = 0;
		match_link(restore, i, message, &candidates);
		missing += restore->set.new[i] == 0;
	}
	return r < 0 ? r : missing;
}

static void drain_monitor(struct netlink *monitor)
{
	char bytes[8192];

	while (recv(monitor->fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
		;
}

/*
 * Waits until all saved interfaces of the PCI function have appeared. Reads the links again
 * after each change that the kernel reports on `monitor`. Returns 0, -ENODEV after
 * `deadline_us`, or another negative errno.
 */
static int wait_for_base(struct restore *restore, struct netlink *monitor, uint64_t deadline_us)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = monitor->fd, .events = POLLIN };
		int missing = match_base(restore);
		uint64_t now = clock_now_us();

		if (missing <= 0)
			return missing;
		if (now >= deadline_us)
			return -ENODEV;
		poll(&poll_fd, 1, (int)((deadline_us - now) / 1000 + 1));
		drain_monitor(monitor);
	}
}

/*
 * Fills `ret` with a link's attributes as of the last dump, or with NULL if the link was
 * created after that dump.
 */
static void get_current_attributes(const struct restore *restore, uint32_t index,
				   const struct rtattr **ret)
{
	const struct nlmsghdr *message = NULL;

	memset(ret, 0, (ATTRIBUTE_PERM_ADDRESS + 1) * sizeof(*ret));
	while ((message = next_now(restore, message))) {
		const struct ifinfomsg *info = NLMSG_DATA(message);

		if ((uint32_t)info->ifi_index == index)
			netlink_attributes(message, sizeof(*info), ret, ATTRIBUTE_PERM_ADDRESS);
	}
}

static int set_link_up(struct restore *restore, uint32_t index, bool up)
{
	struct netlink_message message;
	struct ifinfomsg *info = netlink_begin(&message, RTM_NEWLINK, 0, sizeof(*info));

	info->ifi_index = (int)index;
	info->ifi_flags = up ? IFF_UP : 0;
	info->ifi_change = IFF_UP;
	return netlink_request(&restore->netlink, &message);
}

/*
 * Restores the attributes in kept[]. Does not set the link up, because the kernel refuses
 * some attributes of a link that is up. restore_link() sets the link up afterwards.
 */
static void configure_link(struct restore *restore, uint32_t index,
			   const struct rtattr *const *attributes)
{
	const struct rtattr *now[ATTRIBUTE_PERM_ADDRESS + 1];
	/* Each attribute has its own request, so that a refused one does not affect others. */
	static const struct {
		uint16_t type;
		const char *what;
	} kept[] = {
		{ IFLA_IFNAME, "name" },	 { IFLA_ADDRESS, "MAC" },   { IFLA_MTU, "MTU" },
		{ IFLA_TXQLEN, "queue length" }, { IFLA_IFALIAS, "alias" }, { IFLA_GROUP, "group" },
		{ IFLA_MASTER, "master" },
	};

	get_current_attributes(restore, index, now);
	for (size_t i = 0; i < ELEMENTSOF(kept); i++) {
		const struct rtattr *attribute = attributes[kept[i].type];
		struct netlink_message message;
		struct ifinfomsg *info = netlink_begin(&message, RTM_NEWLINK, 0, sizeof(*info));
		int r;

		if (!attribute || same_bytes(attribute, now[kept[i].type]))
			continue;
		info->ifi_index = (int)index;
		r = netlink_copy(&message, attribute);
		if (r == 0)
			r = netlink_request(&restore->netlink, &message);
		/* EBUSY: the link is up, e.g. because of a udev rule or ifup. */
		if (r == -EBUSY && set_link_up(restore, index, false) == 0)
			r = netlink_request(&restore->netlink, &message);
		if (r < 0)
			add_problem(restore, link_name(attributes), kept[i].what, r);
	}
}

static int add_alternative_name(struct restore *restore, uint32_t index, const struct rtattr *name)
{
	struct netlink_message message;
	struct ifinfomsg *info = netlink_begin(&message, RTM_NEWLINKPROP, 0, sizeof(*info));
	struct rtattr *list = netlink_nest(&message, IFLA_PROP_LIST | NLA_F_NESTED);
	int r;

	info->ifi_index = (int)index;
	r = list ? netlink_copy(&message, name) : -EMSGSIZE;
	if (r < 0)
		return r;
	netlink_nest_end(&message, list);
	r = netlink_request(&restore->netlink, &message);
	/* EEXIST: some link has this name. udev may have been first. */
	return r == -EEXIST && if_nametoindex(RTA_DATA(name)) == index ? 0 : r;
}

/*
 * Restores the alternative names. udev sets some of them when a link appears, but leaves them
 * out if the link has been renamed meanwhile, as configure_link() may have done.
 */
static void restore_alternative_names(struct restore *restore, uint32_t index,
				      const struct rtattr *const *attributes)
{
	const struct rtattr *list = attributes[IFLA_PROP_LIST], *name;
	int left, r;

	if (!list)
		return;
	left = (int)RTA_PAYLOAD(list);
	for (name = RTA_DATA(list); RTA_OK(name, left); name = RTA_NEXT(name, left)) {
		if ((name->rta_type & NLA_TYPE_MASK) != IFLA_ALT_IFNAME)
			continue;
		r = add_alternative_name(restore, index, name);
		if (r < 0)
			add_problem(restore, link_name(attributes), "an alternative name", r);
	}
}

static int put_linkinfo(struct netlink_message *message, const struct rtattr *const *attributes)
{
	const struct upper_kind *kind = link_find_upper_kind(attributes);
	const struct rtattr *info[IFLA_INFO_MAX + 1], *data[8];
	struct rtattr *nest = netlink_nest(message, IFLA_LINKINFO);
	struct rtattr *inner;
	int r;

	netlink_nested(attributes[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	r = nest && kind ? netlink_copy(message, info[IFLA_INFO_KIND]) : -EMSGSIZE;
	if (r == 0 && info[IFLA_INFO_DATA]) {
		netlink_nested(info[IFLA_INFO_DATA], data, kind->last);
		inner = netlink_nest(message, IFLA_INFO_DATA);
		for (uint16_t i = 1; inner && r == 0 && i <= kind->last; i++)
			r = netlink_copy(message, data[i]);
		if (!inner)
			return -EMSGSIZE;
		netlink_nest_end(message, inner);
	}
	if (r == 0)
		netlink_nest_end(message, nest);
	return r;
}

/*
 * Creates a VLAN or macvlan interface on the new lower interface. Returns the index of the
 * created interface, or 0.
 */
static uint32_t create_upper(struct restore *restore, const struct rtattr *const *attributes)
{
	const char *name = link_name(attributes);
	struct netlink_message message;
	int lower = link_set_find(&restore->set, netlink_u32(attributes[IFLA_LINK], 0));
	int r;

	netlink_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	r = netlink_copy(&message, attributes[IFLA_IFNAME]);
	if (r == 0)
		r = netlink_copy(&message, attributes[IFLA_ADDRESS]);
	if (r == 0 && lower < 0)
		r = -ENODEV;
	if (r == 0)
		r = netlink_put_u32(&message, IFLA_LINK, restore->set.new[lower]);
	if (r == 0)
		r = put_linkinfo(&message, attributes);
	if (r == 0)
		r = netlink_request(&restore->netlink, &message);
	/* EEXIST: a network manager has created the interface already. */
	if (r < 0 && r != -EEXIST)
		add_problem(restore, name, "the interface", r);
	return if_nametoindex(name);
}

/*
 * The attributes of a bridge port to restore. The path cost is left out, because a path cost
 * that was set no longer follows the link's speed.
 */
static const uint16_t port_attributes[] = {
	IFLA_BRPORT_PRIORITY,	      IFLA_BRPORT_MODE,		  IFLA_BRPORT_GUARD,
	IFLA_BRPORT_PROTECT,	      IFLA_BRPORT_FAST_LEAVE,	  IFLA_BRPORT_LEARNING,
	IFLA_BRPORT_UNICAST_FLOOD,    IFLA_BRPORT_PROXYARP,	  IFLA_BRPORT_PROXYARP_WIFI,
	IFLA_BRPORT_MULTICAST_ROUTER, IFLA_BRPORT_MCAST_FLOOD,	  IFLA_BRPORT_MCAST_TO_UCAST,
	IFLA_BRPORT_BCAST_FLOOD,      IFLA_BRPORT_NEIGH_SUPPRESS, IFLA_BRPORT_ISOLATED,
};

static int put_port(struct netlink_message *message, const struct rtattr *const *info)
{
	const struct rtattr *data[IFLA_BRPORT_MAX + 1];
	struct rtattr *nest = netlink_nest(message, IFLA_LINKINFO);
	struct rtattr *inner;
	int r = nest ? netlink_copy(message, info[IFLA_INFO_SLAVE_KIND]) : -EMSGSIZE;

	inner = r == 0 ? netlink_nest(message, IFLA_INFO_SLAVE_DATA) : NULL;
	if (!inner)
		return -EMSGSIZE;
	netlink_nested(info[IFLA_INFO_SLAVE_DATA], data, IFLA_BRPORT_MAX);
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(port_attributes); i++)
		r = netlink_copy(message, data[port_attributes[i]]);
	netlink_nest_end(message, inner);
	netlink_nest_end(message, nest);
	return r;
}

static void restore_port(struct restore *restore, uint32_t index,
			 const struct rtattr *const *attributes)
{
	const struct rtattr *info[IFLA_INFO_MAX + 1];
	struct netlink_message message;
	struct ifinfomsg *link = netlink_begin(&message, RTM_NEWLINK, 0, sizeof(*link));
	int r;

	if (!attributes[IFLA_LINKINFO])
		return;
	netlink_nested(attributes[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	if (!info[IFLA_INFO_SLAVE_KIND] || !info[IFLA_INFO_SLAVE_DATA] ||
	    strcmp(RTA_DATA(info[IFLA_INFO_SLAVE_KIND]), "bridge") != 0)
		return;
	link->ifi_index = (int)index;
	r = put_port(&message, info);
	if (r == 0)
		r = netlink_request(&restore->netlink, &message);
	if (r < 0)
		add_problem(restore, link_name(attributes), "the bridge port", r);
}

/*
 * If VLANs were saved for a bridge port, removes the VLAN that the bridge has added to the
 * new port, and adds the saved VLANs.
 */
static void restore_vlans(struct restore *restore, uint32_t old, uint32_t new,
			  const struct rtattr *const *attributes)
{
	const struct nlmsghdr *message = NULL;
	bool cleared = false;
	int r = 0;

	while (r == 0 && (message = next_saved(restore, message))) {
		if (message->nlmsg_type != RTM_NEWVLAN || links_vlans_index(message) != old)
			continue;
		if (!cleared)
			r = links_vlans_clear(&restore->netlink, new);
		cleared = true;
		if (r == 0)
			r = links_vlans_add(&restore->netlink, new, message);
	}
	if (r < 0)
		add_problem(restore, link_name(attributes), "the bridge's VLANs", r);
}

static void restore_link(struct restore *restore, const struct nlmsghdr *message)
{
	const struct rtattr *attributes[ATTRIBUTE_PERM_ADDRESS + 1];
	const struct ifinfomsg *info = NLMSG_DATA(message);
	int i = link_set_find(&restore->set, (uint32_t)info->ifi_index);
	uint32_t *index;

	if (i < 0)
		return;
	index = &restore->set.new[i];
	netlink_attributes(message, sizeof(*info), attributes, ATTRIBUTE_PERM_ADDRESS);
	if ((uint32_t)i >= restore->header->n_base)
		*index = create_upper(restore, attributes);
	if (*index == 0)
		return;
	configure_link(restore, *index, attributes);
	restore_alternative_names(restore, *index, attributes);
	restore_port(restore, *index, attributes);
	restore_vlans(restore, (uint32_t)info->ifi_index, *index, attributes);
	if (info->ifi_flags & IFF_UP) {
		int r = set_link_up(restore, *index, true);

		if (r < 0)
			add_problem(restore, link_name(attributes), "the state 'up'", r);
	}
}

/*
 * Subtracts the time since the save from an address's lifetimes. Returns false if the
 * address has expired.
 */
static bool age_lifetimes(struct ifa_cacheinfo *times, uint64_t passed_us)
{
	uint32_t passed = (uint32_t)(passed_us / 1000000);

	if (times->ifa_valid != UINT32_MAX) {
		if (times->ifa_valid <= passed)
			return false;
		times->ifa_valid -= passed;
	}
	if (times->ifa_prefered != UINT32_MAX)
		times->ifa_prefered =
			times->ifa_prefered > passed ? times->ifa_prefered - passed : 0;
	return true;
}

static int put_cacheinfo(struct netlink_message *message, const struct rtattr *attribute,
			 uint64_t passed_us)
{
	struct ifa_cacheinfo times;

	if (!attribute || RTA_PAYLOAD(attribute) < sizeof(times))
		return 0;
	memcpy(&times, RTA_DATA(attribute), sizeof(times));
	if (!age_lifetimes(&times, passed_us))
		return -ESTALE;
	return netlink_put(message, IFA_CACHEINFO, &times, sizeof(times));
}

static int restore_address(struct restore *restore, uint32_t index, const struct nlmsghdr *saved)
{
	static const uint16_t kept[] = { IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST, IFA_LABEL,
					 IFA_RT_PRIORITY };
	/* The flags that user space can set; the kernel only reports the others. */
	const uint32_t settable = IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR |
				  IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;
	const struct rtattr *attributes[IFA_MAX + 1];
	const struct ifaddrmsg *info = NLMSG_DATA(saved);
	struct netlink_message message;
	struct ifaddrmsg *new =
		netlink_begin(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*new));
	uint32_t flags;
	int r = 0;

	netlink_attributes(saved, sizeof(*info), attributes, IFA_MAX);
	*new = *info;
	new->ifa_index = index;
	new->ifa_flags = 0;
	flags = netlink_u32(attributes[IFA_FLAGS], info->ifa_flags) & settable;
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(kept); i++)
		r = netlink_copy(&message, attributes[kept[i]]);
	if (r == 0)
		r = netlink_put_u32(&message, IFA_FLAGS, flags);
	if (r == 0)
		r = put_cacheinfo(&message, attributes[IFA_CACHEINFO],
				  clock_boottime_us() - restore->header->boottime_us);
	/* ESTALE: the address has expired. Not a failure: a DHCP client requests a new one. */
	if (r == -ESTALE)
		return 0;
	return r < 0 ? r : netlink_request(&restore->netlink, &message);
}

/* Returns the new index of the interface whose index was `old`; 0 if there is none. */
static uint32_t map_index(const struct restore *restore, uint32_t old)
{
	int i = link_set_find(&restore->set, old);

	return i < 0 ? 0 : restore->set.new[i];
}

static int put_hops(const struct restore *restore, struct netlink_message *message,
		    const struct rtattr *multipath)
{
	struct rtattr *copy = (void *)(message->bytes + NLMSG_ALIGN(message->header.nlmsg_len));
	struct rtnexthop *hop = NULL;
	int r = netlink_copy(message, multipath);

	while (r == 0 && (hop = link_next_hop(copy, hop))) {
		uint32_t new = map_index(restore, (uint32_t)hop->rtnh_ifindex);

		if (new != 0)
			hop->rtnh_ifindex = (int)new;
		hop->rtnh_flags &= RTNH_F_ONLINK;
	}
	return r;
}

static int restore_route(struct restore *restore, uint32_t index, const struct nlmsghdr *saved)
{
	const struct rtattr *attributes[RTA_MAX + 1];
	const struct rtmsg *info = NLMSG_DATA(saved);
	struct netlink_message message;
	struct rtmsg *new =
		netlink_begin(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*new));
	int r = 0;

	netlink_attributes(saved, sizeof(*info), attributes, RTA_MAX);
	*new = *info;
	new->rtm_flags &= RTNH_F_ONLINK;
	for (uint16_t i = 1; r == 0 && i <= RTA_MAX; i++) {
		if (i == RTA_OIF && attributes[i])
			r = netlink_put_u32(&message, i, index);
		else if (i == RTA_MULTIPATH && attributes[i])
			r = put_hops(restore, &message, attributes[i]);
		else if (i != RTA_CACHEINFO && i != RTA_EXPIRES)
			r = netlink_copy(&message, attributes[i]);
	}
	return r < 0 ? r : netlink_request(&restore->netlink, &message);
}

/* Returns the new index of the interface of a saved address or route; 0 if there is none. */
static uint32_t map_message_index(const struct restore *restore, const struct nlmsghdr *message)
{
	const struct rtattr *attributes[RTA_MAX + 1];
	const struct ifaddrmsg *address = NLMSG_DATA(message);
	const struct rtnexthop *hop = NULL;
	uint32_t new = 0;

	if (message->nlmsg_type == RTM_NEWADDR)
		return map_index(restore, address->ifa_index);
	netlink_attributes(message, sizeof(struct rtmsg), attributes, RTA_MAX);
	if (!attributes[RTA_MULTIPATH])
		return map_index(restore, netlink_u32(attributes[RTA_OIF], 0));
	while (new == 0 && (hop = link_next_hop(attributes[RTA_MULTIPATH], hop)))
		new = map_index(restore, (uint32_t)hop->rtnh_ifindex);
	return new;
}

static bool has_gateway(const struct nlmsghdr *message)
{
	const struct rtattr *attributes[RTA_MAX + 1];

	netlink_attributes(message, sizeof(struct rtmsg), attributes, RTA_MAX);
	return attributes[RTA_GATEWAY] || attributes[RTA_VIA] || attributes[RTA_MULTIPATH];
}

/*
 * The saved messages are restored in several passes. Routes with a gateway come last,
 * because the gateway must be reachable by a route without a gateway.
 */
enum pass { PASS_LINKS, PASS_ADDRESSES, PASS_ROUTES, PASS_GATEWAYS, PASSES };

static void restore_message(struct restore *restore, enum pass pass, const struct nlmsghdr *message)
{
	uint32_t index;

	if (message->nlmsg_type == RTM_NEWLINK) {
		if (pass == PASS_LINKS)
			restore_link(restore, message);
		return;
	}
	/* The VLANs of a bridge port were restored together with its link. */
	index = message->nlmsg_type == RTM_NEWVLAN ? 0 : map_message_index(restore, message);
	if (index == 0)
		return;
	if (message->nlmsg_type == RTM_NEWADDR && pass == PASS_ADDRESSES) {
		int r = restore_address(restore, index, message);

		if (r < 0 && r != -EEXIST)
			add_problem(restore, restore->address, "an address", r);
	} else if (message->nlmsg_type == RTM_NEWROUTE &&
		   pass == (has_gateway(message) ? PASS_GATEWAYS : PASS_ROUTES)) {
		int r = restore_route(restore, index, message);

		if (r < 0 && r != -EEXIST)
			add_problem(restore, restore->address, "a route", r);
	}
}

static void restore_all(struct restore *restore)
{
	for (enum pass pass = PASS_LINKS; pass < PASSES; pass++) {
		const struct nlmsghdr *message = NULL;

		while ((message = next_saved(restore, message)))
			restore_message(restore, pass, message);
	}
}

static int read_set(struct restore *restore)
{
	const struct nlmsghdr *message = NULL;
	int r = 0;

	while (r == 0 && (message = next_saved(restore, message))) {
		const struct ifinfomsg *info = NLMSG_DATA(message);

		if (message->nlmsg_type == RTM_NEWLINK)
			r = link_set_add(&restore->set, (uint32_t)info->ifi_index);
	}
	return r;
}

/* Adds to restore->text the names of the PCI function's own interfaces that are missing. */
static void add_missing(struct restore *restore)
{
	const struct nlmsghdr *message = NULL;

	for (uint32_t i = 0;
	     i < restore->header->n_base && (message = next_saved(restore, message)); i++) {
		const struct rtattr *attributes[ATTRIBUTE_PERM_ADDRESS + 1];
		size_t used;

		if (restore->set.new[i] != 0)
			continue;
		netlink_attributes(message, sizeof(struct ifinfomsg), attributes,
				   ATTRIBUTE_PERM_ADDRESS);
		used = strlen(restore->text);
		snprintf(restore->text + used, restore->text_size - used,
			 "%s%s: missing after the bind", used ? ", " : "", link_name(attributes));
	}
}

int links_restore(const struct roots *roots, const char *address, struct netlink *monitor,
		  uint64_t deadline_us, char *ret_text, size_t size)
{
	_cleanup_(freep) char *saved = NULL;
	struct restore restore = {
		.roots = roots,
		.address = address,
		.text = ret_text,
		.text_size = size,
	};
	char path[FILE_PATH_MAX];
	size_t length;
	int r;

	assert(roots && address && monitor && size > 0);
	r = links_saved_path(roots, address, path);
	ret_text[0] = '\0';
	if (r == 0)
		r = file_read_all(&saved, &length, "%s", path);
	/* ENOENT: there is no saved file, because the PCI function had no interfaces. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	restore.header = (void *)saved;
	if (length < sizeof(*restore.header) || restore.header->magic != LINKS_MAGIC)
		return -EBADMSG;
	restore.first = (void *)(saved + sizeof(*restore.header));
	restore.size = length - sizeof(*restore.header);
	r = read_set(&restore);
	if (r == 0)
		r = netlink_open(&restore.netlink, 0);
	if (r < 0)
		return r;
	r = wait_for_base(&restore, monitor, deadline_us);
	if (r == 0)
		restore_all(&restore);
	else if (r == -ENODEV)
		add_missing(&restore);
	netlink_close(&restore.netlink);
	free(restore.now.data);
	return r;
}
