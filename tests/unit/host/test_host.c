/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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
	assert_string_equal(read_systemd(world)->sleep_conf.allow_suspend, "no");
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

/* ---- more of each ---------------------------------------------------------- */

static void finds_whatever_keeps_systemd_from_suspending(void **state)
{
	static const char *const units[] = { "sleep.target", "suspend.target",
					     "systemd-suspend.service" };
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		char path[96], full[256];

		snprintf(path, sizeof(path), "usr/lib/systemd/system/%s", units[i]);
		write_file(world, path, "[Unit]\n");
		assert_null(read_systemd(world)->masked);
		/* A link to another unit masks nothing. */
		snprintf(path, sizeof(path), "etc/systemd/system/%s", units[i]);
		make_link(world, path, "/nonexistent/other.target");
		assert_null(read_systemd(world)->masked);
		assert_int_equal(unlink(path_of(world, path, full)), 0);
		make_link(world, path, "/dev/null");
		assert_string_equal(read_systemd(world)->masked, units[i]);
		assert_int_equal(unlink(path_of(world, path, full)), 0);
		/* What is of lower precedence masks nothing either. */
		snprintf(path, sizeof(path), "lib/systemd/system/%s", units[i]);
		make_link(world, path, "/dev/null");
		assert_null(read_systemd(world)->masked);
	}
	assert_false(read_systemd(world)->runs);
	assert_int_equal(read_systemd(world)->daemon, UNIT_ABSENT);
}

static void finds_units_and_links_in_all_directories(void **state)
{
	static const char *const directories[] = {
		"lib/systemd/system", "usr/lib/systemd/system", "usr/local/lib/systemd/system",
		"run/systemd/system", "etc/systemd/system",
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		char path[128], full[256];

		snprintf(path, sizeof(path), "%s/pmcoord.service", directories[i]);
		write_file(world, path, "[Unit]\n");
		assert_int_equal(read_systemd(world)->daemon, UNIT_DISABLED);
		snprintf(path, sizeof(path), "%s/multi-user.target.wants/pmcoord.service",
			 directories[i]);
		make_link(world, path, "../pmcoord.service");
		assert_int_equal(read_systemd(world)->daemon, UNIT_WANTED);
		assert_int_equal(unlink(path_of(world, path, full)), 0);
		snprintf(path, sizeof(path), "%s/pmcoord.service", directories[i]);
		assert_int_equal(unlink(path_of(world, path, full)), 0);
		assert_int_equal(read_systemd(world)->daemon, UNIT_ABSENT);
	}
	assert_int_equal(read_systemd(world)->sleep_unit, UNIT_ABSENT);
}

/* The first of these files is read, and of drop-ins with the same name the first. */
static void reads_the_configuration_of_the_highest_precedence(void **state)
{
	static const char *const directories[] = {
		"usr/lib/systemd",
		"usr/local/lib/systemd",
		"run/systemd",
		"etc/systemd",
	};
	struct world *world = *state;

	assert_string_equal(read_systemd(world)->sleep_conf.states, "mem standby freeze");
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		char path[128], text[128], state_text[8], lid[8];

		snprintf(state_text, sizeof(state_text), "s%zu", i);
		snprintf(lid, sizeof(lid), "lid%zu", i);
		snprintf(path, sizeof(path), "%s/sleep.conf", directories[i]);
		snprintf(text, sizeof(text),
			 "[Sleep]\nSuspendState=%s\nOther=x\n[Login]\nSuspendState=y\n",
			 state_text);
		write_file(world, path, text);
		snprintf(path, sizeof(path), "%s/logind.conf.d/10-a.conf", directories[i]);
		snprintf(text, sizeof(text), "[Login]\nHandleLidSwitchExternalPower=%s\n", lid);
		write_file(world, path, text);
		assert_string_equal(read_systemd(world)->sleep_conf.states, state_text);
		assert_string_equal(read_systemd(world)->lid_on_power, lid);
		assert_string_equal(read_systemd(world)->lid, "");
	}
	/* What is no drop-in is not read. */
	write_file(world, "etc/systemd/logind.conf.d/20-b.conf.bak",
		   "[Login]\nHandleLidSwitch=lock\n");
	write_file(world, "etc/systemd/logind.conf.d/.20-b.conf",
		   "[Login]\nHandleLidSwitch=lock\n");
	write_file(world, "etc/systemd/logind.conf.d/conf", "[Login]\nHandleLidSwitch=lock\n");
	assert_string_equal(read_systemd(world)->lid, "");
}

