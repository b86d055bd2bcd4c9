/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which PCI functions are unbound, which are kept, and why. */
#include "devices/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

#define A "0000:00:04.0"
#define B "0000:00:05.0"

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
		/* Two functions of one device, each for itself. */
		{ "0000:00:07.0", "igb", "0x8086 0x10c9 0x020000", DEVICE_UNBIND, "" },
		{ "0000:00:07.1", "igb", "0x8086 0x10c9 0x020000", DEVICE_UNBIND, "" },
		/* Real PIIX hardware, as there is no Xen platform device. */
		{ "0000:00:08.0", "ata_piix", "0x8086 0x7010 0x010180", DEVICE_UNBIND, "" },
	};
	struct machine *machine = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		tree_add_function(&machine->tree, cases[i].address, cases[i].driver, cases[i].ids);
	tree_add_function(&machine->tree, "0000:00:09.0", NULL, "0x8086 0x1234 0x0c0500");
	look(machine, tree_nothing_claimed);
	assert_int_equal(machine->inventory.n_functions, ELEMENTSOF(cases));
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		expect(machine, cases[i].address, cases[i].action, false, cases[i].reason);
}

static void leaves_what_a_device_model_emulates(void **state)
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
	expect(machine, "0000:00:02.0", DEVICE_KEEP, false, "Xen's own");
	expect(machine, A, DEVICE_UNBIND, false, "");
}

static void add_disk(struct machine *machine)
{
	tree_add_function(&machine->tree, A, "nvme", "0x1b36 0x0010 0x010802");
	tree_add_disk(&machine->tree, A, "nvme0n1", "259:0");
	tree_add_disk(&machine->tree, A, "nvme0n1p1", "259:1");
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
	/* A file system with a device number of its own. */
	tree_write(&machine->tree, "proc/self/mountinfo",
		   "25 1 0:33 /@ /srv rw - btrfs /dev/nvme0n1p1 rw\n");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 mounted on /srv");
}

static void keeps_the_controller_of_swap(void **state)
{
	struct machine *machine = *state;

	add_disk(machine);
	/* Another's name that begins alike is not it. */
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
	tree_write(&machine->tree, TREE_DEVICES A "/block/nvme0n1p1/holders/dm-0/dev", "");
	look(machine, tree_nothing_claimed);
	expect(machine, A, DEVICE_KEEP, true, "nvme0n1p1 part of dm-0");
}

static bool second_is_claimed(const struct roots *roots, const char *number)
{
	(void)roots;
	return strcmp(number, "259:1") == 0;
}

static void keeps_what_the_kernel_holds_for_no_visible_reason(void **state)
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
	tree_write(&machine->tree, TREE_DEVICES A "/usb1/1-1/host2/block/sda/dev", "8:0");
	tree_link(&machine->tree, "sys/class/block/sda",
		  TREE_DEVICES A "/usb1/1-1/host2/block/sda");
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
	expect(machine, A, DEVICE_KEEP, true, "in use for the console (fb0)");
}

static void stops_sound_before_its_users_are_frozen(void **state)
{
	struct machine *machine = *state;

	tree_add_function(&machine->tree, A, "snd_hda_intel", "0x8086 0x2668 0x040300");
	tree_add_function(&machine->tree, B, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	look(machine, tree_nothing_claimed);
	assert_true(find(machine, A)->early);
	assert_false(find(machine, B)->early);
	/* A USB headset makes the controller such a one. */
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

static void does_to_single_devices_what_it_is_told(void **state)
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

static void says_that_devices_none_is_a_risk(void **state)
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

static void is_content_without_any_pci_bus(void **state)
{
	struct machine *machine = *state;

	look(machine, tree_nothing_claimed);
	assert_int_equal(machine->inventory.n_functions, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_machine, teardown_machine)
	const struct CMUnitTest tests[] = {
		TEST(unbinds_real_functions_and_keeps_the_rest),
		TEST(leaves_what_a_device_model_emulates),
		TEST(keeps_the_controller_of_a_mounted_disk),
		TEST(keeps_the_controller_of_swap),
		TEST(keeps_the_controller_of_what_a_backend_exports),
		TEST(keeps_the_controller_below_a_mapping),
		TEST(keeps_what_the_kernel_holds_for_no_visible_reason),
		TEST(keeps_the_usb_controller_of_a_mounted_stick),
		TEST(keeps_a_gpu_in_use_and_unbinds_an_idle_one),
		TEST(keeps_a_gpu_with_a_framebuffer),
		TEST(stops_sound_before_its_users_are_frozen),
		TEST(does_to_single_devices_what_it_is_told),
		TEST(no_rule_unbinds_a_mounted_disk),
		TEST(a_rule_may_unbind_a_gpu_in_use),
		TEST(says_that_devices_none_is_a_risk),
		TEST(is_content_without_any_pci_bus),
	};

	return cmocka_run_group_tests_name("agent-inventory", tests, NULL, NULL);
}
