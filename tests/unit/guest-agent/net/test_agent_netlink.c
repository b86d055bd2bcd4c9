/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests rtnetlink messages, and requests whose answers a pair of sockets holds instead of the
 * kernel. Also tests the lists that saving and restoring interfaces share.
 */
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "net/links-saved.h"
#include "net/links-vlans.h"
#include "net/netlink.h"

/* ---- Opening ---- */

static struct {
	int socket_error, option_error, bind_error; /* errno, or 0 */
	int fd; /* of the last socket */
	struct timeval limit;
	struct sockaddr_nl address;
} kernel;

/* Replaces the C library's function. */
int socket(int domain, int type, int protocol)
{
	errno = kernel.socket_error;
	kernel.fd = kernel.socket_error ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
	return kernel.fd;
}

/* Replaces the C library's function. */
int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	if (level == SOL_SOCKET && name == SO_RCVTIMEO)
		memcpy(&kernel.limit, value, sizeof(kernel.limit));
	errno = kernel.option_error;
	return kernel.option_error ? -1
				   : (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}

/* Replaces the C library's function. */
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	if (address->sa_family == AF_NETLINK && length == sizeof(kernel.address))
		memcpy(&kernel.address, address, sizeof(kernel.address));
	errno = kernel.bind_error;
	return kernel.bind_error ? -1 : (int)syscall(SYS_bind, fd, address, length);
}

static void opens_a_socket_that_waits_for_at_most_ten_seconds(void **state)
{
	struct netlink netlink = { .fd = -1 };
	int fd;

	(void)state;
	assert_int_equal(netlink_open(&netlink, RTMGRP_LINK), 0);
	assert_int_equal(netlink.fd, kernel.fd);
	assert_int_equal(kernel.limit.tv_sec, 10);
	assert_int_equal(kernel.limit.tv_usec, 0);
	assert_int_equal(kernel.address.nl_groups, RTMGRP_LINK);
	fd = netlink.fd;
	netlink_close(&netlink);
	assert_int_equal(netlink.fd, -1);
	assert_int_equal(close(fd), -1);
}

/* As in a process that was started without a standard input. */
static void a_socket_may_have_the_descriptor_0(void **state)
{
	struct netlink netlink = { .fd = -1 };
	int stdin_fd = dup(STDIN_FILENO), r, fd;

	(void)state;
	assert_true(stdin_fd > 0);
	close(STDIN_FILENO);
	r = netlink_open(&netlink, 0);
	fd = netlink.fd;
	netlink_close(&netlink);
	assert_int_equal(close(STDIN_FILENO), -1);
	assert_int_equal(dup2(stdin_fd, STDIN_FILENO), STDIN_FILENO);
	close(stdin_fd);
	assert_int_equal(r, 0);
	assert_int_equal(fd, STDIN_FILENO);
}

static void reports_a_socket_that_cannot_be_opened(void **state)
{
	int *const errors[] = { &kernel.socket_error, &kernel.option_error, &kernel.bind_error };
	struct netlink netlink = { .fd = -7 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
		*errors[i] = EPERM;
		assert_int_equal(netlink_open(&netlink, 0), -EPERM);
		*errors[i] = 0;
		assert_int_equal(netlink.fd, -7);
		/* What was opened is closed again. */
		assert_int_equal(close(kernel.fd), -1);
	}
}

/* ---- Messages ---- */

