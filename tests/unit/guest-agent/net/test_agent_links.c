/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests saving and restoring interfaces that are removed and created again, with the real
 * rtnetlink of the kernel, in a private network namespace. The tests are skipped if there
 * are no namespaces or no ip(8).
 */
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "guest/files.h"
#include "net/links-saved.h"
#include "net/links.h"
#include "net/netlink.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

unsigned int if_nametoindex(const char *name);

#define NIC "0000:00:04.0"
#define MAC "02:00:00:00:00:44"

/* No socket can be opened. */
static bool has_no_socket;

/* Replaces the C library's function. */
int socket(int domain, int type, int protocol)
{
	errno = EMFILE;
	return has_no_socket ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

/* The request that fails, counted from now on (0: none); whether it has failed. */
static unsigned long fails_in;
static bool has_failed;

/* The requests that remove or add VLANs of bridge ports; whether a kernel with VLANs is played. */
static unsigned int n_vlan_requests;
static bool accepts_vlans;

static bool is_about_vlans(const struct nlmsghdr *header)
{
	return header->nlmsg_type == RTM_NEWVLAN || header->nlmsg_type == RTM_DELVLAN;
}

/* Sends a request that changes nothing, with the number of another request. */
static ssize_t send_nothing(int fd, const struct nlmsghdr *instead)
{
	struct nlmsghdr nothing = {
		.nlmsg_len = sizeof(nothing),
		.nlmsg_type = NLMSG_NOOP,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.nlmsg_seq = instead->nlmsg_seq,
	};

	return syscall(SYS_sendto, fd, &nothing, sizeof(nothing), 0, NULL, 0);
}

/* Replaces the C library's function. */
ssize_t send(int fd, const void *data, size_t length, int flags)
{
	if (fails_in > 0 && --fails_in == 0) {
		has_failed = true;
		errno = EIO;
		return -1;
	}
	if (is_about_vlans(data)) {
		n_vlan_requests++;
		/* This request is accepted by every kernel. */
		if (accepts_vlans)
			return send_nothing(fd, data);
	}
	return syscall(SYS_sendto, fd, data, length, flags, NULL, 0);
}

static bool run(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "%s >/dev/null 2>&1", command);
	return system(line) == 0;
}

static void must(const char *command)
{
	if (!run(command))
		fail_msg("failed: %s", command);
}

#define OUTPUT_MAX 16384

static void read_output(const char *command, char ret[OUTPUT_MAX])
{
	FILE *pipe = popen(command, "r");
	size_t n = fread(ret, 1, OUTPUT_MAX - 1, pipe);

	pclose(pipe);
	ret[n] = '\0';
}

/* Does the output of `command` contain `text`? */
static bool shows(const char *command, const char *text)
{
	char output[OUTPUT_MAX];

	read_output(command, output);
	return strstr(output, text) != NULL;
}

#define assert_shows(command, text)                                                                \
	do {                                                                                       \
		if (!shows(command, text)) {                                                       \
			run(command " >&2");                                                       \
			fail_msg("'%s' does not show '%s'", command, text);                        \
		}                                                                                  \
	} while (0)

/* Creates an interface beneath the function, as a driver does. */
static void appear_beside(struct tree *tree, const char *name, const char *mac, const char *peer)
{
	char line[256], target[256], link[256];

	snprintf(line, sizeof(line), "ip link add %s address %s type veth peer name %s", name, mac,
		 peer);
	must(line);
	snprintf(target, sizeof(target), TREE_DEVICES NIC "/net/%s/address", name);
	tree_write(tree, target, mac);
	*strrchr(target, '/') = '\0';
	snprintf(link, sizeof(link), "sys/class/net/%s", name);
	tree_link(tree, link, target);
}

static void appear(struct tree *tree, const char *name, const char *mac)
{
	appear_beside(tree, name, mac, "peer0");
}

static void vanish(struct tree *tree, const char *name)
{
	char line[256], path[FILE_PATH_MAX];

	snprintf(line, sizeof(line), "ip link del %s", name);
	must(line);
	snprintf(line, sizeof(line), "sys/class/net/%s", name);
	tree_path(tree, path, line);
	unlink(path);
}

static int setup_network(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	*state = tree;
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -1;
	must("ip link add br0 type bridge");
	tree_new(tree);
	tree_add_function(tree, NIC, "e1000e", "0x8086 0x10d3 0x020000");
	return 0;
}

static int teardown_network(void **state)
{
	struct tree *tree = *state;

	if (tree)
		tree_free(tree);
	free(tree);
	return 0;
}

