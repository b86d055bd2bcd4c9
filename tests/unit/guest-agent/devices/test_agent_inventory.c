/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests which PCI functions are unbound, which are kept, and why. */
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

#include "pmcoord/cleanup.h"
#include "guest/class.h"
#include "guest/files.h"
#include "guest/settings.h"
#include "devices/inventory.h"
#include "devices/open-files.h"
#include "devices/usage.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

#define A "0000:00:04.0"
#define B "0000:00:05.0"
#define C "0000:00:06.0"

struct machine {
	struct tree tree;
	struct settings settings;
	struct inventory inventory;
};

static int setup_machine(void **state)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	tree_new(&machine->tree);
	assert_int_equal(settings_default(&machine->settings), 0);
	*state = machine;
	return 0;
}

static int teardown_machine(void **state)
{
	struct machine *machine = *state;

	inventory_done(&machine->inventory);
	settings_done(&machine->settings);
	tree_free(&machine->tree);
	free(machine);
	return 0;
}

static void look(struct machine *machine, usage_claimed_fn claimed)
{
	inventory_done(&machine->inventory);
	assert_int_equal(inventory_read(&machine->inventory, &machine->tree.roots,
					&machine->settings, claimed),
			 0);
}

static const struct pci_function *find(struct machine *machine, const char *address)
{
	for (size_t i = 0; i < machine->inventory.n_functions; i++)
		if (strcmp(machine->inventory.functions[i].address, address) == 0)
			return &machine->inventory.functions[i];
	fail_msg("%s is not in the inventory", address);
	return NULL;
}

static void expect(struct machine *machine, const char *address, enum device_action action,
		   bool risk, const char *reason)
{
	const struct pci_function *function = find(machine, address);

	assert_int_equal(function->action, action);
	assert_int_equal(function->risk, risk);
	assert_string_equal(function->reason, reason);
}

static void unbinds_real_functions_and_keeps_the_rest(void **state)
{
	static const struct {
		const char *address, *driver, *ids;
		enum device_action action;
		const char *reason;
	} cases[] = {
		{ "0000:00:01.0", "e1000e", "0x8086 0x10d3 0x020000", DEVICE_UNBIND, "" },
		{ "0000:00:02.0", "xhci_hcd", "0x1b36 0x000d 0x0c0330", DEVICE_UNBIND, "" },
		{ "0000:00:03.0", "iwlwifi", "0x8086 0x2723 0x028000", DEVICE_UNBIND, "" },
		{ "0000:00:04.0", "virtio-pci", "0x1af4 0x1041 0x020000", DEVICE_KEEP, "virtio" },
		{ "0000:00:05.0", "pcieport", "0x8086 0x3420 0x060400", DEVICE_KEEP, "a bridge" },
		{ "0000:00:06.0", "ahci", "0x8086 0x2922 0x010601", DEVICE_UNBIND, "" },
		/* Each function of a device is decided about separately. */
		{ "0000:00:07.0", "igb", "0x8086 0x10c9 0x020000", DEVICE_UNBIND, "" },
		{ "0000:00:07.1", "igb", "0x8086 0x10c9 0x020000", DEVICE_UNBIND, "" },
		/* Without the Xen platform device, PIIX is real hardware. */
		{ "0000:00:08.0", "ata_piix", "0x8086 0x7010 0x010180", DEVICE_UNBIND, "" },
	};
	struct machine *machine = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		tree_add_function(&machine->tree, cases[i].address, cases[i].driver, cases[i].ids);
	tree_add_function(&machine->tree, "0000:00:09.0", NULL, "0x8086 0x1234 0x0c0500");
	tree_add_ata_port(&machine->tree, "0000:00:06.0", 1, "none");
	tree_add_ata_port(&machine->tree, "0000:00:08.0", 2, "none");
	look(machine, tree_nothing_claimed);
	assert_int_equal(machine->inventory.n_functions, ELEMENTSOF(cases));
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		expect(machine, cases[i].address, cases[i].action, false, cases[i].reason);
}

static void keeps_what_a_device_model_emulates(void **state)
{
	struct machine *machine = *state;

	tree_add_function(&machine->tree, "0000:00:01.1", "ata_piix", "0x8086 0x7010 0x010180");
	tree_add_function(&machine->tree, "0000:00:02.0", "xen-platform-pci",
			  "0x5853 0x0001 0xff8000");
	tree_add_function(&machine->tree, A, "e1000e", "0x8086 0x10d3 0x020000");
	tree_add_function(&machine->tree, "0000:00:03.0", "bochs-drm", "0x1234 0x1111 0x030000");
	look(machine, tree_nothing_claimed);
	expect(machine, "0000:00:01.1", DEVICE_KEEP, false, "emulated");
	expect(machine, "0000:00:03.0", DEVICE_KEEP, false, "emulated");
	expect(machine, "0000:00:02.0", DEVICE_KEEP, false, "a Xen device");
	expect(machine, A, DEVICE_UNBIND, false, "");
}

static void add_disk(struct machine *machine)
{
	tree_add_function(&machine->tree, A, "nvme", "0x1b36 0x0010 0x010802");
	tree_add_nvme(&machine->tree, A, "nvme0");
	tree_add_namespace(&machine->tree, A, "nvme0n1", "259:0");
	tree_add_namespace(&machine->tree, A, "nvme0n1p1", "259:1");
}

static void keeps_the_controller_of_a_mounted_disk(void **state)
{
	struct machine *machine = *state;

	add_disk(machine);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "22 1 0:5 / /proc rw - proc proc rw\n"
		   "25 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /");
	/* This file system has a device number of its own. */
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 0:33 /@ /srv rw - btrfs /dev/nvme0n1p1 rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /srv");
}