static void appends_attributes_that_are_found_again(void **state)
{
	const struct rtattr *found[IFLA_LINKINFO + 1], *nested[IFLA_INFO_KIND + 1];
	struct netlink_message message, copy;
	struct ifinfomsg *info;
	struct rtattr *nest;

	(void)state;
	memset(&message, 0xff, sizeof(message));
	info = netlink_begin(&message, RTM_NEWLINK, NLM_F_CREATE, sizeof(*info));
	assert_int_equal(message.header.nlmsg_len, NLMSG_LENGTH(sizeof(*info)));
	assert_int_equal(message.header.nlmsg_type, RTM_NEWLINK);
	assert_int_equal(message.header.nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE);
	assert_int_equal(message.header.nlmsg_seq, 0);
	assert_int_equal(info->ifi_index, 0);
	assert_int_equal(info->ifi_change, 0);
	assert_int_equal(netlink_put(&message, IFLA_IFNAME, "eth0", 5), 0);
	assert_int_equal(netlink_put_u32(&message, IFLA_MTU, 1400), 0);
	nest = netlink_nest(&message, IFLA_LINKINFO);
	assert_non_null(nest);
	assert_int_equal(netlink_put(&message, IFLA_INFO_KIND, "vlan", 5), 0);
	netlink_nest_end(&message, nest);
	assert_int_equal(netlink_copy(&message, NULL), 0);
	netlink_attributes(&message.header, sizeof(*info), found, IFLA_LINKINFO);
	assert_int_equal(RTA_PAYLOAD(found[IFLA_IFNAME]), 5);
	assert_string_equal(RTA_DATA(found[IFLA_IFNAME]), "eth0");
	/* The padding is zero, so that nothing of the process's memory is sent. */
	assert_memory_equal((const char *)RTA_DATA(found[IFLA_IFNAME]) + 5, "\0\0\0", 3);
	assert_int_equal(netlink_u32(found[IFLA_MTU], 7), 1400);
	assert_int_equal(found[IFLA_LINKINFO]->rta_len, RTA_SPACE(RTA_SPACE(5)));
	assert_null(found[IFLA_ADDRESS]);
	assert_null(found[0]);
	netlink_nested(found[IFLA_LINKINFO], nested, IFLA_INFO_KIND);
	assert_string_equal(RTA_DATA(nested[IFLA_INFO_KIND]), "vlan");
	/* An attribute of a higher type is left out. */
	netlink_attributes(&message.header, sizeof(*info), found, IFLA_IFNAME);
	assert_non_null(found[IFLA_IFNAME]);
	netlink_begin(&copy, RTM_NEWLINK, 0, sizeof(*info));
	assert_int_equal(netlink_copy(&copy, found[IFLA_IFNAME]), 0);
	netlink_attributes(&copy.header, sizeof(*info), found, IFLA_MTU);
	assert_int_equal(RTA_PAYLOAD(found[IFLA_IFNAME]), 5);
	assert_string_equal(RTA_DATA(found[IFLA_IFNAME]), "eth0");
	assert_null(found[IFLA_MTU]);
}

static void reads_a_number_only_if_it_is_complete(void **state)
{
	struct {
		struct rtattr header;
		unsigned char bytes[8];
	} attribute = { .bytes = { 1, 0, 0, 0, 9 } };

	(void)state;
	assert_int_equal(netlink_u32(NULL, 7), 7);
	attribute.header.rta_len = RTA_LENGTH(3);
	assert_int_equal(netlink_u32(&attribute.header, 7), 7);
	attribute.header.rta_len = RTA_LENGTH(4);
	assert_int_equal(netlink_u32(&attribute.header, 7), 1);
	attribute.header.rta_len = RTA_LENGTH(8);
	assert_int_equal(netlink_u32(&attribute.header, 7), 1);
}