static int restore(struct tree *tree, char *text, size_t size, uint64_t wait_us)
{
	struct netlink monitor;
	int r;

	assert_int_equal(netlink_open(&monitor, RTMGRP_LINK), 0);
	r = links_restore(&tree->roots, NIC, &monitor, clock_now_us() + wait_us, text, size);
	netlink_close(&monitor);
	return r;
}

static void restores_a_bridge_port(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 mtu 1400 txqueuelen 77 alias uplink");
	must("ip link set enp0s4 master br0 up");
	must("ip link set enp0s4 type bridge_slave isolated on hairpin on "
	     "learning off");
	assert_int_equal(links_list(&tree->roots, NIC, text, sizeof(text)), 1);
	assert_string_equal(text, "enp0s4");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_shows("ip -o link show enp0s4", "master br0");
	assert_shows("ip -o -d link show enp0s4", "isolated on");
	assert_shows("ip -o -d link show enp0s4", "hairpin on");
	assert_shows("ip -o -d link show enp0s4", "learning off");
	assert_shows("ip -o link show enp0s4", "mtu 1400");
	assert_shows("ip -o link show enp0s4", "qlen 77");
	assert_shows("ip -o link show enp0s4", "uplink");
	assert_shows("ip -o link show enp0s4", ",UP");
	links_forget(&tree->roots, NIC);
	assert_false(file_exists("%s/links-" NIC, tree->run));
}

static void restores_alternative_names(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	must("ip link property add dev enp0s4 altname enx020000000044 altname uplink0");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	/* udev was first with one of them. */
	must("ip link property add dev eth0 altname enx020000000044");
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_shows("ip link show enp0s4", "altname enx020000000044");
	assert_shows("ip link show enp0s4", "altname uplink0");
}

static void names_the_link_whose_alternative_name_is_taken(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	must("ip link property add dev enp0s4 altname uplink0");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	must("ip link property add dev br0 altname uplink0");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "enp0s4: cannot restore an alternative name: File exists");
}

static void restores_its_hop_of_a_multipath_route(void **state)
{
	struct tree *tree = *state;
	char text[240];

	must("ip addr add 10.8.0.1/24 dev br0");
	must("ip link set br0 up");
	appear(tree, "enp0s4", MAC);
	must("ip addr add 10.9.0.2/24 dev enp0s4");
	must("ip link set enp0s4 up");
	must("ip route add 10.77.0.0/16 nexthop via 10.9.0.1 weight 3 "
	     "nexthop via 10.8.0.9");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_shows("ip route show 10.77.0.0/16 | xargs",
		     "nexthop via 10.9.0.1 dev enp0s4 weight 3");
	assert_shows("ip route show 10.77.0.0/16 | xargs", "nexthop via 10.8.0.9 dev br0 weight 1");
}

static void restores_addresses_and_routes(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 up");
	must("ip link set peer0 up");
	must("ip addr add 10.9.0.2/24 dev enp0s4 label enp0s4:1");
	must("ip addr add 10.9.1.2/24 dev enp0s4 valid_lft 1000 "
	     "preferred_lft 500");
	must("ip addr add 10.9.2.2/24 dev enp0s4 valid_lft 1 preferred_lft 1");
	run("ip -6 addr add fd00:9::2/64 dev enp0s4 nodad");
	must("ip route add default via 10.9.0.1 dev enp0s4 metric 50");
	must("ip route add 192.0.2.0/24 dev enp0s4 scope link");
	must("ip route add 198.51.100.0/24 via 10.9.0.7 dev enp0s4 table 77");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	assert_false(shows("ip route", "default"));
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_shows("ip -o addr show enp0s4", "10.9.0.2/24");
	assert_shows("ip -o addr show enp0s4", "enp0s4:1");
	assert_shows("ip -o addr show enp0s4", "10.9.1.2/24");
	assert_shows("ip route", "default via 10.9.0.1 dev enp0s4 metric 50");
	assert_shows("ip route", "192.0.2.0/24 dev enp0s4 scope link");
	assert_shows("ip route show table 77", "198.51.100.0/24 via 10.9.0.7");
	if (shows("ip -o -6 addr show lo", "::1") || file_exists("/proc/net/if_inet6"))
		assert_shows("ip -o -6 addr show enp0s4", "fd00:9::2/64");
}

/* Returns the valid lifetime of the interface's address in s, or -1 if there is none. */
static int lifetime_of(const char *address)
{
	char line[256], output[256] = "";
	int seconds;
	FILE *pipe;

	snprintf(line, sizeof(line),
		 "ip -o addr show enp0s4 | grep ' %s/' | sed 's/.*valid_lft //'", address);
	pipe = popen(line, "r");
	assert_non_null(pipe);
	if (!fgets(output, sizeof(output), pipe))
		output[0] = '\0';
	pclose(pipe);
	return sscanf(output, "%dsec", &seconds) == 1 ? seconds : -1;
}