static void keeps_the_controller_of_swap(void **state)
{
	struct machine *machine = *state;

	add_disk(machine);
	/* A longer name with the same beginning is that of another disk. */
	tree_write(&machine->tree, "proc/swaps",
		   "Filename Type Size Used Priority\n"
		   "/dev/nvme0n1p11 partition 1 0 -2\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
	tree_write(&machine->tree, "proc/swaps",
		   "Filename Type Size Used Priority\n"
		   "/dev/nvme0n1p11 partition 1 0 -2\n"
		   "/dev/nvme0n1p1\tpartition 1 0 -2\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 used as swap");
}

static void keeps_the_controller_of_what_a_backend_exports(void **state)
{
	struct machine *machine = *state;

	add_disk(machine);
	tree_write(&machine->tree, "sys/bus/xen-backend/devices/vbd-3-51712/physical_device",
		   "103:0\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1 exported by vbd-3-51712");
}

static void keeps_the_controller_below_a_mapping(void **state)
{
	struct machine *machine = *state;

	add_disk(machine);
	tree_write(&machine->tree, TREE_DEVICES A "/nvme/nvme0/nvme0n1p1/holders/dm-0/dev", "");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 part of dm-0");
}

static int second_is_claimed(const struct roots *roots, const char *number)
{
	(void)roots;
	return strcmp(number, "259:1") == 0;
}

static void keeps_the_controller_of_a_disk_that_the_kernel_has_claimed(void **state)
{
	struct machine *machine = *state;

	add_disk(machine);
	look(machine, second_is_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 held by the kernel");
}

static void keeps_the_usb_controller_of_a_mounted_stick(void **state)
{
	struct machine *machine = *state;

	tree_add_function(&machine->tree, A, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	tree_add_node(&machine->tree, "block", "sda", TREE_DEVICES A "/usb1/1-1/host2/block/sda",
		      "8:0");
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "30 1 8:0 / /mnt rw - vfat /dev/sda rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "sda mounted on /mnt");
}

static void add_gpu(struct machine *machine)
{
	tree_add_function(&machine->tree, A, "i915", "0x8086 0x3e92 0x030000");
	tree_write(&machine->tree, TREE_DEVICES A "/drm/card0/dev", "226:0");
	tree_link(&machine->tree, "sys/class/drm/card0", TREE_DEVICES A "/drm/card0");
}

static void keeps_a_gpu_in_use_and_unbinds_an_idle_one(void **state)
{
	struct machine *machine = *state;
	char path[FILE_PATH_MAX];

	add_gpu(machine);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
	tree_write(&machine->tree, "proc/812/comm", "Xorg\n");
	tree_write(&machine->tree, "proc/812/fd/.keep", "");
	tree_path(&machine->tree, path, "proc/812/fd/7");
	assert_int_equal(symlink("/dev/dri/card0", path), 0);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "in use by 'Xorg' (812)");
}

static void keeps_a_gpu_with_a_framebuffer(void **state)
{
	struct machine *machine = *state;

	add_gpu(machine);
	tree_write(&machine->tree, TREE_DEVICES A "/graphics/fb0/dev", "29:0");
	tree_link(&machine->tree, "sys/class/graphics/fb0", TREE_DEVICES A "/graphics/fb0");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "in use by the console (fb0)");
}

static void stops_sound_before_its_users_are_frozen(void **state)
{
	struct machine *machine = *state;

	tree_add_function(&machine->tree, A, "snd_hda_intel", "0x8086 0x2668 0x040300");
	tree_add_function(&machine->tree, B, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	look(machine, tree_nothing_claimed);
	assert_true(find(machine, A)->early);
	assert_false(find(machine, B)->early);
	/* A USB headset makes its controller a sound device. */
	tree_write(&machine->tree, TREE_DEVICES B "/usb1/1-2/sound/card1/id", "x");
	tree_link(&machine->tree, "sys/class/sound/card1", TREE_DEVICES B "/usb1/1-2/sound/card1");
	look(machine, tree_nothing_claimed);
	assert_true(find(machine, B)->early);
}

static void add_rule(struct machine *machine, const char *pattern, enum device_action action)
{
	struct settings *settings = &machine->settings;

	settings->rules =
		realloc(settings->rules, (settings->n_rules + 1) * sizeof(*settings->rules));
	settings->rules[settings->n_rules++] = (struct device_rule){
		.pattern = strdup(pattern),
		.action = action,
	};
}

static void applies_the_rules_of_single_devices(void **state)
{
	struct machine *machine = *state;

	tree_add_function(&machine->tree, "0000:00:01.0", "e1000e", "0x8086 0x10d3 0x020000");
	tree_add_function(&machine->tree, "0000:00:02.0", "iwlwifi", "0x8086 0x2723 0x028000");
	tree_add_function(&machine->tree, "0000:00:03.0", "igb", "0x8086 0x1533 0x020000");
	tree_add_function(&machine->tree, "0000:00:04.0", "virtio-pci", "0x1af4 0x1041 0x020000");
	add_rule(machine, "0000:00:01.*", DEVICE_KEEP);
	add_rule(machine, "iwl*", DEVICE_MODULE);
	add_rule(machine, "8086:1533", DEVICE_HOOK);
	add_rule(machine, "virtio-pci", DEVICE_UNBIND);
	look(machine, tree_nothing_claimed);
	expect(machine, "0000:00:01.0", DEVICE_KEEP, false, "configured to be kept");
	expect(machine, "0000:00:02.0", DEVICE_MODULE, false, "");
	expect(machine, "0000:00:03.0", DEVICE_HOOK, false, "left to a hook");
	expect(machine, "0000:00:04.0", DEVICE_UNBIND, false, "");
}

static void no_rule_unbinds_a_mounted_disk(void **state)
{
	struct machine *machine = *state;

	add_disk(machine);
	add_rule(machine, "nvme", DEVICE_UNBIND);
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 259:1 / / rw - ext4 /dev/root rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /");
}

static void a_rule_may_unbind_a_gpu_in_use(void **state)
{
	struct machine *machine = *state;

	add_gpu(machine);
	tree_write(&machine->tree, TREE_DEVICES A "/graphics/fb0/dev", "29:0");
	tree_link(&machine->tree, "sys/class/graphics/fb0", TREE_DEVICES A "/graphics/fb0");
	add_rule(machine, "i915", DEVICE_UNBIND);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
}

/* ---- Disks that lie beneath no function: NVMe multipath ---- */

#define HEAD TREE_SUBSYSTEM "/nvme0n1"

static void add_multipath_disk(struct machine *machine)
{
	tree_add_function(&machine->tree, A, "nvme", "0x1b36 0x0010 0x010802");
	tree_add_nvme(&machine->tree, A, "nvme0");
	tree_add_hidden_path(&machine->tree, A, "nvme0", "nvme0c0n1");
	tree_add_multipath_disk(&machine->tree, "nvme0n1", "259:0");
	tree_add_node(&machine->tree, "block", "nvme0n1p1", HEAD "/nvme0n1p1", "259:1");
}

static void keeps_the_controller_of_a_mounted_multipath_disk(void **state)
{
	struct machine *machine = *state;

	add_multipath_disk(machine);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 259:1 / /srv rw - ext4 /dev/nvme0n1p1 rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /srv");
	/* No rule unbinds a controller with a disk in use. */
	add_rule(machine, A, DEVICE_UNBIND);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /srv");
}

static void keeps_each_controller_of_a_subsystem(void **state)
{
	struct machine *machine = *state;

	add_multipath_disk(machine);
	tree_add_function(&machine->tree, B, "nvme", "0x1b36 0x0010 0x010802");
	tree_add_nvme(&machine->tree, B, "nvme1");
	tree_add_hidden_path(&machine->tree, B, "nvme1", "nvme0c1n1");
	/* This controller belongs to another subsystem. */
	tree_add_function(&machine->tree, C, "nvme", "0x1b36 0x0010 0x010802");
	tree_add_node(&machine->tree, "nvme", "nvme2", TREE_DEVICES C "/nvme/nvme2", "238:2");
	tree_teach(&machine->tree, C, "nvme/nvme2/state", "live\n");
	tree_link(&machine->tree, "sys/devices/virtual/nvme-subsystem/nvme-subsys1/nvme2",
		  TREE_DEVICES C "/nvme/nvme2");
	tree_link(&machine->tree, "sys/class/nvme-subsystem/nvme-subsys1",
		  "sys/devices/virtual/nvme-subsystem/nvme-subsys1");
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 259:1 / /srv rw - ext4 /dev/nvme0n1p1 rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /srv");
	expect(machine, B, DEVICE_KEEP, true, "nvme0n1p1 mounted on /srv");
	expect(machine, C, DEVICE_UNBIND, false, "");
}

static int first_is_claimed(const struct roots *roots, const char *number)
{
	(void)roots;
	return strcmp(number, "259:0") == 0;
}

static void all_uses_of_a_multipath_disk_count(void **state)
{
	struct machine *machine = *state;
	struct tree *tree = &machine->tree;

	add_multipath_disk(machine);
	look(machine, first_is_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1 held by the kernel");
	tree_add_virtual_disk(tree, "loop3", "7:3");
	tree_write(tree, "sys/devices/virtual/block/loop3/loop/backing_file", "/dev/nvme0n1\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1 backs loop3");
	tree_write(tree, "sys/bus/xen-backend/devices/vif-3-0/nodename", "x");
	tree_write(tree, "sys/bus/xen-backend/devices/vbd-3-51712/physical_device", "103:0\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1 exported by vbd-3-51712");
	tree_write(tree, HEAD "/holders/dm-0/dev", "254:0");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1 part of dm-0");
	tree_write(tree, "proc/swaps",
		   "Filename Type Size Used Priority\n"
		   "/dev/nvme0n1 partition 1 0 -2\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1 used as swap");
}

/* ---- Stacked and loop devices ---- */

static void a_virtual_disk_does_not_end_the_search(void **state)
{
	struct machine *machine = *state;
	char name[16], number[16];

	/* Virtual disks are added before and after the disk, as directories have no order. */
	for (int i = 0; i < 24; i++) {
		snprintf(name, sizeof(name), i % 2 ? "loop%d" : "dm-%d", i);
		snprintf(number, sizeof(number), "7:%d", i);
		tree_add_virtual_disk(&machine->tree, name, number);
		if (i == 11)
			add_disk(machine);
	}
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 259:1 / / rw - ext4 /dev/root rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /");
}

static void a_loop_device_on_a_file_uses_the_disk_by_its_mount(void **state)
{
	struct machine *machine = *state;
	char path[FILE_PATH_MAX];

	add_disk(machine);
	tree_add_virtual_disk(&machine->tree, "loop0", "7:0");
	tree_write(&machine->tree, "srv/image", "");
	tree_path(&machine->tree, path, "srv/image");
	tree_write(&machine->tree, "sys/devices/virtual/block/loop0/loop/backing_file", path);
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 259:1 / /srv rw - ext4 /dev/nvme0n1p1 rw\n"
		   "26 1 7:0 / /mnt rw - ext4 /dev/loop0 rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /srv");
	/* A loop device on a file of another file system does not use this disk. */
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "26 1 7:0 / /mnt rw - ext4 /dev/loop0 rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
}

static void add_stick(struct machine *machine)
{
	tree_add_function(&machine->tree, A, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	tree_add_node(&machine->tree, "block", "sda", TREE_DEVICES A "/usb1/1-1/host2/block/sda",
		      "8:0");
}

static void keeps_the_usb_controller_below_a_stacked_device(void **state)
{
	struct machine *machine = *state;
	struct tree *tree = &machine->tree;

	add_stick(machine);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
	tree_add_virtual_disk(tree, "loop0", "7:0");
	tree_write(tree, "sys/devices/virtual/block/loop0/loop/backing_file", "/dev/sda\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "sda backs loop0");
	tree_add_virtual_disk(tree, "md127", "9:127");
	tree_write(tree, TREE_DEVICES A "/usb1/1-1/host2/block/sda/holders/md127", "");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "sda part of md127");
}

/* ---- Processes that hold a disk open without claiming it ---- */

static void add_process(struct machine *machine, const char *file, const char *target)
{
	char path[FILE_PATH_MAX];

	tree_write(&machine->tree, "proc/812/comm", "qemu-system-i38\n");
	tree_parents(&machine->tree, file);
	tree_path(&machine->tree, path, file);
	assert_int_equal(symlink(target, path), 0);
}

static void keeps_the_controller_of_a_disk_that_a_process_has_open(void **state)
{
	/* The disk is open in a process's table, open in a thread's own table, or mapped. */
	static const char *const files[] = { "proc/812/fd/7", "proc/812/task/815/fd/7",
					     "proc/812/map_files/1000-2000" };
	struct machine *machine = *state;
	char path[FILE_PATH_MAX];

	add_multipath_disk(machine);
	for (size_t i = 0; i < ELEMENTSOF(files); i++) {
		add_process(machine, files[i], "/dev/nvme0n1");
		look(machine, tree_nothing_claimed);
		expect(machine, A, DEVICE_KEEP, true,
		       "nvme0n1 held open by 'qemu-system-i38' (812)");
		tree_path(&machine->tree, path, files[i]);
		assert_int_equal(unlink(path), 0);
	}
	add_process(machine, "proc/812/fd/8", "/dev/nvme0n11");
	add_process(machine, "proc/812/fd/9", "socket:[259]");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
}

static void finds_a_node_by_its_number(void **state)
{
	struct machine *machine = *state;

	add_multipath_disk(machine);
	tree_add_node(&machine->tree, "nvme-generic", "ng0n1", TREE_SUBSYSTEM "/nvme-generic/ng0n1",
		      "1:3");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
	/* /dev/null has the number of ng0n1, so it stands for a node of that disk. */
	add_process(machine, "proc/812/fd/7", "/dev/null");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "ng0n1 held open by 'qemu-system-i38' (812)");
	tree_add_virtual_disk(&machine->tree, "loop0", "7:0");
	tree_write(&machine->tree, "sys/devices/virtual/block/loop0/loop/backing_file",
		   "/dev/null\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "ng0n1 backs loop0");
}

/* ---- What cannot be read ---- */

static int nothing_can_be_opened(const struct roots *roots, const char *number)
{
	(void)roots;
	(void)number;
	return -EACCES;
}

/* Makes a path unreadable: replaces a file by a directory, or the reverse. */
static void spoil(struct machine *machine, const char *name, bool directory)
{
	char path[FILE_PATH_MAX];

	tree_path(&machine->tree, path, name);
	nftw(path, tree_remove, 16, FTW_DEPTH | FTW_PHYS);
	tree_parents(&machine->tree, name);
	if (directory)
		assert_int_equal(mkdir(path, 0755), 0);
	else
		tree_write(&machine->tree, name, "x");
}

static void what_cannot_be_read_is_not_unused(void **state)
{
	static const struct {
		const char *name;
		bool directory;
		const char *reason;
	} cases[] = {
		{ "proc/self/mountinfo", true, "cannot read self/mountinfo: Is a directory" },
		{ "proc/swaps", true, "cannot read swaps: Is a directory" },
		{ "proc/812/fd", false, "cannot read open files of a process: Not a directory" },
		{ "proc/812/task", false, "cannot read open files of a process: Not a directory" },
		{ HEAD "/holders", false, "nvme0n1 has unreadable holders: Not a directory" },
		{ HEAD "/dev", true, "nvme0n1 has no device number: Is a directory" },
		{ "sys/bus/xen-backend/devices", false,
		  "cannot read Xen backends: Not a directory" },
		{ "sys/bus/xen-backend/devices/vbd-3-51712/physical_device", false,
		  "cannot read Xen backends: Invalid argument" },
		{ "sys/devices/virtual/block/loop0/loop/backing_file", true,
		  "cannot read the backing files of loop devices: Is a directory" },
		{ "sys/devices/virtual/block/loop0/loop/backing_file", false,
		  "cannot read the backing files of loop devices: "
		  "No such file or directory" },
		{ "sys/module/nvmet", true,
		  "cannot read what nvmet exports: Operation not supported" },
		{ TREE_DEVICES A "/nvme/nvme0/state", true,
		  "cannot read its disks in sysfs: Is a directory" },
	};
	struct machine *machine = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char reason[200];

		tree_free(&machine->tree);
		tree_new(&machine->tree);
		add_multipath_disk(machine);
		tree_add_virtual_disk(&machine->tree, "loop0", "7:0");
		tree_add_function(&machine->tree, B, "igb", "0x8086 0x1533 0x020000");
		spoil(machine, cases[i].name, cases[i].directory);
		look(machine, tree_nothing_claimed);
		snprintf(reason, sizeof(reason), "use not understood: %s", cases[i].reason);
		expect(machine, A, DEVICE_KEEP, true, reason);
		/* The network card has no disks that could be in use. */
		expect(machine, B, DEVICE_UNBIND, false, "");
	}
}

static void a_subsystem_that_cannot_be_read_leads_to_all(void **state)
{
	struct machine *machine = *state;
	char path[FILE_PATH_MAX];

	add_multipath_disk(machine);
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 259:1 / /srv rw - ext4 /dev/nvme0n1p1 rw\n");
	tree_path(&machine->tree, path, TREE_SUBSYSTEM "/nvme0");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("nvme0", path), 0);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /srv");
}

static void a_disk_that_cannot_be_opened_is_not_unused(void **state)
{
	struct machine *machine = *state;

	add_stick(machine);
	look(machine, nothing_can_be_opened);
	expect(machine, A, DEVICE_KEEP, true,
	       "use not understood: sda cannot be opened: Permission denied");
	/* A disk without a node in /dev/block cannot be opened either. */
	look(machine, usage_claimed);
	expect(machine, A, DEVICE_KEEP, true,
	       "use not understood: sda cannot be opened: "
	       "No such file or directory");
	tree_write(&machine->tree, "dev/block/8:0", "");
	look(machine, usage_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
}

static void a_rule_without_wildcards_unbinds_what_is_unknown(void **state)
{
	struct machine *machine = *state;
	const char *reason = "use not understood: sda cannot be opened: Permission denied";

	add_stick(machine);
	add_rule(machine, "0000:*", DEVICE_UNBIND);
	look(machine, nothing_can_be_opened);
	expect(machine, A, DEVICE_KEEP, true, reason);
	free(machine->settings.rules[0].pattern);
	machine->settings.rules[0].pattern = strdup("xhci_hcd");
	look(machine, nothing_can_be_opened);
	expect(machine, A, DEVICE_UNBIND, false, "");
}

static void without_a_list_of_disks_nothing_is_unused(void **state)
{
	struct machine *machine = *state;
	char path[FILE_PATH_MAX];

	add_stick(machine);
	tree_path(&machine->tree, path, "sys/class/block/sdb");
	assert_int_equal(symlink("sdb", path), 0);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true,
	       "use not understood: cannot read sdb in sysfs: "
	       "Too many levels of symbolic links");
	spoil(machine, "sys/class/block", false);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true,
	       "use not understood: cannot read block in sysfs: "
	       "Not a directory");
	tree_path(&machine->tree, path, "sys/class/block");
	assert_int_equal(unlink(path), 0);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true,
	       "use not understood: cannot read block in sysfs: "
	       "No such file or directory");
}