static void a_message_has_an_end(void **state)
{
	static const char bytes[sizeof(((struct netlink_message *)NULL)->bytes)];
	struct netlink_message message;
	size_t room;

	(void)state;
	netlink_begin(&message, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	room = sizeof(message.bytes) - NLMSG_SPACE(sizeof(struct ifinfomsg)) - RTA_LENGTH(0);
	assert_int_equal(netlink_put(&message, IFLA_IFNAME, bytes, room + 1), -EMSGSIZE);
	assert_int_equal(message.header.nlmsg_len, NLMSG_LENGTH(sizeof(struct ifinfomsg)));
	assert_int_equal(netlink_put(&message, IFLA_IFNAME, bytes, room), 0);
	assert_int_equal(message.header.nlmsg_len, sizeof(message.bytes));
	assert_int_equal(netlink_put_u32(&message, IFLA_MTU, 1), -EMSGSIZE);
	assert_null(netlink_nest(&message, IFLA_LINKINFO));
	assert_int_equal(message.header.nlmsg_len, sizeof(message.bytes));
}

static void finds_only_whole_messages(void **state)
{
	struct nlmsghdr messages[4] = { 0 };
	const char *start = (const char *)messages;
	const size_t one = sizeof(messages[0]);

	(void)state;
	assert_null(netlink_next(NULL, 1000, NULL));
	messages[0].nlmsg_len = (uint32_t)one - 1;
	assert_null(netlink_next(messages, one, NULL));
	messages[0].nlmsg_len = (uint32_t)one;
	assert_null(netlink_next(messages, 0, NULL));
	assert_null(netlink_next(messages, one - 1, NULL));
	assert_ptr_equal(netlink_next(messages, one, NULL), messages);
	assert_null(netlink_next(messages, one, messages));
	/* Each message begins at a multiple of four bytes. */
	messages[0].nlmsg_len = (uint32_t)one * 2 - 3;
	messages[2].nlmsg_len = (uint32_t)one + 1;
	assert_null(netlink_next(messages, one * 2 - 4, NULL));
	assert_ptr_equal(netlink_next(messages, one * 4, NULL), messages);
	assert_ptr_equal(netlink_next(messages, one * 4, messages), start + one * 2);
	assert_ptr_equal(netlink_next(messages, one * 3 + 1, messages), start + one * 2);
	assert_null(netlink_next(messages, one * 3, messages));
	/* The padding of the last message may be missing. */
	assert_null(netlink_next(messages, one * 3 + 1, &messages[2]));
}

/* Attributes end where the message does, whatever lies behind it. */
static void finds_no_attribute_behind_the_end(void **state)
{
	const struct rtattr *found[IFLA_MTU + 1];
	struct netlink_message message;

	(void)state;
	netlink_begin(&message, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	assert_int_equal(netlink_put_u32(&message, IFLA_MTU, 1400), 0);
	message.header.nlmsg_len = NLMSG_SPACE(sizeof(struct ifinfomsg));
	netlink_attributes(&message.header, sizeof(struct ifinfomsg), found, IFLA_MTU);
	assert_null(found[IFLA_MTU]);
	message.header.nlmsg_len = NLMSG_LENGTH(0);
	netlink_attributes(&message.header, sizeof(struct ifinfomsg), found, IFLA_MTU);
	assert_null(found[IFLA_MTU]);
	message.header.nlmsg_len = NLMSG_SPACE(sizeof(struct ifinfomsg)) + RTA_LENGTH(4);
	netlink_attributes(&message.header, sizeof(struct ifinfomsg), found, IFLA_MTU);
	assert_non_null(found[IFLA_MTU]);
}

/* ---- Requests ---- */

struct pair {
	struct netlink netlink; /* whose next request has the number 6 */
	int kernel; /* the kernel's end */
};

static int set_up_pair(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	struct timeval limit = { .tv_usec = 200000 };
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	pair->netlink = (struct netlink){ .fd = ends[0], .sequence = 5 };
	pair->kernel = ends[1];
	*state = pair;
	return 0;
}

static int tear_down_pair(void **state)
{
	struct pair *pair = *state;

	netlink_close(&pair->netlink);
	close(pair->kernel);
	free(pair);
	return 0;
}

/* Writes messages of one datagram to `bytes`. */
struct datagram {
	char bytes[512];
	size_t used;
};

static void add(struct datagram *datagram, uint16_t type, uint32_t sequence, int value)
{
	struct nlmsghdr *header = (void *)(datagram->bytes + datagram->used);

	*header = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr)),
		.nlmsg_type = type,
		.nlmsg_seq = sequence,
	};
	memset(NLMSG_DATA(header), 0, sizeof(struct nlmsgerr));
	memcpy(NLMSG_DATA(header), &value, sizeof(value));
	datagram->used += NLMSG_SPACE(sizeof(struct nlmsgerr));
}

static void answer(const struct pair *pair, struct datagram *datagram)
{
	assert_int_equal(send(pair->kernel, datagram->bytes, datagram->used, 0), datagram->used);
	*datagram = (struct datagram){ 0 };
}

static int request(struct pair *pair)
{
	struct netlink_message message;

	netlink_begin(&message, RTM_NEWLINK, NLM_F_CREATE, sizeof(struct ifinfomsg));
	return netlink_request(&pair->netlink, &message);
}