static void recognises_lines_that_handle_guests(void **state)
{
	static const struct {
		const char *text;
		bool expected;
	} cases[] = {
		{ "xl pause web\n", true },
		{ "\t xl pause web\n", true },
		{ "  # xl pause web\n", false },
		{ "#xl pause web\n", false },
		{ "true # xl pause web\n", true },
		{ "/usr/sbin/xl pause web\n", true },
		{ "true;xl pause web\n", true },
		{ "true &&xl pause web\n", true },
		{ "true ||xl pause web\n", true },
		{ "(xl pause web)\n", true },
		{ "ExecStart=xl pause web\n", true },
		{ "pixl pause; xl pause\n", true },
		{ "pixl pause; pixl pause\n", false },
		{ "xl-pause web\n", false },
		{ "xlsfonts x\n", false },
		{ "virsh suspend web\n", true },
		{ "qvm-pause web\n", true },
		{ "/usr/lib/qubes/suspend\n", true },
		{ "systemctl stop xendomains\n", true },
		{ "systemctl stop libvirt-guests\n", true },
		{ "true\n\nfalse\nxl pause", true },
		{ "", false },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_hook(world, "hook", cases[i].text, 0755);
		if ((read_systemd(world)->conflicts.n == 1) != cases[i].expected)
			fail_msg("%s", cases[i].text);
	}
	/* Hidden files are no hooks. */
	write_hook(world, ".hook", "xl pause web\n", 0755);
	assert_int_equal(read_systemd(world)->conflicts.n, 0);
}

/* A longer file is hardly a script. */
static void searches_the_begin_of_a_hook(void **state)
{
	static char text[70000];
	struct world *world = *state;

	for (size_t lines = 650; lines <= 660; lines += 10) {
		text[0] = '\0';
		for (size_t i = 0; i < lines; i++)
			memcpy(text + 100 * i,
			       "# 34567890123456789012345678901234567890123456789012345678901234567890"
			       "12345678901234567890123456789\n",
			       101);
		strcpy(text + 100 * lines, "xl pause web\n");
		write_hook(world, "hook", text, 0755);
		assert_int_equal(read_systemd(world)->conflicts.n, lines < 656);
	}
}

/* Wherever a unit is that a sleep starts, and wherever the link to it is. */
static void finds_units_that_handle_guests_in_all_places(void **state)
{
	static const char *const links[] = {
		"sleep.target.wants",
		"sleep.target.requires",
		"suspend.target.wants",
		"suspend.target.requires",
		"systemd-suspend.service.wants",
		"systemd-suspend.service.requires",
	};
	static const char *const directories[] = {
		"usr/lib/systemd/system",
		"usr/local/lib/systemd/system",
		"run/systemd/system",
		"etc/systemd/system",
	};
	struct world *world = *state;

	write_file(world, "usr/lib/systemd/system/guests.service",
		   "[Service]\nExecStart=xl list\n");
	write_file(world, "usr/lib/systemd/system/other.service", "[Service]\nExecStart=true\n");
	assert_int_equal(read_systemd(world)->conflicts.n, 0);
	for (size_t i = 0; i < 24; i++) {
		char path[128], full[256];

		snprintf(path, sizeof(path), "%s/%s/other.service", directories[i / 6],
			 links[i % 6]);
		make_link(world, path, "../other.service");
		snprintf(path, sizeof(path), "%s/%s/guests.service", directories[i / 6],
			 links[i % 6]);
		make_link(world, path, "../guests.service");
		assert_int_equal(read_systemd(world)->conflicts.n, 1);
		assert_string_equal(read_systemd(world)->conflicts.texts[0], "guests.service");
		assert_int_equal(unlink(path_of(world, path, full)), 0);
	}
	/* A link to nothing. */
	make_link(world, "etc/systemd/system/sleep.target.wants/gone.service", "/nonexistent/x");
	assert_int_equal(read_systemd(world)->conflicts.n, 0);
}

static void reads_no_version_that_is_none(void **state)
{
	static const struct {
		const char *text;
		unsigned int expected;
	} cases[] = {
		{ "1000\n", 1000 }, { "1001\n", 0 }, { "four\n", 0 }, { "", 0 }, { "4", 4 },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(world, "sys/hypervisor/version/minor", cases[i].text);
		assert_int_equal(read_all(world)->xen_minor, cases[i].expected);
		assert_int_equal(read_all(world)->xen_major, 0);
	}
}

static void reads_no_class_that_is_none(void **state)
{
	static const struct {
		const char *text;
		int expected;
	} cases[] = {
		{ "0xffffff\n", 0 },
		{ "0x1000000\n", -EBADMSG },
		{ "0x0c0330 x\n", -EBADMSG },
		{ "\n", -EBADMSG },
		{ "", -EBADMSG },
		{ "0", 0 },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t class = 7;

		write_file(world, "sys/bus/pci/devices/0000:00:14.0/class", cases[i].text);
		assert_int_equal(host_read_pci_class(world->sys, "0000:00:14.0", &class),
				 cases[i].expected);
		if (cases[i].expected < 0)
			assert_int_equal(class, 7);
	}
	make_link(world, "sys/bus/pci/devices/0000:00:15.0/class", "/proc/self/mem");
	{
		uint32_t class;

		assert_int_equal(host_read_pci_class(world->sys, "0000:00:15.0", &class), -EIO);
	}
}