static void a_disk_that_cannot_be_read_does_not_hide_one_in_use(void **state)
{
	struct machine *machine = *state;
	char name[40], path[FILE_PATH_MAX];

	/* Links are added before and after the disk, as directories have no order. */
	for (int i = 0; i < 24; i++) {
		snprintf(name, sizeof(name), "sys/class/block/loop%d", i);
		tree_path(&machine->tree, path, name);
		assert_int_equal(symlink(path, path), 0);
		snprintf(name, sizeof(name), "sys/class/block/gone%d", i);
		tree_path(&machine->tree, path, name);
		assert_int_equal(symlink("/nonexistent", path), 0);
		if (i == 11)
			add_disk(machine);
	}
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 259:1 / /srv rw - ext4 /dev/root rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /srv");
}

static void a_kernel_without_swap_uses_none(void **state)
{
	struct machine *machine = *state;
	char path[FILE_PATH_MAX];

	add_disk(machine);
	tree_path(&machine->tree, path, "proc/swaps");
	assert_int_equal(unlink(path), 0);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
	/* A kernel may lack swap, but every kernel has mounts. */
	tree_path(&machine->tree, path, "proc/self/mountinfo");
	assert_int_equal(unlink(path), 0);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true,
	       "use not understood: cannot read self/mountinfo: "
	       "No such file or directory");
}

