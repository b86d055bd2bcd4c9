/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/netlink.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "pmcoord/cleanup.h"

/* The size of the receive buffer: the kernel dumps at most 32 KiB per datagram (af_netlink.c). */
#define RECEIVE_MAX 32768

int netlink_open(struct netlink *ret, uint32_t groups)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = groups,
	};
	struct timeval limit = { .tv_sec = 10 };
	_cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	assert(ret);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret = (struct netlink){ .fd = fd, .sequence = 1 };
	fd = -1;
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	closep(&netlink->fd);
}

void *netlink_begin(struct netlink_message *message, uint16_t type, uint16_t flags, size_t size)
{
	assert(NLMSG_SPACE(size) <= sizeof(message->bytes));
	message->header = (struct nlmsghdr){
		.nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	};
	memset(NLMSG_DATA(&message->header), 0, NLMSG_ALIGN(size));
	return NLMSG_DATA(&message->header);
}

int netlink_put(struct netlink_message *message, uint16_t type, const void *data, size_t length)
{
	size_t used = NLMSG_ALIGN(message->header.nlmsg_len);
	struct rtattr *attribute = (void *)(message->bytes + used);

	if (used + RTA_SPACE(length) > sizeof(message->bytes))
		return -EMSGSIZE;
	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(length);
	memset(RTA_DATA(attribute), 0, RTA_SPACE(length) - RTA_LENGTH(0));
	if (length > 0)
		memcpy(RTA_DATA(attribute), data, length);
	message->header.nlmsg_len = (uint32_t)(used + RTA_LENGTH(length));
	return 0;
}

int netlink_copy(struct netlink_message *message, const struct rtattr *attribute)
{
	if (!attribute)
		return 0;
	return netlink_put(message, attribute->rta_type, RTA_DATA(attribute),
			   RTA_PAYLOAD(attribute));
}

int netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t value)
{
	return netlink_put(message, type, &value, sizeof(value));
}

struct rtattr *netlink_nest(struct netlink_message *message, uint16_t type)
{
	size_t used = NLMSG_ALIGN(message->header.nlmsg_len);

	if (netlink_put(message, type, NULL, 0) < 0)
		return NULL;
	return (void *)(message->bytes + used);
}

void netlink_nest_end(struct netlink_message *message, struct rtattr *nest)
{
	char *end = message->bytes + NLMSG_ALIGN(message->header.nlmsg_len);

	assert(nest);
	nest->rta_len = (uint16_t)(end - (char *)nest);
	message->header.nlmsg_len = (uint32_t)(end - message->bytes);
}

static int send_message(struct netlink *netlink, struct nlmsghdr *header)
{
	header->nlmsg_seq = ++netlink->sequence;
	if (send(netlink->fd, header, header->nlmsg_len, 0) < 0)
		return -errno;
	return 0;
}

/*
 * Receives messages until the answer to the last request is complete, i.e. until an
 * acknowledgement or the end of a dump. Returns 0 or negative errno.
 */
static int receive(struct netlink *netlink, netlink_fn callback, void *data)
{
	_Alignas(struct nlmsghdr) char bytes[RECEIVE_MAX];

	for (;;) {
		ssize_t n = recv(netlink->fd, bytes, sizeof(bytes), 0);
		const struct nlmsghdr *header = NULL;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		while ((header = netlink_next(bytes, (size_t)n, header))) {
			const struct nlmsgerr *error = NLMSG_DATA(header);
			int r;

			if (header->nlmsg_seq != netlink->sequence)
				continue;
			if (header->nlmsg_type == NLMSG_DONE)
				return 0;
			if (header->nlmsg_type == NLMSG_ERROR)
				return error->error;
			r = callback ? callback(data, header) : 0;
			if (r < 0)
				return r;
		}
	}
}

int netlink_request(struct netlink *netlink, struct netlink_message *message)
{
	int r;

	assert(netlink->fd >= 0);
	message->header.nlmsg_flags |= NLM_F_ACK;
	r = send_message(netlink, &message->header);
	return r < 0 ? r : receive(netlink, NULL, NULL);
}

int netlink_dump_request(struct netlink *netlink, struct netlink_message *request,
			 netlink_fn callback, void *data)
{
	int r = send_message(netlink, &request->header);

	return r < 0 ? r : receive(netlink, callback, data);
}

int netlink_dump(struct netlink *netlink, uint16_t type, netlink_fn callback, void *data)
{
	struct netlink_message request;

	netlink_begin(&request, type, NLM_F_DUMP, sizeof(struct ifinfomsg));
	return netlink_dump_request(netlink, &request, callback, data);
}

const struct nlmsghdr *netlink_next(const void *start, size_t size, const struct nlmsghdr *previous)
{
	const char *end, *next = start;
	const struct nlmsghdr *message;

	if (!start)
		return NULL;
	end = next + size;
	if (previous)
		next = (const char *)previous + NLMSG_ALIGN(previous->nlmsg_len);
	message = (const void *)next;
	if (next > end || (size_t)(end - next) < sizeof(*message) ||
	    message->nlmsg_len < sizeof(*message) || message->nlmsg_len > (size_t)(end - next))
		return NULL;
	return message;
}

/*
 * Fills `ret` with the attributes in the `left` bytes at `attribute`. `left` is signed,
 * because it becomes negative if the last attribute has no padding.
 */
static void collect(const struct rtattr *attribute, int left, const struct rtattr **ret, size_t max)
{
	memset(ret, 0, (max + 1) * sizeof(*ret));
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		size_t type = attribute->rta_type & NLA_TYPE_MASK;

		if (type <= max)
			ret[type] = attribute;
	}
}

void netlink_attributes(const struct nlmsghdr *message, size_t size, const struct rtattr **ret,
			size_t max)
{
	size_t skip = NLMSG_SPACE(size);
	int left = message->nlmsg_len > skip ? (int)(message->nlmsg_len - skip) : 0;

	collect((const void *)((const char *)message + skip), left, ret, max);
}

void netlink_nested(const struct rtattr *nest, const struct rtattr **ret, size_t max)
{
	collect(RTA_DATA(nest), (int)RTA_PAYLOAD(nest), ret, max);
}

uint32_t netlink_u32(const struct rtattr *attribute, uint32_t fallback)
{
	uint32_t value;

	if (!attribute || RTA_PAYLOAD(attribute) < sizeof(value))
		return fallback;
	memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}