static void addresses_age_and_expire_while_the_guest_is_suspended(void **state)
{
	static const struct timespec pause_ = { .tv_sec = 2, .tv_nsec = 200000000 };
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 up");
	must("ip addr add 10.9.1.2/24 dev enp0s4 valid_lft 1000 preferred_lft 500");
	must("ip addr add 10.9.2.2/24 dev enp0s4 valid_lft 2 preferred_lft 2");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	nanosleep(&pause_, NULL);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_false(shows("ip -o addr show enp0s4", "10.9.2.2"));
	assert_in_range(lifetime_of("10.9.1.2"), 900, 998);
}

static void restores_upper_interfaces(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	if (!run("ip link add link enp0s4 name upper0 address "
		 "02:00:00:00:00:55 type macvlan mode bridge"))
		skip();
	must("ip link set enp0s4 up");
	must("ip link set upper0 up");
	must("ip addr add 10.8.0.2/24 dev upper0");
	must("ip route add 203.0.113.0/24 via 10.8.0.1");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	assert_false(run("ip link show upper0"));
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_shows("ip -o -d link show upper0", "macvlan mode bridge");
	assert_shows("ip -o link show upper0", "02:00:00:00:00:55");
	assert_shows("ip -o addr show upper0", "10.8.0.2/24");
	assert_shows("ip route", "203.0.113.0/24 via 10.8.0.1 dev upper0");
}

static void restoring_is_idempotent(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 master br0 up");
	must("ip addr add 10.9.0.2/24 dev enp0s4");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	/* The interface was not changed since it was saved. */
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_shows("ip -o link show enp0s4", "master br0");
}

static void names_the_missing_interface(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	assert_int_equal(restore(tree, text, sizeof(text), 0), -ENODEV);
	assert_non_null(strstr(text, "enp0s4: missing after the bind"));
	/* An interface with another MAC address is not taken for the missing one. */
	appear(tree, "eth0", "02:00:00:00:00:99");
	assert_int_equal(restore(tree, text, sizeof(text), 20000), -ENODEV);
}

static void names_only_the_interface_that_is_missing(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	appear_beside(tree, "enp0s5", "02:00:00:00:00:45", "peer1");
	assert_int_equal(links_save(&tree->roots, NIC), 2);
	vanish(tree, "enp0s4");
	vanish(tree, "enp0s5");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), -ENODEV);
	assert_string_equal(text, "enp0s5: missing after the bind");
	vanish(tree, "eth0");
	appear_beside(tree, "eth0", "02:00:00:00:00:45", "peer1");
	assert_int_equal(restore(tree, text, sizeof(text), 0), -ENODEV);
	assert_string_equal(text, "enp0s4: missing after the bind");
}

static void restores_the_vlans_of_a_bridge_port(void **state)
{
	struct tree *tree = *state;
	char text[240];

	if (!run("ip link set br0 type bridge vlan_filtering 1"))
		skip();
	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 master br0 up");
	must("bridge vlan del dev enp0s4 vid 1");
	must("bridge vlan add dev enp0s4 vid 100 pvid untagged");
	must("bridge vlan add dev enp0s4 vid 200");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_shows("bridge vlan show dev enp0s4 | xargs", "100 PVID Egress Untagged 200");
	/* The bridge adds VLAN 1 to each new port. */
	assert_false(shows("bridge vlan show dev enp0s4 | xargs", "enp0s4 1"));
}

/* A range of VLANs is one record. */
static void restores_ranges_of_vlans(void **state)
{
	static const char command[] = "bridge vlan show dev enp0s4 | tr -s ' ' | sort";
	struct tree *tree = *state;
	char text[240], before[OUTPUT_MAX], after[OUTPUT_MAX];

	if (!run("ip link set br0 type bridge vlan_filtering 1"))
		skip();
	appear(tree, "enp0s4", MAC);
	appear_beside(tree, "enp0s5", "02:00:00:00:00:45", "peer1");
	must("ip link set enp0s4 master br0 up");
	must("ip link set enp0s5 master br0 up");
	must("bridge vlan add dev enp0s4 vid 300-310");
	must("bridge vlan add dev enp0s4 vid 4094 untagged");
	must("bridge vlan add dev enp0s5 vid 500");
	read_output(command, before);
	assert_non_null(strstr(before, "310"));
	assert_int_equal(links_save(&tree->roots, NIC), 2);
	vanish(tree, "enp0s4");
	vanish(tree, "enp0s5");
	appear(tree, "eth0", MAC);
	appear_beside(tree, "eth1", "02:00:00:00:00:45", "peer1");
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	read_output(command, after);
	assert_string_equal(after, before);
	assert_shows("bridge vlan show dev enp0s5 | xargs", "500");
}

