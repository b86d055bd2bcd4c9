/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests saving and restoring interfaces that are removed and created again, with the real
 * rtnetlink of the kernel, in a private network namespace. The tests are skipped if there
 * are no namespaces or no ip(8).
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/clock.h"
#include "guest/files.h"
#include "net/links.h"
#include "net/netlink.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

unsigned int if_nametoindex(const char *name);

#define NIC "0000:00:04.0"
#define MAC "02:00:00:00:00:44"

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

/* Does the output of `command` contain `text`? */
static bool shows(const char *command, const char *text)
{
	char output[16384];
	FILE *pipe = popen(command, "r");
	size_t n = fread(output, 1, sizeof(output) - 1, pipe);

	pclose(pipe);
	output[n] = '\0';
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
		TEST(restores_upper_interfaces),
		TEST(restoring_is_idempotent),
		TEST(names_the_missing_interface),
		TEST(waits_for_a_slow_driver),
		TEST(lists_what_could_not_be_restored),
		TEST(does_not_configure_interfaces_of_network_manager),
		TEST(does_not_configure_interfaces_of_networkd),
		TEST(saves_nothing_without_interfaces),
	};

	return cmocka_run_group_tests_name("agent-links", tests, NULL, NULL);
}