/* What is said is the text of the kernel that was judged. */
static void keeps_the_text_of_the_sleep_states(void **state)
{
	struct world *world = *state;

	write_file(world, "sys/power/state", "freeze disk\n");
	write_file(world, "sys/power/mem_sleep", "[s2idle]\n");
	assert_string_equal(read_all(world)->sleep_text, "freeze disk");
	write_file(world, "sys/power/state", "mem\n");
	assert_string_equal(read_all(world)->sleep_text, "[s2idle]");
}

/* The first mount that is on a Xen disk is named, and no other one. */
static void names_the_mount_on_a_xen_disk(void **state)
{
	struct world *world = *state;

	write_file(world, VBD "/size", "1\n");
	write_file(world, "sys/devices/pci0000:00/block/sda/size", "1\n");
	make_link(world, "sys/dev/block/202:0", "../../devices/vbd-51712/block/xvda");
	make_link(world, "sys/dev/block/8:0", "../../devices/pci0000:00/block/sda");
	write_file(world, "proc/self/mountinfo",
		   "garbage\n"
		   "20 1 8:0 / / rw - ext4 /dev/sda rw\n"
		   "21 1 202:0 / /mnt rw - ext4 /dev/xvda rw\n"
		   "22 1 202:0 / /srv rw - ext4 /dev/xvda rw\n");
	assert_string_equal(read_all(world)->guest_disk, "xvda");
	assert_string_equal(read_all(world)->guest_disk_mount, "/mnt");
	write_file(world, "proc/self/mountinfo", "20 1 8:0 / / rw - ext4 /dev/sda rw\n");
	assert_string_equal(read_all(world)->guest_disk, "");
	assert_string_equal(read_all(world)->guest_disk_mount, "");
}

/* LUKS on LVM on RAID is searched, and more, but not for ever. */
static void follows_a_stack_of_eight_layers(void **state)
{
	struct world *world = *state;

	write_file(world, "proc/self/mountinfo", "21 1 253:0 / / rw - ext4 /dev/mapper/root rw\n");
	write_file(world, VBD "/size", "1\n");
	make_link(world, "sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
	for (unsigned int i = 0; i <= 8; i++) {
		char path[128], next[16], target[64], full[256];

		snprintf(path, sizeof(path), "sys/devices/virtual/block/dm-%u/slaves/xvda", i);
		path_of(world, path, full);
		make_link(world, path, "../../../../vbd-51712/block/xvda");
		assert_string_equal(read_all(world)->guest_disk, i < 8 ? "xvda" : "");
		assert_int_equal(unlink(full), 0);
		snprintf(next, sizeof(next), "dm-%u", i + 1);
		snprintf(path, sizeof(path), "sys/devices/virtual/block/dm-%u/slaves/%s", i, next);
		snprintf(target, sizeof(target), "../../%s", next);
		make_link(world, path, target);
	}
}

static void the_directories_of_this_host_are_these(void **state)
{
	struct roots roots;

	(void)state;
	assert_int_equal(roots_init_host(&roots), 0);
	assert_string_equal(roots.run, "/run/pmcoord");
	assert_string_equal(roots.journals, "/run/pmcoord/cycles");
	assert_string_equal(roots.reports, "/var/lib/pmcoord/reports");
	assert_string_equal(roots.unsaved_reports, "/run/pmcoord/reports");
	assert_string_equal(roots.sys, "/sys");
	assert_string_equal(roots.dev, "/dev");
	roots_done(&roots);
	assert_null(roots.run);
	assert_int_equal(roots_init_simulation("/d", &roots), 0);
	assert_string_equal(roots.run, "/d");
	assert_string_equal(roots.journals, "/d/cycles");
	assert_string_equal(roots.reports, "/d/reports");
	assert_string_equal(roots.unsaved_reports, "/d/unsaved-reports");
	assert_string_equal(roots.sys, "/d");
	assert_string_equal(roots.dev, "/d");
	roots_done(&roots);
	roots_done(NULL);
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
		world_test(finds_whatever_keeps_systemd_from_suspending),
		world_test(finds_units_and_links_in_all_directories),
		world_test(reads_the_configuration_of_the_highest_precedence),
		world_test(recognises_lines_that_handle_guests),
		world_test(searches_the_begin_of_a_hook),
		world_test(finds_units_that_handle_guests_in_all_places),
		world_test(reads_no_version_that_is_none),
		world_test(reads_no_class_that_is_none),
		world_test(keeps_the_text_of_the_sleep_states),
		world_test(names_the_mount_on_a_xen_disk),
		world_test(follows_a_stack_of_eight_layers),
		cmocka_unit_test(the_directories_of_this_host_are_these),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