static void waits_for_the_acknowledgement_of_its_request(void **state)
{
	struct pair *pair = *state;
	struct datagram datagram = { 0 };
	struct nlmsghdr sent;

	/* Answers to other requests, and an empty datagram, are skipped. */
	add(&datagram, NLMSG_ERROR, 5, -EPERM);
	add(&datagram, NLMSG_DONE, 7, 0);
	add(&datagram, RTM_NEWLINK, 6, 0);
	answer(pair, &datagram);
	answer(pair, &datagram);
	add(&datagram, NLMSG_ERROR, 6, 0);
	add(&datagram, NLMSG_ERROR, 6, -EIO);
	answer(pair, &datagram);
	assert_int_equal(request(pair), 0);
	assert_int_equal(pair->netlink.sequence, 6);
	assert_int_equal(recv(pair->kernel, &sent, sizeof(sent), MSG_TRUNC),
			 NLMSG_LENGTH(sizeof(struct ifinfomsg)));
	assert_int_equal(sent.nlmsg_len, NLMSG_LENGTH(sizeof(struct ifinfomsg)));
	assert_int_equal(sent.nlmsg_type, RTM_NEWLINK);
	assert_int_equal(sent.nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK);
	assert_int_equal(sent.nlmsg_seq, 6);
	answer(pair, &datagram);
	add(&datagram, NLMSG_ERROR, 7, -EPERM);
	answer(pair, &datagram);
	assert_int_equal(request(pair), -EPERM);
}

static void an_answer_that_does_not_come_is_an_error(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(request(pair), -EAGAIN);
	close(pair->netlink.fd);
	assert_int_equal(request(pair), -EBADF);
}

static int count_until(void *data, const struct nlmsghdr *message)
{
	int *left = data, value;

	memcpy(&value, NLMSG_DATA(message), sizeof(value));
	/* The messages come in their order. */
	assert_int_equal(value, *left);
	return --*left > 0 ? 0 : -EXDEV;
}