static void waits_for_a_slow_driver(void **state)
{
	struct tree *tree = *state;
	char text[240];
	pid_t pid;

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 up");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	pid = fork();
	if (pid == 0) {
		struct timespec pause_ = { .tv_nsec = 150000000 };

		nanosleep(&pause_, NULL);
		appear(tree, "eth0", MAC);
		/* Causes a further event, because the first was sent before the tree had eth0. */
		_exit(run("ip link set peer0 up") ? 0 : 1);
	}
	assert_int_equal(restore(tree, text, sizeof(text), 3000000), 0);
	assert_string_equal(text, "");
	waitpid(pid, NULL, 0);
	assert_shows("ip -o link show enp0s4", ",UP");
}

static void waits_for_no_longer_than_it_may(void **state)
{
	struct tree *tree = *state;
	uint64_t start_us;
	char text[240];

	appear(tree, "enp0s4", MAC);
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	start_us = clock_now_us();
	assert_int_equal(restore(tree, text, sizeof(text), 300000), -ENODEV);
	assert_in_range(clock_now_us() - start_us, 300000, 2000000);
}

/* All addresses and routes of an interface, as they were before and are after a restore. */
static void addresses_and_routes_are_the_same_as_before(void **state)
{
	static const char addresses[] =
		"ip -o addr show enp0s4 | grep -v fe80 | sed 's/^[0-9]*: //' | tr -s ' ' | sort";
	static const char routes[] =
		"(ip -4 route show table all; ip -6 route show table all) | grep 'dev enp0s4' |"
		" grep -v 'fe80\\|ff00\\|anycast' | tr -s ' ' | sort";
	static const char *const commands[] = {
		"ip addr add 10.9.0.2/24 brd 10.9.0.255 dev enp0s4 label enp0s4:1",
		"ip addr add 10.9.0.3/24 dev enp0s4",
		"ip addr add 10.9.3.2 peer 10.9.4.1/32 dev enp0s4",
		"ip addr add 10.9.5.2/24 dev enp0s4 scope link noprefixroute",
		"ip addr add 10.9.6.2/24 dev enp0s4 metric 700",
		"ip route add default via 10.9.0.1 dev enp0s4 metric 50 src 10.9.0.3",
		"ip route add 192.0.2.0/24 dev enp0s4 scope link proto static",
		"ip route add 198.51.100.0/24 via 10.9.0.7 dev enp0s4 table 77 mtu 1300",
		"ip route add 203.0.113.0/24 via 172.16.0.1 dev enp0s4 onlink",
	};
	static const char *const optional[] = {
		"ip -6 addr add fd00:9::2/64 dev enp0s4 nodad",
		"ip -6 addr add fd00:8::2/64 dev enp0s4 nodad noprefixroute",
		"ip -6 route add fd00:77::/64 via fd00:9::1 dev enp0s4 metric 90",
	};
	struct tree *tree = *state;
	char text[240], before[2][OUTPUT_MAX], after[2][OUTPUT_MAX];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 up");
	must("ip link set peer0 up");
	for (size_t i = 0; i < ELEMENTSOF(commands); i++)
		must(commands[i]);
	/* Without IPv6 these fail. */
	for (size_t i = 0; i < ELEMENTSOF(optional); i++)
		run(optional[i]);
	read_output(addresses, before[0]);
	read_output(routes, before[1]);
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	must("ip link set peer0 up");
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	read_output(addresses, after[0]);
	read_output(routes, after[1]);
	assert_string_equal(after[0], before[0]);
	assert_string_equal(after[1], before[1]);
}

/* Such routes come from the kernel, from routers or from a daemon, which add them again. */
static void leaves_out_routes_that_others_add(void **state)
{
	static const char *const commands[] = {
		"ip route add 10.91.0.0/16 dev enp0s4 proto kernel",
		"ip route add 10.92.0.0/16 dev enp0s4 proto ra",
		"ip route add 10.93.0.0/16 dev enp0s4 proto redirect",
		"ip route add local 10.94.0.0/16 dev enp0s4",
		"ip nexthop add id 5 via 10.9.0.1 dev enp0s4",
		"ip route add 10.95.0.0/16 nhid 5",
		"ip route add 10.96.0.0/16 dev enp0s4 proto boot",
	};
	struct tree *tree = *state;
	char text[240], routes[OUTPUT_MAX];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 up");
	must("ip link set peer0 up");
	must("ip addr add 10.9.0.2/24 dev enp0s4");
	for (size_t i = 0; i < ELEMENTSOF(commands); i++)
		must(commands[i]);
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	read_output("ip -4 route show table all | grep -o '10[.]9[1-9][.]0[.]0/16' | xargs",
		    routes);
	assert_string_equal(routes, "10.96.0.0/16\n");
}