/* ---- Storage functions ---- */

static void unbinds_an_ata_controller_whose_disks_are_all_unused(void **state)
{
	struct machine *machine = *state;
	struct tree *tree = &machine->tree;

	tree_add_function(tree, A, "ahci", "0x8086 0x2922 0x010601");
	tree_add_ata_port(tree, A, 1, "ata\n");
	tree_add_ata_disk(tree, A, 1, "sda", "8:0");
	tree_add_ata_port(tree, A, 2, "none\n");
	tree_add_ata_port(tree, A, 3, "atapi\n");
	tree_add_ata_disk(tree, A, 3, "sr0", "11:0");
	/* The chipset does not implement port 4. */
	tree_add_ata_port(tree, A, 4, "unknown\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_UNBIND, false, "");
	tree_write(tree, "proc/self/mountinfo", "25 1 11:0 / /media ro - iso9660 /dev/sr0 ro\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "sr0 mounted on /media");
}

static void add_ahci(struct machine *machine)
{
	tree_add_function(&machine->tree, A, "ahci", "0x8086 0x2922 0x010601");
	tree_add_ata_port(&machine->tree, A, 1, "ata\n");
	tree_add_ata_disk(&machine->tree, A, 1, "sda", "8:0");
}

static void add_unknown_driver(struct machine *machine)
{
	tree_add_function(&machine->tree, A, "megaraid_sas", "0x1000 0x005d 0x010400");
	tree_add_disk(&machine->tree, A, "sda", "8:0");
}

static void add_fibre_channel(struct machine *machine)
{
	tree_add_function(&machine->tree, A, "qla2xxx", "0x1077 0x2532 0x0c0400");
}

static void add_drive_without_disk(struct machine *machine)
{
	add_ahci(machine);
	tree_add_ata_port(&machine->tree, A, 2, "ata\n");
}

static void add_disk_without_drive(struct machine *machine)
{
	add_ahci(machine);
	tree_add_ata_port(&machine->tree, A, 2, "none\n");
	tree_add_ata_disk(&machine->tree, A, 2, "sdb", "8:16");
}

static void add_tape(struct machine *machine)
{
	add_ahci(machine);
	tree_add_ata_port(&machine->tree, A, 2, "atapi\n");
	tree_add_ata_disk(&machine->tree, A, 2, NULL, NULL);
}

static void add_port_multiplier(struct machine *machine)
{
	add_ahci(machine);
	tree_add_ata_port(&machine->tree, A, 2, "pmp\n");
}

static void add_other_host(struct machine *machine)
{
	add_ahci(machine);
	tree_add_node(&machine->tree, "scsi_host", "host9", TREE_DEVICES A "/host9/scsi_host/host9",
		      NULL);
}

static void add_dead_nvme(struct machine *machine)
{
	add_disk(machine);
	tree_teach(&machine->tree, A, "nvme/nvme0/state", "dead\n");
}

static void add_nvme_without_subsystem(struct machine *machine)
{
	char path[FILE_PATH_MAX];

	add_disk(machine);
	tree_path(&machine->tree, path, TREE_SUBSYSTEM "/nvme0");
	assert_int_equal(unlink(path), 0);
}

static void add_path_to_nowhere(struct machine *machine)
{
	add_multipath_disk(machine);
	tree_add_hidden_path(&machine->tree, A, "nvme0", "nvme0c0n2");
}

static void add_nvme_without_controller(struct machine *machine)
{
	tree_add_function(&machine->tree, A, "nvme", "0x1b36 0x0010 0x010802");
}

static const struct {
	void (*add)(struct machine *machine);
	const char *reason;
} not_understood[] = {
	{ add_unknown_driver, "the function has neither NVMe nor ATA devices" },
	{ add_fibre_channel, "the function has neither NVMe nor ATA devices" },
	{ add_nvme_without_controller, "the function has neither NVMe nor ATA devices" },
	{ add_drive_without_disk, "the numbers of ATA drives (2) and SCSI devices (1) differ" },
	{ add_disk_without_drive, "the numbers of ATA drives (1) and SCSI devices (2) differ" },
	{ add_tape, "SCSI device 2:0:0:0 is not a block device" },
	{ add_port_multiplier, "drive dev2.0 is of class 'pmp'" },
	{ add_other_host, "SCSI host host9 belongs to no ATA port" },
	{ add_dead_nvme, "nvme0 is 'dead', not 'live'" },
	{ add_nvme_without_subsystem, "nvme0 belongs to no subsystem" },
	{ add_path_to_nowhere, "nvme0c0n2 leads to a disk that is not visible" },
};

static void keeps_storage_that_is_not_understood_unless_named(void **state)
{
	struct machine *machine = *state;

	for (size_t i = 0; i < ELEMENTSOF(not_understood); i++) {
		char reason[200];

		settings_done(&machine->settings);
		settings_default(&machine->settings);
		tree_free(&machine->tree);
		tree_new(&machine->tree);
		not_understood[i].add(machine);
		look(machine, tree_nothing_claimed);
		snprintf(reason, sizeof(reason), "use not understood: %s",
			 not_understood[i].reason);
		expect(machine, A, DEVICE_KEEP, true, reason);
		/* A pattern with wildcards does not name a function. */
		add_rule(machine, "0000:*", DEVICE_UNBIND);
		look(machine, tree_nothing_claimed);
		expect(machine, A, DEVICE_KEEP, true, reason);
		free(machine->settings.rules[0].pattern);
		machine->settings.rules[0].pattern = strdup(A);
		look(machine, tree_nothing_claimed);
		expect(machine, A, DEVICE_UNBIND, false, "");
		machine->settings.rules[0].action = DEVICE_MODULE;
		look(machine, tree_nothing_claimed);
		expect(machine, A, DEVICE_MODULE, false, "");
	}
}

/* ---- */

static void devices_none_is_a_risk(void **state)
{
	struct machine *machine = *state;

	tree_add_function(&machine->tree, A, "e1000e", "0x8086 0x10d3 0x020000");
	tree_add_function(&machine->tree, B, "igb", "0x8086 0x1533 0x020000");
	machine->settings.devices = false;
	add_rule(machine, B, DEVICE_UNBIND);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "Devices=none");
	expect(machine, B, DEVICE_UNBIND, false, "");
}

static int count_name(void *data, const char *name)
{
	int *n = data;

	(void)name;
	(*n)++;
	return 0;
}

static int fail_at_name(void *data, const char *name)
{
	(void)data;
	(void)name;
	return -EIO;
}

static int count_file(void *data, const struct open_file *file)
{
	int *n = data;

	(void)file;
	(*n)++;
	return 0;
}

/* What one process holds open cannot be told: that is an error, and the others are walked. */
static void reports_open_files_that_cannot_be_read(void **state)
{
	struct machine *machine = *state;
	const struct roots *roots = &machine->tree.roots;
	int n = 0;

	tree_link(&machine->tree, "proc/98/fd/3", "/dev/null");
	tree_link(&machine->tree, "proc/100/fd/3", "socket:[4711]");
	assert_int_equal(open_files_each(roots, count_file, &n), 0);
	assert_int_equal(n, 2);
	tree_write(&machine->tree, "proc/99/fd/3", "no link");
	assert_int_equal(open_files_each(roots, count_file, &n), -EINVAL);
	assert_int_equal(n, 4);
}

/* An absent class has no devices; one that cannot be read, or a reader's error, is an error. */
static void tells_an_absent_class_from_an_unreadable_one(void **state)
{
	struct machine *machine = *state;
	const struct roots *roots = &machine->tree.roots;
	int n = 0;

	assert_int_equal(class_each_in(roots, "tape", machine->tree.sys, count_name, &n), 0);
	tree_write(&machine->tree, "sys/class/tape", "no directory");
	assert_int_equal(class_each_in(roots, "tape", machine->tree.sys, count_name, &n), -ENOTDIR);
	tree_write(&machine->tree, "sys/class/sound/card0/.keep", "");
	assert_int_equal(class_each_in(roots, "sound", machine->tree.sys, fail_at_name, &n), -EIO);
	assert_int_equal(n, 0);
	assert_int_equal(class_each_in(roots, "sound", machine->tree.sys, count_name, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(class_each(roots, "sound", "0000:99:00.0", count_name, &n), -ENOENT);
}

static void accepts_a_guest_without_a_pci_bus(void **state)
{
	struct machine *machine = *state;

	look(machine, tree_nothing_claimed);
	assert_int_equal(machine->inventory.n_functions, 0);
}

/* ---- What is not in the inventory, and what is known of the rest ---- */

static void leaves_out_functions_that_cannot_be_read(void **state)
{
	static const char *const attributes[] = { "class", "vendor", "device", "driver" };
	struct machine *machine = *state;
	struct tree *tree = &machine->tree;
	char name[100], path[FILE_PATH_MAX];

	tree_add_function(tree, B, "e1000e", "0x8086 0x00d3 0x020000");
	/* An address, and a driver's name, that are too long. */
	tree_add_function(tree, "0000:00:04.0-1234", "e1000e", "0x8086 0x10d3 0x020000");
	tree_add_function(
		tree, C,
		"a-driver-whose-name-is-much-longer-than-any-name-of-a-module-that-linux-loads",
		"0x8086 0x10d3 0x020000");
	tree_write(tree, "sys/bus/pci/devices/.hidden", "");
	for (size_t i = 0; i < ELEMENTSOF(attributes); i++) {
		snprintf(name, sizeof(name), "0000:00:1%zu.0", i);
		tree_add_function(tree, name, "e1000e", "0x8086 0x10d3 0x020000");
		snprintf(name, sizeof(name), TREE_DEVICES "0000:00:1%zu.0/%s", i, attributes[i]);
		tree_path(tree, path, name);
		assert_int_equal(unlink(path), 0);
	}
	look(machine, tree_nothing_claimed);
	assert_int_equal(machine->inventory.n_functions, 1);
	assert_string_equal(find(machine, B)->identity, "8086:00d3");
	assert_string_equal(find(machine, B)->driver, "e1000e");
	assert_int_equal(find(machine, B)->class, 0x020000);
}

static void names_the_classes_of_functions(void **state)
{
	static const struct {
		uint32_t class;
		const char *name;
	} cases[] = {
		{ 0x0c0330, "usb" },	    { 0x0c0300, "usb" },      { 0x028000, "wireless" },
		{ 0x010601, "disk" },	    { 0x010802, "disk" },     { 0x020000, "network" },
		{ 0x030000, "display" },    { 0x038000, "display" },  { 0x040300, "multimedia" },
		{ 0x060400, "bridge" },	    { 0x068000, "bridge" },   { 0x0c0500, "serial bus" },
		{ 0x0c8000, "serial bus" }, { 0x0d1100, "wireless" }, { 0x0d8000, "wireless" },
		{ 0x000000, "other" },	    { 0x080700, "other" },    { 0xff0000, "other" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_string_equal(pci_class_name(cases[i].class), cases[i].name);
}

static void keeps_all_that_qemu_emulates_but_only_in_hvm_guests(void **state)
{
	static const struct {
		const char *ids;
		bool emulated;
	} cases[] = {
		{ "0x8086 0x7010 0x020000", true },  { "0x8086 0x7020 0x020000", true },
		{ "0x8086 0x7113 0x020000", true },  { "0x1234 0x1111 0x020000", true },
		{ "0x1013 0x00b8 0x020000", true },  { "0x8086 0x1111 0x020000", false },
		{ "0x1013 0x7010 0x020000", false },
	};
	struct machine *machine = *state;

	for (int hvm = 0; hvm <= 1; hvm++) {
		/* Its address is after the others. */
		if (hvm)
			tree_add_function(&machine->tree, "0000:00:1f.0", "xen-platform-pci",
					  "0x5853 0x0001 0xff8000");
		for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
			char address[16];

			snprintf(address, sizeof(address), "0000:00:0%zu.0", i);
			if (!hvm)
				tree_add_function(&machine->tree, address, "x", cases[i].ids);
		}
		look(machine, tree_nothing_claimed);
		for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
			bool kept = hvm && cases[i].emulated;
			char address[16];

			snprintf(address, sizeof(address), "0000:00:0%zu.0", i);
			expect(machine, address, kept ? DEVICE_KEEP : DEVICE_UNBIND, false,
			       kept ? "emulated" : "");
		}
	}
}

static void stops_cameras_before_their_users_are_frozen(void **state)
{
	struct machine *machine = *state;

	tree_add_function(&machine->tree, A, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	tree_add_node(&machine->tree, "video4linux", "video0", TREE_DEVICES A "/usb1/video0",
		      "81:0");
	tree_add_function(&machine->tree, B, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	look(machine, tree_nothing_claimed);
	assert_true(find(machine, A)->early);
	assert_false(find(machine, B)->early);
}

/* ---- Tables of the kernel ---- */

static void finds_a_mount_among_other_lines(void **state)
{
	static const struct {
		const char *mounts;
		const char *reason; /* "": the disk is not mounted */
	} cases[] = {
		{ "garbage\n25 1 259:1 / /srv rw - ext4 /dev/root rw\n",
		  "nvme0n1p1 mounted on /srv" },
		{ "25 1 259:1 / /srv rw - ext4 /dev/root rw", "nvme0n1p1 mounted on /srv" },
		{ "25 1 259:11 / /srv rw - ext4 /dev/root rw\n", "" },
		{ "25 1 0:33 / /srv rw - btrfs /dev/nvme0n1p11 rw\n", "" },
		/* The source is that of the same line. */
		{ "24 1 0:32 / /a rw\n25 1 0:33 / /srv rw - btrfs /dev/nvme0n1p1 rw\n",
		  "nvme0n1p1 mounted on /srv" },
		{ "25 1 0:33 / /srv rw shared:1 - btrfs /dev/nvme0n1p1 rw\n",
		  "nvme0n1p1 mounted on /srv" },
		/* The first of several mounts is named. */
		{ "24 1 259:1 / /a rw - ext4 x rw\n25 1 259:1 / /b rw - ext4 x rw\n",
		  "nvme0n1p1 mounted on /a" },
		{ "\n", "" },
	};
	struct machine *machine = *state;

	add_disk(machine);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		tree_write(&machine->tree, "proc/self/mountinfo", cases[i].mounts);
		look(machine, tree_nothing_claimed);
		expect(machine, A, cases[i].reason[0] ? DEVICE_KEEP : DEVICE_UNBIND,
		       cases[i].reason[0] != '\0', cases[i].reason);
	}
}

static void a_backend_uses_only_the_disk_with_its_number(void **state)
{
	static const struct {
		const char *number;
		const char *reason;
	} cases[] = {
		{ "103:1\n", "nvme0n1p1 exported by vbd-3-51712" },
		{ "103:2\n", "" },
		/* This is the number of a character device. */
		{ "ee:0\n", "" },
		{ "103\n", "use not understood: cannot read Xen backends: Invalid argument" },
		{ "", "use not understood: cannot read Xen backends: Invalid argument" },
	};
	struct machine *machine = *state;

	add_disk(machine);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		tree_write(&machine->tree,
			   "sys/bus/xen-backend/devices/vbd-3-51712/physical_device",
			   cases[i].number);
		look(machine, tree_nothing_claimed);
		expect(machine, A, cases[i].reason[0] ? DEVICE_KEEP : DEVICE_UNBIND,
		       cases[i].reason[0] != '\0', cases[i].reason);
	}
}

/* The numbers of the disks that were tried, each with a "," after it. */
static char tried[200];

static int try_disk(const struct roots *roots, const char *number)
{
	(void)roots;
	sprintf(tried + strlen(tried), "%s,", number);
	return 0;
}

static void expect_tried(const char *first, const char *second)
{
	char expected[2][100];

	/* A directory has no order. */
	snprintf(expected[0], sizeof(expected[0]), "%s%s", first, second);
	snprintf(expected[1], sizeof(expected[1]), "%s%s", second, first);
	if (strcmp(tried, expected[0]) != 0)
		assert_string_equal(tried, expected[1]);
	tried[0] = '\0';
}

/* An open may have effects, so that it is the last resort. */
static void opens_only_block_devices_that_are_not_in_use(void **state)
{
	struct machine *machine = *state;
	struct usage usage;
	char path[FILE_PATH_MAX], directory[FILE_PATH_MAX];

	add_disk(machine);
	tree_add_function(&machine->tree, B, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	look(machine, try_disk);
	expect_tried("259:0,", "259:1,");
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 259:1 / /srv rw - ext4 /dev/root rw\n");
	look(machine, try_disk);
	expect_tried("259:0,", "");
	/* The disks of another function are of no interest. */
	tree_path(&machine->tree, path, TREE_DEVICES B);
	assert_non_null(realpath(path, directory));
	assert_int_equal(usage_read(&usage, &machine->tree.roots, directory, try_disk), 0);
	assert_int_equal(usage.list.n_disks, 0);
	usage_done(&usage);
	expect_tried("", "");
	tree_path(&machine->tree, path, TREE_DEVICES A);
	assert_non_null(realpath(path, directory));
	assert_int_equal(usage_read(&usage, &machine->tree.roots, directory, try_disk), 0);
	assert_int_equal(usage.list.n_disks, 3);
	usage_done(&usage);
	expect_tried("259:0,", "");
}

static void tells_whether_the_kernel_has_claimed_a_disk(void **state)
{
	struct machine *machine = *state;
	char slashes[FILE_PATH_MAX];

	memset(slashes, '/', sizeof(slashes) - 1);
	slashes[sizeof(slashes) - 1] = '\0';
	assert_int_equal(usage_claimed(&machine->tree.roots, "8:0"), -ENOENT);
	tree_write(&machine->tree, "dev/block/8:0", "");
	assert_int_equal(usage_claimed(&machine->tree.roots, "8:0"), 0);
	tree_write(&machine->tree, "dev/block/8:16/x/y", "");
	assert_int_equal(usage_claimed(&machine->tree.roots, "8:16/x/y/z"), -ENOTDIR);
	assert_int_equal(usage_claimed(&machine->tree.roots, slashes), -ENAMETOOLONG);
}

/* The first thing that cannot be read is named, not the last one. */
static void names_the_first_thing_that_cannot_be_read(void **state)
{
	struct machine *machine = *state;

	add_disk(machine);
	spoil(machine, "proc/self/mountinfo", true);
	spoil(machine, "proc/swaps", true);
	spoil(machine, "sys/module/nvmet", true);
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true,
	       "use not understood: cannot read self/mountinfo: Is a directory");
	/* A disk that is known to be in use comes first. */
	look(machine, second_is_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 held by the kernel");
}

/* ---- Displays ---- */

static void finds_each_way_to_use_a_display(void **state)
{
	static const struct {
		const char *file, *target;
		bool used;
	} cases[] = {
		{ "proc/812/fd/7", "/dev/dri/card0", true },
		{ "proc/812/task/815/fd/7", "/dev/dri/card0", true },
		{ "proc/812/map_files/1-2", "/dev/dri/card0", true },
		{ "proc/812/fd/7", "/dev/dri/renderD128", true },
		{ "proc/812/fd/7", "/dev/dri/card1", false },
		{ "proc/812/fd/7", "/dev/dri/card0-HDMI-A-1", false },
		{ "proc/812/fd/7", "/dev/dri/card", false },
	};
	struct machine *machine = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		tree_free(&machine->tree);
		tree_new(&machine->tree);
		add_gpu(machine);
		tree_add_node(&machine->tree, "drm", "renderD128", TREE_DEVICES A "/drm/renderD128",
			      "226:128");
		tree_add_node(&machine->tree, "drm", "card0-HDMI-A-1",
			      TREE_DEVICES A "/drm/card0/card0-HDMI-A-1", NULL);
		/* This is another display. */
		tree_add_function(&machine->tree, B, "i915", "0x8086 0x3e92 0x030000");
		tree_add_node(&machine->tree, "drm", "card1", TREE_DEVICES B "/drm/card1", "226:1");
		add_process(machine, cases[i].file, cases[i].target);
		look(machine, tree_nothing_claimed);
		expect(machine, A, cases[i].used ? DEVICE_KEEP : DEVICE_UNBIND, cases[i].used,
		       cases[i].used ? "in use by 'qemu-system-i38' (812)" : "");
	}
}

/* ---- Storage whose files cannot be read ---- */

static void storage_that_cannot_be_read_is_not_understood(void **state)
{
	static const struct {
		void (*add)(struct machine *machine);
		const char *name;
		bool directory;
		const char *reason;
	} cases[] = {
		{ add_disk, TREE_DEVICES A "/nvme/nvme0/state", true, "Is a directory" },
		{ add_disk, "sys/class/nvme-subsystem", false, "Not a directory" },
		{ add_disk, TREE_SUBSYSTEM, false, "Not a directory" },
		{ add_ahci, TREE_DEVICES A "/ata1/link1/dev1.0/ata_device/dev1.0/class", true,
		  "Is a directory" },
		{ add_tape, TREE_DEVICES A "/ata2/host2/target2:0:0/2:0:0:0/block", false,
		  "Not a directory" },
	};
	struct machine *machine = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char reason[200];

		tree_free(&machine->tree);
		tree_new(&machine->tree);
		cases[i].add(machine);
		spoil(machine, cases[i].name, cases[i].directory);
		look(machine, tree_nothing_claimed);
		snprintf(reason, sizeof(reason),
			 "use not understood: cannot read its disks in sysfs: %s", cases[i].reason);
		expect(machine, A, DEVICE_KEEP, true, reason);
	}
}

/* A link in a loop is an open file of which nothing is known. */
static void an_open_file_that_cannot_be_examined_is_an_error(void **state)
{
	struct machine *machine = *state;
	char path[FILE_PATH_MAX];
	int n = 0;

	tree_parents(&machine->tree, "proc/98/fd/3");
	tree_path(&machine->tree, path, "proc/98/fd/3");
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(open_files_each(&machine->tree.roots, count_file, &n), -ELOOP);
	assert_int_equal(n, 0);
	/* A file that was removed is still open. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nonexistent", path), 0);
	assert_int_equal(open_files_each(&machine->tree.roots, count_file, &n), 0);
	assert_int_equal(n, 1);
}

static void skips_a_file_that_is_mapped_several_times(void **state)
{
	struct machine *machine = *state;
	int n = 0;

	tree_link(&machine->tree, "proc/98/map_files/1-2", "run/.keep");
	tree_link(&machine->tree, "proc/98/map_files/2-3", "run/.keep");
	tree_link(&machine->tree, "proc/98/map_files/3-4", "run/.keep");
	assert_int_equal(open_files_each(&machine->tree.roots, count_file, &n), 0);
	assert_int_equal(n, 1);
	/* In another table it is not skipped; the first thread has the table of the process. */
	tree_link(&machine->tree, "proc/98/fd/3", "run/.keep");
	tree_link(&machine->tree, "proc/98/task/98/fd/3", "run/.keep");
	tree_link(&machine->tree, "proc/98/task/99/fd/3", "run/.keep");
	tree_link(&machine->tree, "proc/self/fd/3", "run/.keep");
	n = 0;
	assert_int_equal(open_files_each(&machine->tree.roots, count_file, &n), 0);
	assert_int_equal(n, 3);
}

static int stop_at_file(void *data, const struct open_file *file)
{
	int *n = data;

	assert_string_equal(file->pid, "98");
	assert_true(file->is_device);
	assert_false(file->device.block);
	assert_string_equal(file->device.text, "1:3");
	assert_string_equal(file->target, "/dev/null");
	(*n)++;
	return 5;
}

static void ends_the_walk_of_open_files_when_told(void **state)
{
	static const char *const files[] = { "proc/98/fd/3", "proc/98/map_files/1-2",
					     "proc/98/task/99/fd/3" };
	struct machine *machine = *state;
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < ELEMENTSOF(files); i++) {
		int n = 0;

		tree_parents(&machine->tree, files[i]);
		tree_path(&machine->tree, path, files[i]);
		assert_int_equal(symlink("/dev/null", path), 0);
		assert_int_equal(open_files_each(&machine->tree.roots, stop_at_file, &n), 5);
		assert_int_equal(n, 1);
		assert_int_equal(unlink(path), 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_machine, teardown_machine)
	const struct CMUnitTest tests[] = {
		TEST(unbinds_real_functions_and_keeps_the_rest),
		TEST(keeps_what_a_device_model_emulates),
		TEST(keeps_the_controller_of_a_mounted_disk),
		TEST(keeps_the_controller_of_swap),
		TEST(keeps_the_controller_of_what_a_backend_exports),
		TEST(keeps_the_controller_below_a_mapping),
		TEST(keeps_the_controller_of_a_disk_that_the_kernel_has_claimed),
		TEST(keeps_the_usb_controller_of_a_mounted_stick),
		TEST(keeps_a_gpu_in_use_and_unbinds_an_idle_one),
		TEST(keeps_a_gpu_with_a_framebuffer),
		TEST(stops_sound_before_its_users_are_frozen),
		TEST(applies_the_rules_of_single_devices),
		TEST(no_rule_unbinds_a_mounted_disk),
		TEST(a_rule_may_unbind_a_gpu_in_use),
		TEST(keeps_the_controller_of_a_mounted_multipath_disk),
		TEST(keeps_each_controller_of_a_subsystem),
		TEST(all_uses_of_a_multipath_disk_count),
		TEST(a_virtual_disk_does_not_end_the_search),
		TEST(a_loop_device_on_a_file_uses_the_disk_by_its_mount),
		TEST(keeps_the_usb_controller_below_a_stacked_device),
		TEST(keeps_the_controller_of_a_disk_that_a_process_has_open),
		TEST(finds_a_node_by_its_number),
		TEST(what_cannot_be_read_is_not_unused),
		TEST(a_subsystem_that_cannot_be_read_leads_to_all),
		TEST(a_disk_that_cannot_be_opened_is_not_unused),
		TEST(a_rule_without_wildcards_unbinds_what_is_unknown),
		TEST(without_a_list_of_disks_nothing_is_unused),
		TEST(a_disk_that_cannot_be_read_does_not_hide_one_in_use),
		TEST(a_kernel_without_swap_uses_none),
		TEST(unbinds_an_ata_controller_whose_disks_are_all_unused),
		TEST(keeps_storage_that_is_not_understood_unless_named),
		TEST(devices_none_is_a_risk),
		TEST(reports_open_files_that_cannot_be_read),
		TEST(tells_an_absent_class_from_an_unreadable_one),
		TEST(accepts_a_guest_without_a_pci_bus),
		TEST(leaves_out_functions_that_cannot_be_read),
		TEST(names_the_classes_of_functions),
		TEST(keeps_all_that_qemu_emulates_but_only_in_hvm_guests),
		TEST(stops_cameras_before_their_users_are_frozen),
		TEST(finds_a_mount_among_other_lines),
		TEST(a_backend_uses_only_the_disk_with_its_number),
		TEST(opens_only_block_devices_that_are_not_in_use),
		TEST(tells_whether_the_kernel_has_claimed_a_disk),
		TEST(names_the_first_thing_that_cannot_be_read),
		TEST(finds_each_way_to_use_a_display),
		TEST(storage_that_cannot_be_read_is_not_understood),
		TEST(an_open_file_that_cannot_be_examined_is_an_error),
		TEST(skips_a_file_that_is_mapped_several_times),
		TEST(ends_the_walk_of_open_files_when_told),
	};

	return cmocka_run_group_tests_name("agent-inventory", tests, NULL, NULL);
}