static void a_dump_ends_with_its_last_message_or_an_error(void **state)
{
	struct pair *pair = *state;
	struct datagram datagram = { 0 };
	struct nlmsghdr sent;
	int left = 9;

	add(&datagram, RTM_NEWLINK, 6, 9);
	add(&datagram, RTM_NEWLINK, 4, 4);
	add(&datagram, RTM_NEWLINK, 6, 8);
	answer(pair, &datagram);
	add(&datagram, RTM_NEWLINK, 6, 7);
	add(&datagram, NLMSG_DONE, 6, 0);
	answer(pair, &datagram);
	assert_int_equal(netlink_dump(&pair->netlink, RTM_GETLINK, count_until, &left), 0);
	assert_int_equal(left, 6);
	assert_int_equal(recv(pair->kernel, &sent, sizeof(sent), MSG_TRUNC),
			 NLMSG_LENGTH(sizeof(struct ifinfomsg)));
	assert_int_equal(sent.nlmsg_type, RTM_GETLINK);
	assert_int_equal(sent.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
	assert_int_equal(sent.nlmsg_seq, 6);
	/* The callback ends the next one, the kernel the one after that. */
	left = 2;
	add(&datagram, RTM_NEWLINK, 7, 2);
	add(&datagram, RTM_NEWLINK, 7, 1);
	add(&datagram, RTM_NEWLINK, 7, 0);
	answer(pair, &datagram);
	assert_int_equal(netlink_dump(&pair->netlink, RTM_GETLINK, count_until, &left), -EXDEV);
	left = 5;
	add(&datagram, NLMSG_ERROR, 8, -EOPNOTSUPP);
	answer(pair, &datagram);
	assert_int_equal(netlink_dump(&pair->netlink, RTM_GETLINK, count_until, &left),
			 -EOPNOTSUPP);
	assert_int_equal(left, 5);
	close(pair->netlink.fd);
	assert_int_equal(netlink_dump(&pair->netlink, RTM_GETLINK, count_until, &left), -EBADF);
}

static void on_signal(int number)
{
	(void)number;
}

static void a_signal_does_not_end_the_wait(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct pair *pair = *state;
	struct datagram datagram = { 0 };
	struct timeval limit = { .tv_sec = 20 };
	pid_t pid, parent = getpid();

	assert_int_equal(
		setsockopt(pair->netlink.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	pid = fork();
	if (pid == 0) {
		char sent[64];

		/* The request shows that the wait begins. */
		if (recv(pair->kernel, sent, sizeof(sent), 0) < 0)
			_exit(1);
		for (int i = 0; i < 5; i++) {
			usleep(20000);
			kill(parent, SIGUSR1);
		}
		add(&datagram, NLMSG_ERROR, 6, -EPERM);
		_exit(send(pair->kernel, datagram.bytes, datagram.used, 0) < 0);
	}
	assert_int_equal(request(pair), -EPERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	signal(SIGUSR1, SIG_DFL);
}

/* ---- Lists ---- */

static void a_buffer_keeps_all_messages_and_their_padding(void **state)
{
	_cleanup_(freep) char *expected = calloc(1, 20000);
	struct message_buffer buffer = { 0 };
	char bytes[64];
	size_t used = 0;

	(void)state;
	for (size_t i = 1; i < sizeof(bytes); i++) {
		memset(bytes, (int)i, sizeof(bytes));
		memcpy(expected + used, bytes, i);
		assert_int_equal(message_buffer_append(&buffer, bytes, i), 0);
		used += NLMSG_ALIGN(i);
		assert_int_equal(buffer.used, used);
		assert_true(buffer.used <= buffer.size);
	}
	assert_memory_equal(buffer.data, expected, used);
	free(buffer.data);
}

static void a_set_of_links_has_an_end(void **state)
{
	struct link_set set = { .n = 0 };

	(void)state;
	assert_int_equal(link_set_find(&set, 0), -1);
	memset(set.managed, true, sizeof(set.managed));
	memset(set.new, 0xff, sizeof(set.new));
	for (uint32_t i = 0; i < LINKS_MAX; i++)
		assert_int_equal(link_set_add(&set, 100 + i), 0);
	assert_int_equal(link_set_add(&set, 7), -E2BIG);
	assert_int_equal(set.n, LINKS_MAX);
	for (uint32_t i = 0; i < LINKS_MAX; i++) {
		assert_int_equal(link_set_find(&set, 100 + i), i);
		assert_false(set.managed[i]);
		assert_int_equal(set.new[i], 0);
	}
	assert_int_equal(link_set_find(&set, 7), -1);
	/* A link that is gone by now is left out. */
	set.n = 0;
	assert_int_equal(link_set_add_name(&set, "no-such-link"), 0);
	assert_int_equal(set.n, 0);
	assert_int_equal(link_set_add_name(&set, "lo"), 0);
	assert_int_equal(set.n, 1);
}

static void finds_the_next_hops_of_a_route(void **state)
{
	struct {
		struct rtattr header;
		struct rtnexthop hops[3];
	} multipath = { .header.rta_len = RTA_LENGTH(3 * sizeof(struct rtnexthop)) };
	struct rtnexthop *hop = NULL;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		multipath.hops[i].rtnh_len = sizeof(struct rtnexthop);
	for (size_t i = 0; i < 3; i++) {
		hop = link_next_hop(&multipath.header, hop);
		assert_ptr_equal(hop, &multipath.hops[i]);
	}
	assert_null(link_next_hop(&multipath.header, hop));
	/* The last one is not complete. */
	multipath.header.rta_len -= 1;
	assert_null(link_next_hop(&multipath.header, &multipath.hops[1]));
	multipath.header.rta_len = RTA_LENGTH(0);
	assert_null(link_next_hop(&multipath.header, NULL));
}

/* ---- VLANs of bridge ports ---- */

/* Appends an entry of a VLAN, or of VLANs up to `last` if it is not 0, to a message. */
static void put_vlan(struct netlink_message *message, uint16_t flags, uint16_t vid, uint16_t last)
{
	struct bridge_vlan_info info = { .flags = flags, .vid = vid };
	struct rtattr *nest = netlink_nest(message, BRIDGE_VLANDB_ENTRY | NLA_F_NESTED);

	assert_int_equal(netlink_put(message, BRIDGE_VLANDB_ENTRY_INFO, &info, sizeof(info)), 0);
	if (last)
		assert_int_equal(
			netlink_put(message, BRIDGE_VLANDB_ENTRY_RANGE, &last, sizeof(last)), 0);
	netlink_nest_end(message, nest);
}

static void begin_vlans(struct netlink_message *message, uint16_t type, uint32_t index)
{
	struct br_vlan_msg *header = netlink_begin(message, type, 0, sizeof(*header));

	header->family = AF_BRIDGE;
	header->ifindex = index;
}

/* Expects that exactly this was sent to the kernel. */
static void expect_sent(struct pair *pair, struct netlink_message *expected, uint16_t flags)
{
	char sent[512];
	ssize_t n = recv(pair->kernel, sent, sizeof(sent), 0);

	expected->header.nlmsg_flags = NLM_F_REQUEST | flags;
	expected->header.nlmsg_seq = pair->netlink.sequence;
	assert_int_equal(n, expected->header.nlmsg_len);
	assert_memory_equal(sent, expected->bytes, (size_t)n);
}

static void answer_with(struct pair *pair, int r)
{
	struct datagram datagram = { 0 };

	add(&datagram, NLMSG_ERROR, pair->netlink.sequence + 1, r);
	answer(pair, &datagram);
}

static void removes_all_vlans_of_a_port(void **state)
{
	struct netlink_message expected;
	struct pair *pair = *state;

	answer_with(pair, 0);
	assert_int_equal(links_vlans_clear(&pair->netlink, 7), 0);
	begin_vlans(&expected, RTM_DELVLAN, 7);
	put_vlan(&expected, 0, 1, 4094);
	expect_sent(pair, &expected, NLM_F_ACK);
	answer_with(pair, -EPERM);
	assert_int_equal(links_vlans_clear(&pair->netlink, 7), -EPERM);
}

static void adds_the_vlans_that_were_saved(void **state)
{
	struct netlink_message saved, expected;
	struct pair *pair = *state;
	struct rtattr *nest;

	begin_vlans(&saved, RTM_NEWVLAN, 3);
	put_vlan(&saved,
		 BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED | BRIDGE_VLAN_INFO_MASTER, 100,
		 0);
	/* Attributes of another type are left out. */
	assert_int_equal(netlink_put_u32(&saved, BRIDGE_VLANDB_GLOBAL_OPTIONS, 1), 0);
	put_vlan(&saved, 0, 300, 310);
	assert_int_equal(links_vlans_index(&saved.header), 3);
	answer_with(pair, 0);
	assert_int_equal(links_vlans_add(&pair->netlink, 7, &saved.header), 0);
	begin_vlans(&expected, RTM_NEWVLAN, 7);
	put_vlan(&expected, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, 100, 0);
	put_vlan(&expected, 0, 300, 310);
	expect_sent(pair, &expected, NLM_F_ACK);
	answer_with(pair, -EPERM);
	assert_int_equal(links_vlans_add(&pair->netlink, 7, &saved.header), -EPERM);
	/* An entry without contents. Nothing is sent. */
	nest = netlink_nest(&saved, BRIDGE_VLANDB_ENTRY | NLA_F_NESTED);
	netlink_nest_end(&saved, nest);
	assert_int_equal(links_vlans_add(&pair->netlink, 7, &saved.header), -EBADMSG);
}

/* Old kernels, and kernels without VLANs, know no such request. */
static void a_kernel_without_vlans_has_none(void **state)
{
	static const int answers[][2] = {
		{ 0, 0 },	    { -EOPNOTSUPP, 0 },	  { -EINVAL, 0 },
		{ -EPERM, -EPERM }, { -ENOENT, -ENOENT },
	};
	struct netlink_message expected;
	struct pair *pair = *state;

	for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
		struct message_buffer buffer = { 0 };

		answer_with(pair, answers[i][0]);
		assert_int_equal(links_vlans_dump(&pair->netlink, &buffer), answers[i][1]);
		begin_vlans(&expected, RTM_GETVLAN, 0);
		expect_sent(pair, &expected, NLM_F_DUMP);
		assert_int_equal(buffer.used, 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test(name)
#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_pair, tear_down_pair)
	const struct CMUnitTest tests[] = {
		TEST(opens_a_socket_that_waits_for_at_most_ten_seconds),
		TEST(a_socket_may_have_the_descriptor_0),
		TEST(reports_a_socket_that_cannot_be_opened),
		TEST(appends_attributes_that_are_found_again),
		TEST(reads_a_number_only_if_it_is_complete),
		TEST(a_message_has_an_end),
		TEST(finds_only_whole_messages),
		TEST(finds_no_attribute_behind_the_end),
		PAIR_TEST(waits_for_the_acknowledgement_of_its_request),
		PAIR_TEST(an_answer_that_does_not_come_is_an_error),
		PAIR_TEST(a_dump_ends_with_its_last_message_or_an_error),
		PAIR_TEST(a_signal_does_not_end_the_wait),
		PAIR_TEST(removes_all_vlans_of_a_port),
		PAIR_TEST(adds_the_vlans_that_were_saved),
		PAIR_TEST(a_kernel_without_vlans_has_none),
		TEST(a_buffer_keeps_all_messages_and_their_padding),
		TEST(a_set_of_links_has_an_end),
		TEST(finds_the_next_hops_of_a_route),
	};

	return cmocka_run_group_tests_name("agent-netlink", tests, NULL, NULL);
}