/* Removes the interface, whatever its name is now; it appeared as `name`. */
static void vanish_by_peer(struct tree *tree, const char *name)
{
	char path[FILE_PATH_MAX], line[64];

	must("ip link del peer0");
	snprintf(line, sizeof(line), "sys/class/net/%s", name);
	tree_path(tree, path, line);
	unlink(path);
}

static void addresses_and_routes_that_cannot_be_restored_are_listed(void **state)
{
	static const struct timespec pause_ = { .tv_sec = 2, .tv_nsec = 200000000 };
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 up");
	must("ip addr add 10.9.2.2/24 dev enp0s4 valid_lft 2 preferred_lft 2");
	must("ip route add 192.0.2.0/24 via 10.9.2.1 dev enp0s4");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	/* The address expires, so that the gateway cannot be reached. */
	nanosleep(&pause_, NULL);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, NIC ": cannot restore a route: Network is unreachable");
	vanish_by_peer(tree, "eth0");
	if (!file_exists("/proc/net/if_inet6"))
		return;
	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 up");
	must("ip -6 addr add fd00:9::2/64 dev enp0s4 nodad");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	must("sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, NIC ": cannot restore an address: Permission denied");
}

static void lists_all_problems_of_a_link(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	must("ip link property add dev enp0s4 altname uplink0");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	must("ip link property add dev br0 altname uplink0");
	must("ip link add enp0s4 type bridge");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "enp0s4: cannot restore name: File exists, "
				  "enp0s4: cannot restore an alternative name: File exists");
}

/* ---- Requests that fail ---- */

/* An interface with one of each thing that is saved. */
static void make_everything(struct tree *tree)
{
	appear(tree, "enp0s4", MAC);
	must("ip link property add dev enp0s4 altname uplink0");
	run("ip link set br0 type bridge vlan_filtering 1");
	must("ip link set enp0s4 mtu 1400 master br0 up");
	run("bridge vlan add dev enp0s4 vid 200");
	run("ip link add link enp0s4 name upper0 address 02:00:00:00:00:55 type macvlan");
	must("ip addr add 10.9.0.2/24 dev enp0s4");
	must("ip route add 192.0.2.0/24 dev enp0s4 scope link");
	must("ip route add 198.51.100.0/24 via 10.9.0.7 dev enp0s4");
}

static void no_request_fails_in_silence(void **state)
{
	struct tree *tree = *state;
	unsigned long n = 1;
	char text[240];

	make_everything(tree);
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish_by_peer(tree, "enp0s4");
	for (; n == 1 || has_failed; n++) {
		int r;

		appear(tree, "eth0", MAC);
		has_failed = false;
		fails_in = n;
		r = restore(tree, text, sizeof(text), 0);
		fails_in = 0;
		if (has_failed)
			assert_true(r == -EIO || (r == 0 && strstr(text, ": Input/output error")));
		else
			assert_true(r == 0 && text[0] == '\0');
		vanish_by_peer(tree, "eth0");
	}
	assert_true(n > 8);
}

static void saves_everything_or_nothing(void **state)
{
	struct tree *tree = *state;
	unsigned long n = 1;

	make_everything(tree);
	for (; n == 1 || has_failed; n++) {
		int r;

		has_failed = false;
		fails_in = n;
		r = links_save(&tree->roots, NIC);
		fails_in = 0;
		assert_int_equal(r, has_failed ? -EIO : 1);
		assert_int_equal(file_exists("%s/links-" NIC, tree->run), !has_failed);
	}
	assert_int_equal(n, 6);
	has_no_socket = true;
	assert_int_equal(links_save(&tree->roots, NIC), -EMFILE);
	links_down(&tree->roots, NIC);
	has_no_socket = false;
	assert_false(file_exists("%s/links-" NIC, tree->run));
	assert_shows("ip -o link show enp0s4", ",UP");
	assert_int_equal(links_save(&tree->roots, "0000:00:99.0"), -ENOENT);
}

/* Writes a saved file: the header, and messages without contents. */
static void write_saved(struct tree *tree, const struct links_header *header, size_t size,
			uint16_t type, size_t length, size_t n)
{
	struct nlmsghdr message = { .nlmsg_len = (uint32_t)length, .nlmsg_type = type };
	char path[FILE_PATH_MAX], rest[4096] = "";
	FILE *file;

	tree_path(tree, path, "run/links-" NIC);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(header, 1, size, file), size);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(fwrite(&message, sizeof(message), 1, file), 1);
		assert_int_equal(fwrite(rest, length - sizeof(message), 1, file), 1);
	}
	assert_int_equal(fclose(file), 0);
}

