/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/directory.h"
#include "host/host.h"
#include "host/roots.h"
#include "tests/unit/tree.h"

/* A root directory; each test writes the files of a host that it needs. */
struct world {
	char root[64];
	char sys[80];
	struct roots roots;
	struct host host;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	strcpy(world->root, "/tmp/pmcoord-host-XXXXXX");
	assert_non_null(mkdtemp(world->root));
	snprintf(world->sys, sizeof(world->sys), "%s/sys", world->root);
	assert_int_equal(roots_init_simulation(world->root, &world->roots), 0);
	free(world->roots.sys);
	world->roots.sys = strdup(world->sys);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	host_done(&world->host);
	roots_done(&world->roots);
	assert_int_equal(tree_remove_all(world->root), 0);
	free(world);
	return 0;
}

/* Returns the full path of `path` in `ret`, after creating its directory. */
static char *path_of(const struct world *world, const char *path, char ret[256])
{
	char *slash;

	snprintf(ret, 256, "%s/%s", world->root, path);
	slash = strrchr(ret, '/');
	*slash = '\0';
	assert_int_equal(directory_make(ret), 0);
	*slash = '/';
	return ret;
}

static void write_file(const struct world *world, const char *path, const char *text)
{
	char full[256];
	FILE *file = fopen(path_of(world, path, full), "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_link(const struct world *world, const char *path, const char *target)
{
	char full[256];

	assert_int_equal(symlink(target, path_of(world, path, full)), 0);
}

static const struct host *read_all(struct world *world)
{
	host_done(&world->host);
	assert_int_equal(host_read(world->root, &world->roots, &world->host), 0);
	return &world->host;
}

static const struct host_systemd *read_systemd(struct world *world)
{
	return &read_all(world)->systemd;
}

/* ---- sleep --------------------------------------------------------------- */

static void distinguishes_s3_from_other_sleep_states(void **state)
{
	static const struct {
		const char *state, *mem_sleep;
		enum host_sleep expected;
	} cases[] = {
		{ "freeze mem disk\n", "s2idle [deep]\n", HOST_SLEEP_S3 },
		{ "freeze mem\n", "[s2idle] deep\n", HOST_SLEEP_S3_NOT_CHOSEN },
		{ "freeze mem\n", "[s2idle]\n", HOST_SLEEP_S2IDLE },
		{ "freeze mem\n", NULL, HOST_SLEEP_S3 },
		{ "freeze\n", "[s2idle]\n", HOST_SLEEP_NONE },
		{ "\n", NULL, HOST_SLEEP_NONE },
	};
	struct world *world = *state;
	char path[256];

	assert_int_equal(read_all(world)->sleep, HOST_SLEEP_UNKNOWN);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(world, "sys/power/state", cases[i].state);
		unlink(path_of(world, "sys/power/mem_sleep", path));
		if (cases[i].mem_sleep)
			write_file(world, "sys/power/mem_sleep", cases[i].mem_sleep);
		assert_int_equal(read_all(world)->sleep, cases[i].expected);
	}
}

static void reads_the_version_of_xen(void **state)
{
	struct world *world = *state;

	assert_int_equal(read_all(world)->xen_major, 0);
	write_file(world, "sys/hypervisor/version/major", "4\n");
	write_file(world, "sys/hypervisor/version/minor", "17\n");
	assert_int_equal(read_all(world)->xen_major, 4);
	assert_int_equal(read_all(world)->xen_minor, 17);
}

static void reads_the_class_of_a_function(void **state)
{
	struct world *world = *state;
	uint32_t class = 0;

	write_file(world, "sys/bus/pci/devices/0000:00:14.0/class", "0x0c0330\n");
	write_file(world, "sys/bus/pci/devices/0000:00:15.0/class", "huh\n");
	assert_int_equal(host_read_pci_class(world->sys, "0000:00:14.0", &class), 0);
	assert_int_equal(class, 0x0c0330);
	assert_int_equal(host_read_pci_class(world->sys, "0000:00:15.0", &class), -EBADMSG);
	assert_int_equal(host_read_pci_class(world->sys, "0000:00:16.0", &class), -ENOENT);
}

/* ---- disks --------------------------------------------------------------- */

#define VBD "sys/devices/vbd-51712/block/xvda"

static void finds_a_xen_disk_beneath_luks(void **state)
{
	struct world *world = *state;

	write_file(world, "proc/self/mountinfo",
		   "20 1 0:5 / /run rw - tmpfs tmpfs rw\n"
		   "21 1 253:0 / / rw,relatime - ext4 /dev/mapper/root rw\n");
	write_file(world, VBD "/size", "1\n");
	write_file(world, "sys/devices/virtual/block/dm-0/size", "1\n");
	make_link(world, "sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
	assert_string_equal(read_all(world)->guest_disk, "");
	make_link(world, "sys/devices/virtual/block/dm-0/slaves/xvda",
		  "../../../../vbd-51712/block/xvda");
	assert_string_equal(read_all(world)->guest_disk, "xvda");
	assert_string_equal(read_all(world)->guest_disk_mount, "/");
}

/* Two devices that are stacked on each other: no kernel lists that, and it must not matter. */
static void does_not_follow_a_stack_without_end(void **state)
{
	struct world *world = *state;

	write_file(world, "proc/self/mountinfo",
		   "21 1 253:0 / / rw,relatime - ext4 /dev/mapper/root rw\n");
	write_file(world, "sys/devices/virtual/block/dm-0/size", "1\n");
	write_file(world, "sys/devices/virtual/block/dm-1/size", "1\n");
	make_link(world, "sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
	make_link(world, "sys/devices/virtual/block/dm-0/slaves/dm-1", "../../dm-1");
	make_link(world, "sys/devices/virtual/block/dm-1/slaves/dm-0", "../../dm-0");
	assert_string_equal(read_all(world)->guest_disk, "");
	write_file(world, VBD "/size", "1\n");
	make_link(world, "sys/devices/virtual/block/dm-1/slaves/xvda",
		  "../../../../vbd-51712/block/xvda");
	assert_string_equal(read_all(world)->guest_disk, "xvda");
}

/* ---- reports ------------------------------------------------------------- */

static void reads_whether_reports_can_be_written(void **state)
{
	struct world *world = *state;

	/* The directory does not exist yet, its parent is writable. */
	assert_int_equal(read_all(world)->reports_error, 0);
	assert_true(read_all(world)->reports_free > 0);
	write_file(world, "reports", "a file, not a directory");
	assert_int_equal(read_all(world)->reports_error, EACCES);
}

/* ---- systemd ------------------------------------------------------------- */

#define UNIT "usr/lib/systemd/system/pmcoord-sleep.service"
#define LINK "etc/systemd/system/sleep.target.%s/pmcoord-sleep.service"

static void reads_how_the_sleep_unit_is_enabled(void **state)
{
	struct world *world = *state;
	char path[256];

	assert_int_equal(read_systemd(world)->sleep_unit, UNIT_ABSENT);
	write_file(world, UNIT, "[Unit]\n");
	assert_int_equal(read_systemd(world)->sleep_unit, UNIT_DISABLED);
	snprintf(path, sizeof(path), LINK, "wants");
	make_link(world, path, "/" UNIT);
	assert_int_equal(read_systemd(world)->sleep_unit, UNIT_WANTED);
	snprintf(path, sizeof(path), LINK, "requires");
	make_link(world, path, "/" UNIT);
	assert_int_equal(read_systemd(world)->sleep_unit, UNIT_REQUIRED);
	make_link(world, "etc/systemd/system/pmcoord-sleep.service", "/dev/null");
	assert_int_equal(read_systemd(world)->sleep_unit, UNIT_MASKED);
}

static void finds_a_masked_target(void **state)
{
	struct world *world = *state;

	write_file(world, "usr/lib/systemd/system/sleep.target", "[Unit]\n");
	assert_null(read_systemd(world)->masked);
	write_file(world, "run/systemd/system/sleep.target", "");
	assert_string_equal(read_systemd(world)->masked, "sleep.target");
	assert_true(read_systemd(world)->runs);
}

static void reads_configuration_and_drop_ins_in_their_order(void **state)
{
	struct world *world = *state;

	write_file(world, "etc/systemd/logind.conf",
		   "[Login]\n#HandleLidSwitch=suspend\nHandleLidSwitch=lock\n");
	assert_string_equal(read_systemd(world)->lid, "lock");
	write_file(world, "usr/lib/systemd/logind.conf.d/20-b.conf",
		   "[Login]\nHandleLidSwitch=ignore\n"
		   "[Sleep]\nHandleLidSwitch=poweroff\n");
	write_file(world, "etc/systemd/logind.conf.d/10-a.conf",
		   "[Login]\nHandleLidSwitch=hibernate\n"
		   "HandleLidSwitchExternalPower=ignore\n");
	assert_string_equal(read_systemd(world)->lid, "ignore");
	assert_string_equal(read_systemd(world)->lid_on_power, "ignore");
	/* A drop-in in /etc replaces the packaged one of the same name. */
	write_file(world, "etc/systemd/logind.conf.d/20-b.conf", "[Login]\n");
	assert_string_equal(read_systemd(world)->lid, "hibernate");
	write_file(world, "etc/systemd/sleep.conf", "[Sleep]\nAllowSuspend=no\n");
	assert_string_equal(read_systemd(world)->allow_suspend, "no");
}

static void write_hook(const struct world *world, const char *name, const char *text, mode_t mode)
{
	char path[128], full[256];

	snprintf(path, sizeof(path), "usr/lib/systemd/system-sleep/%s", name);
	write_file(world, path, text);
	assert_int_equal(chmod(path_of(world, path, full), mode), 0);
}

static void finds_hooks_that_handle_guests_and_no_others(void **state)
{
	struct world *world = *state;
	const struct host_systemd *systemd;

	write_hook(world, "clock", "#!/bin/sh\nhwclock -s; xlsfonts x\n", 0755);
	write_hook(world, "comment", "#!/bin/sh\n# xl pause all\n", 0755);
	write_hook(world, "not-executable", "#!/bin/sh\nxl pause web\n", 0644);
	write_hook(world, "pause", "#!/bin/sh\n/usr/sbin/xl pause web\n", 0755);
	systemd = read_systemd(world);
	assert_int_equal(systemd->conflicts.n, 1);
	assert_string_equal(systemd->conflicts.texts[0], "/usr/lib/systemd/system-sleep/pause");
}

static void finds_units_that_handle_guests_at_sleep(void **state)
{
	struct world *world = *state;
	const struct host_systemd *systemd;

	write_file(world, "usr/lib/systemd/system/qubes-suspend.service",
		   "[Service]\nExecStart=/usr/lib/qubes/prepare-suspend\n");
	make_link(world,
		  "etc/systemd/system/sleep.target.wants/"
		  "qubes-suspend.service",
		  "/usr/lib/systemd/system/qubes-suspend.service");
	write_file(world, UNIT, "[Service]\nExecStart=/bin/true # xl list\n");
	make_link(world,
		  "etc/systemd/system/sleep.target.requires/"
		  "pmcoord-sleep.service",
		  "/" UNIT);
	systemd = read_systemd(world);
	assert_int_equal(systemd->conflicts.n, 1);
	assert_string_equal(systemd->conflicts.texts[0], "qubes-suspend.service");
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(distinguishes_s3_from_other_sleep_states),
		world_test(reads_the_version_of_xen),
		world_test(reads_the_class_of_a_function),
		world_test(finds_a_xen_disk_beneath_luks),
		world_test(does_not_follow_a_stack_without_end),
		world_test(reads_whether_reports_can_be_written),
		world_test(reads_how_the_sleep_unit_is_enabled),
		world_test(finds_a_masked_target),
		world_test(reads_configuration_and_drop_ins_in_their_order),
		world_test(finds_hooks_that_handle_guests_and_no_others),
		world_test(finds_units_that_handle_guests_at_sleep),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