static void a_damaged_file_is_an_error(void **state)
{
	static const struct links_header good = { .magic = LINKS_MAGIC };
	static const struct links_header bad = { .magic = LINKS_MAGIC + 1 };
	static const size_t link = NLMSG_LENGTH(sizeof(struct ifinfomsg));
	static const struct {
		const struct links_header *header;
		size_t size, length, n;
		uint16_t type;
		int r;
	} cases[] = {
		{ &good, sizeof(good), 32, 0, RTM_NEWLINK, 0 },
		{ &good, sizeof(good) - 1, 32, 0, RTM_NEWLINK, -EBADMSG },
		{ &good, 0, 32, 0, RTM_NEWLINK, -EBADMSG },
		{ &bad, sizeof(bad), 32, 0, RTM_NEWLINK, -EBADMSG },
		/* Nothing is read behind the end of the file, which also ends the memory. */
		{ &good, sizeof(good), 4076, 1, RTM_NEWNEIGH, 0 },
		{ &good, sizeof(good), 32, LINKS_MAX, RTM_NEWNEIGH, 0 },
		{ &good, sizeof(good), 32, LINKS_MAX + 1, RTM_NEWLINK, -E2BIG },
	};
	struct tree *tree = *state;
	char text[240];

	assert_int_equal(link, 32);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		write_saved(tree, cases[i].header, cases[i].size, cases[i].type, cases[i].length,
			    cases[i].n);
		assert_int_equal(restore(tree, text, sizeof(text), 0), cases[i].r);
		assert_string_equal(text, "");
	}
	links_forget(&tree->roots, NIC);
	tree_write(tree, "run/links-" NIC "/x", "");
	assert_int_equal(restore(tree, text, sizeof(text), 0), -EISDIR);
}

/* Writes a message to a saved file. */
static void write_message(FILE *file, struct netlink_message *message)
{
	assert_int_equal(fwrite(message->bytes, 1, message->header.nlmsg_len, file),
			 message->header.nlmsg_len);
}

/* Saves an interface with an upper one whose MAC address has `length` bytes. */
static void write_upper(struct tree *tree, size_t length)
{
	static const unsigned char mac[] = { 2, 0, 0, 0, 0, 0x44, 0, 0 };
	static const char address[16384];
	struct links_header header = { .magic = LINKS_MAGIC, .n_base = 1 };
	struct netlink_message message;
	struct ifinfomsg *info;
	struct rtattr *nest, *inner;
	char path[FILE_PATH_MAX];
	FILE *file;
	long start;

	tree_path(tree, path, "run/links-" NIC);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(&header, sizeof(header), 1, file), 1);
	info = netlink_begin(&message, RTM_NEWLINK, 0, sizeof(*info));
	info->ifi_index = 900;
	assert_int_equal(netlink_put(&message, IFLA_IFNAME, "enp0s4\0", 8), 0);
	assert_int_equal(netlink_put(&message, IFLA_ADDRESS, mac, 6), 0);
	message.header.nlmsg_len = NLMSG_ALIGN(message.header.nlmsg_len);
	write_message(file, &message);
	start = ftell(file);
	info = netlink_begin(&message, RTM_NEWLINK, 0, sizeof(*info));
	info->ifi_index = 901;
	assert_int_equal(netlink_put_u32(&message, IFLA_LINK, 900), 0);
	nest = netlink_nest(&message, IFLA_LINKINFO);
	assert_int_equal(netlink_put(&message, IFLA_INFO_KIND, "macvlan\0", 8), 0);
	inner = netlink_nest(&message, IFLA_INFO_DATA);
	assert_int_equal(netlink_put_u32(&message, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE), 0);
	netlink_nest_end(&message, inner);
	netlink_nest_end(&message, nest);
	write_message(file, &message);
	/* The address follows as the last attribute, which netlink_put() has no room for. */
	{
		struct rtattr attribute = {
			.rta_len = (uint16_t)RTA_LENGTH(length),
			.rta_type = IFLA_ADDRESS,
		};
		uint32_t total = message.header.nlmsg_len + attribute.rta_len;

		assert_int_equal(fwrite(&attribute, sizeof(attribute), 1, file), 1);
		assert_int_equal(fwrite(address, 1, length, file), length);
		assert_int_equal(fseek(file, start, SEEK_SET), 0);
		assert_int_equal(fwrite(&total, sizeof(total), 1, file), 1);
	}
	assert_int_equal(fclose(file), 0);
}

/* From long to short addresses: too long for a message at first, then only for the kernel. */
static void no_part_of_a_message_is_sent(void **state)
{
	struct tree *tree = *state;
	bool fits = false;
	int n = 0;

	appear(tree, "enp0s4", MAC);
	for (size_t length = 16340; length > 16200; length -= 4) {
		char text[240];

		write_upper(tree, length);
		assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
		assert_int_equal(strncmp(text, "?: cannot restore the interface: ", 33), 0);
		if (strstr(text, "Message too long")) {
			assert_false(fits);
			n++;
		} else {
			fits = true;
		}
	}
	assert_true(fits);
	assert_true(n > 5);
}

/* Appends VLANs of the interface with the index `old` to the saved file. */
static void append_vlans(struct tree *tree, uint32_t old)
{
	struct {
		struct nlmsghdr header;
		struct br_vlan_msg vlans;
	} message = {
		.header = { .nlmsg_len = sizeof(message), .nlmsg_type = RTM_NEWVLAN },
		.vlans = { .family = AF_BRIDGE, .ifindex = old },
	};
	char path[FILE_PATH_MAX];
	FILE *file;

	tree_path(tree, path, "run/links-" NIC);
	file = fopen(path, "ae");
	assert_non_null(file);
	assert_int_equal(fwrite(&message, sizeof(message), 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

/* An interface that is in no bridge has no VLANs, whether the kernel knows any or not. */
static void vlans_that_cannot_be_restored_are_listed_once(void **state)
{
	struct tree *tree = *state;
	char text[240];
	uint32_t old;

	appear(tree, "enp0s4", MAC);
	old = if_nametoindex("enp0s4");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish_by_peer(tree, "enp0s4");
	/* Those of another interface are of no interest. */
	append_vlans(tree, old + 1000);
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	vanish_by_peer(tree, "eth0");
	append_vlans(tree, old);
	append_vlans(tree, old);
	appear(tree, "eth0", MAC);
	n_vlan_requests = 0;
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_int_equal(strncmp(text, "enp0s4: cannot restore the bridge's VLANs: ", 43), 0);
	assert_null(strchr(text, ','));
	/* Nothing is added where the old VLANs are not removed. */
	assert_int_equal(n_vlan_requests, 1);
	vanish_by_peer(tree, "eth0");
	/* The kernel accepts all: removes once, and adds each. */
	appear(tree, "eth0", MAC);
	accepts_vlans = true;
	n_vlan_requests = 0;
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	accepts_vlans = false;
	assert_string_equal(text, "");
	assert_int_equal(n_vlan_requests, 3);
}

static void without_a_socket_nothing_is_restored(void **state)
{
	struct tree *tree = *state;
	struct netlink monitor;
	char text[240];

	appear(tree, "enp0s4", MAC);
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	assert_int_equal(netlink_open(&monitor, RTMGRP_LINK), 0);
	has_no_socket = true;
	assert_int_equal(
		links_restore(&tree->roots, NIC, &monitor, clock_now_us(), text, sizeof(text)),
		-EMFILE);
	has_no_socket = false;
	netlink_close(&monitor);
	assert_string_equal(text, "");
}

static void takes_only_its_own_links_down(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	appear_beside(tree, "enp0s5", "02:00:00:00:00:45", "peer1");
	/* This interface is not there any more. */
	tree_write(tree, TREE_DEVICES NIC "/net/gone/address", "");
	tree_link(tree, "sys/class/net/gone", TREE_DEVICES NIC "/net/gone");
	must("ip link set enp0s4 up");
	must("ip link set enp0s5 up");
	must("ip link set br0 up");
	links_down(&tree->roots, NIC);
	assert_false(shows("ip -o link show enp0s4", ",UP"));
	assert_false(shows("ip -o link show enp0s5", ",UP"));
	assert_shows("ip -o link show br0", ",UP");
	assert_int_equal(links_list(&tree->roots, NIC, text, sizeof(text)), 3);
	assert_int_equal(strlen(text), strlen("enp0s4,enp0s5,gone"));
	assert_non_null(strstr(text, "enp0s4"));
	assert_non_null(strstr(text, "enp0s5"));
	assert_null(strstr(text, ",,"));
	assert_int_equal(links_list(&tree->roots, "0000:00:99.0", text, sizeof(text)), -ENOENT);
	assert_string_equal(text, "");
}

static void lists_what_could_not_be_restored(void **state)
{
	struct tree *tree = *state;
	char text[240];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 master br0 up");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	must("ip link del br0");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_non_null(strstr(text, "enp0s4: cannot restore master: "));
	assert_shows("ip -o link show enp0s4", ",UP");
}

/*
 * Expects that an interface is not configured if a network manager has a state file for it
 * in `directory` with these contents.
 */
static void expect_left_to_manager(struct tree *tree, const char *directory, const char *contents)
{
	char text[240], name[100];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 mtu 1400 up");
	must("ip addr add 10.9.0.2/24 dev enp0s4");
	snprintf(name, sizeof(name), "services/%s/%u", directory, if_nametoindex("enp0s4"));
	tree_write(tree, name, contents);
	must("ip link property add dev enp0s4 altname uplink0");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	/* The interface was found by its MAC address and renamed, but not configured. */
	assert_shows("ip link show enp0s4", "altname uplink0");
	assert_shows("ip -o link show enp0s4", "mtu 1500");
	assert_false(shows("ip -o link show enp0s4", ",UP"));
	assert_false(shows("ip -o addr show enp0s4", "10.9.0.2"));
}

static void does_not_configure_interfaces_of_network_manager(void **state)
{
	expect_left_to_manager(*state, "NetworkManager/devices", "[device]\nmanaged=true\n");
}

static void does_not_configure_interfaces_of_networkd(void **state)
{
	expect_left_to_manager(*state, "systemd/netif/links",
			       "ADMIN_STATE=configured\n"
			       "NETWORK_FILE=/etc/systemd/network/lan.network\n");
}

/* A network manager that runs, but leaves this interface alone. */
static void configures_interfaces_that_no_manager_has(void **state)
{
	struct tree *tree = *state;
	char text[240], name[100];

	appear(tree, "enp0s4", MAC);
	must("ip link set enp0s4 mtu 1400 up");
	snprintf(name, sizeof(name), "services/NetworkManager/devices/%u",
		 if_nametoindex("enp0s4"));
	tree_write(tree, name, "[device]\nmanaged=false\n");
	snprintf(name, sizeof(name), "services/systemd/netif/links/%u", if_nametoindex("enp0s4"));
	tree_write(tree, name, "ADMIN_STATE=unmanaged\n");
	snprintf(name, sizeof(name), "services/systemd/netif/links/%u", if_nametoindex("br0"));
	tree_write(tree, name, "NETWORK_FILE=/etc/a.network\n");
	assert_int_equal(links_save(&tree->roots, NIC), 1);
	vanish(tree, "enp0s4");
	appear(tree, "eth0", MAC);
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
	assert_string_equal(text, "");
	assert_shows("ip -o link show enp0s4", "mtu 1400");
	assert_shows("ip -o link show enp0s4", ",UP");
}

static void saves_nothing_without_interfaces(void **state)
{
	struct tree *tree = *state;
	char text[240];

	assert_int_equal(links_save(&tree->roots, NIC), 0);
	assert_false(file_exists("%s/links-" NIC, tree->run));
	assert_int_equal(restore(tree, text, sizeof(text), 0), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_network, teardown_network)
	const struct CMUnitTest tests[] = {
		TEST(restores_a_bridge_port),
		TEST(restores_alternative_names),
		TEST(names_the_link_whose_alternative_name_is_taken),
		TEST(restores_its_hop_of_a_multipath_route),
		TEST(restores_addresses_and_routes),
		TEST(addresses_age_and_expire_while_the_guest_is_suspended),
		TEST(names_only_the_interface_that_is_missing),
		TEST(restores_the_vlans_of_a_bridge_port),
		TEST(restores_ranges_of_vlans),
		TEST(restores_upper_interfaces),
		TEST(restoring_is_idempotent),
		TEST(names_the_missing_interface),
		TEST(waits_for_a_slow_driver),
		TEST(waits_for_no_longer_than_it_may),
		TEST(addresses_and_routes_are_the_same_as_before),
		TEST(leaves_out_routes_that_others_add),
		TEST(addresses_and_routes_that_cannot_be_restored_are_listed),
		TEST(lists_all_problems_of_a_link),
		TEST(no_request_fails_in_silence),
		TEST(saves_everything_or_nothing),
		TEST(a_damaged_file_is_an_error),
		TEST(no_part_of_a_message_is_sent),
		TEST(vlans_that_cannot_be_restored_are_listed_once),
		TEST(without_a_socket_nothing_is_restored),
		TEST(takes_only_its_own_links_down),
		TEST(lists_what_could_not_be_restored),
		TEST(does_not_configure_interfaces_of_network_manager),
		TEST(does_not_configure_interfaces_of_networkd),
		TEST(configures_interfaces_that_no_manager_has),
		TEST(saves_nothing_without_interfaces),
	};

	return cmocka_run_group_tests_name("agent-links", tests, NULL, NULL);
}
