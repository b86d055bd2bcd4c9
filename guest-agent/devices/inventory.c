/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices/inventory.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "guest/class.h"
#include "devices/disks.h"
#include "devices/storage.h"

/* Base classes of PCI functions, from linux/pci_ids.h. */
#define CLASS_STORAGE 0x01
#define CLASS_DISPLAY 0x03
#define CLASS_MULTIMEDIA 0x04
#define CLASS_BRIDGE 0x06
/* A base class with its subclass. */
#define CLASS_FIBRE_CHANNEL 0x0c04

#define VENDOR_VIRTIO 0x1af4
#define VENDOR_XEN 0x5853
#define VENDOR_INTEL 0x8086

const char *pci_class_name(uint32_t class)
{
	static const struct {
		uint32_t class, shift;
		const char *name;
	} names[] = {
		{ 0x0c03, 8, "usb" },	 { 0x0280, 8, "wireless" },  { 0x01, 16, "disk" },
		{ 0x02, 16, "network" }, { 0x03, 16, "display" },    { 0x04, 16, "multimedia" },
		{ 0x06, 16, "bridge" },	 { 0x0c, 16, "serial bus" }, { 0x0d, 16, "wireless" },
	};

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (class >> names[i].shift == names[i].class)
			return names[i].name;
	return "other";
}

/*
 * Whether QEMU emulates this PCI function in HVM guests. Such functions are never passed
 * through, and S3 of the host does not affect them.
 */
static bool is_emulated(uint64_t vendor, uint64_t device)
{
	static const struct {
		uint64_t vendor, device;
	} emulated[] = {
		/* PIIX3/4: IDE, USB, power management */
		{ VENDOR_INTEL, 0x7010 },
		{ VENDOR_INTEL, 0x7020 },
		{ VENDOR_INTEL, 0x7113 },
		/* VGA: "std" and Cirrus */
		{ 0x1234, 0x1111 },
		{ 0x1013, 0x00b8 },
	};

	for (size_t i = 0; i < ELEMENTSOF(emulated); i++)
		if (emulated[i].vendor == vendor && emulated[i].device == device)
			return true;
	return false;
}

static void keep(struct pci_function *function, bool risk, const char *reason)
{
	function->action = DEVICE_KEEP;
	function->risk = risk;
	snprintf(function->reason, sizeof(function->reason), "%s", reason);
}

struct reader {
	const struct roots *roots;
	const struct settings *settings;
	usage_claimed_fn claimed;
	bool hvm; /* this is an HVM guest: it has the Xen platform device */
	bool usage_is_read;
	struct usage usage;
};

static int stop_at_first(void *data, const char *name)
{
	(void)data;
	(void)name;
	return 1;
}

/* Whether there is a device of `class` beneath the function's directory. */
static bool has_class(const struct roots *roots, const char *class, const char *directory)
{
	return class_each_in(roots, class, directory, stop_at_first, NULL) == 1;
}

/* Whether a rule sets an action other than auto; false if `rule` is NULL. */
static bool has_action(const struct device_rule *rule)
{
	return rule && rule->action != DEVICE_AUTO;
}

static bool is_storage(const struct pci_function *function)
{
	return function->class >> 16 == CLASS_STORAGE ||
	       function->class >> 8 == CLASS_FIBRE_CHANNEL;
}

/* Whether a rule sets an action, and names this PCI function without wildcards. */
static bool is_named(const struct device_rule *rule)
{
	return has_action(rule) && !strpbrk(rule->pattern, "*?[\\");
}

/*
 * Returns the use of the PCI function's disks. If a storage function has disks that are not
 * visible, returns DISK_UNKNOWN instead of DISK_UNUSED.
 */
static enum disk_use find_use(struct reader *reader, const struct pci_function *function,
			      const char *directory, char *ret, size_t size)
{
	enum disk_use use = usage_find_disk(&reader->usage, directory, ret, size);
	int r;

	if (use != DISK_UNUSED || !is_storage(function))
		return use;
	r = storage_is_understood(reader->roots, directory, ret, size);
	if (r < 0)
		snprintf(ret, size, "cannot read its disks in sysfs: %s", strerror(-r));
	return r == 1 ? DISK_UNUSED : DISK_UNKNOWN;
}

/*
 * Keeps a PCI function with a disk in use. No rule overrides this, because data would be
 * lost. Keeps a PCI function whose use is not understood; only a rule that names it without
 * wildcards overrides this. Keeps a display in use; any rule with an action overrides this.
 */
static int decide_by_use(struct reader *reader, struct pci_function *function,
			 const char *directory)
{
	enum disk_use found;
	char use[160], reason[sizeof(function->reason)];

	if (!reader->usage_is_read) {
		int r = usage_read(&reader->usage, reader->roots, NULL, reader->claimed);

		if (r < 0)
			return r;
		reader->usage_is_read = true;
	}
	found = find_use(reader, function, directory, use, sizeof(use));
	snprintf(reason, sizeof(reason), "use not understood: %s", use);
	if (found == DISK_IN_USE)
		keep(function, true, use);
	else if (found == DISK_UNKNOWN && !is_named(function->rule))
		keep(function, true, reason);
	else if (!has_action(function->rule) && function->class >> 16 == CLASS_DISPLAY &&
		 usage_display_is_open(&reader->usage, directory, use, sizeof(use)))
		keep(function, true, use);
	return 0;
}

static int decide(struct reader *reader, struct pci_function *function, uint64_t vendor,
		  uint64_t device)
{
	const struct device_rule *rule = settings_find_rule(reader->settings, function->address,
							    function->driver, function->identity);
	char path[FILE_PATH_MAX], directory[PATH_MAX];
	int r;

	function->rule = rule;
	function->action = DEVICE_UNBIND;
	if (has_action(rule)) {
		function->action = rule->action;
		if (rule->action == DEVICE_KEEP)
			keep(function, false, "configured to be kept");
		if (rule->action == DEVICE_HOOK)
			snprintf(function->reason, sizeof(function->reason), "left to a hook");
	} else if (vendor == VENDOR_VIRTIO) {
		keep(function, false, "virtio");
	} else if (vendor == VENDOR_XEN) {
		keep(function, false, "a Xen device");
	} else if (function->class >> 16 == CLASS_BRIDGE) {
		keep(function, false, "a bridge");
	} else if (reader->hvm && is_emulated(vendor, device)) {
		keep(function, false, "emulated");
	} else if (!reader->settings->devices) {
		keep(function, true, "Devices=none");
	}
	if (function->action != DEVICE_UNBIND && function->action != DEVICE_MODULE)
		return 0;
	r = file_path(path, "%s/bus/pci/devices/%s", reader->roots->sys, function->address);
	if (r == 0 && !realpath(path, directory))
		r = -errno;
	if (r < 0)
		return r;
	function->early = function->class >> 16 == CLASS_MULTIMEDIA ||
			  has_class(reader->roots, "sound", directory) ||
			  has_class(reader->roots, "video4linux", directory);
	return decide_by_use(reader, function, directory);
}

/* Reads a PCI function. Returns false if the function has no driver or cannot be read. */
static bool read_function(const struct roots *roots, const char *address, struct pci_function *ret,
			  uint64_t *ret_vendor, uint64_t *ret_device)
{
	uint64_t class_code;

	*ret = (struct pci_function){ 0 };
	if (strlen(address) >= sizeof(ret->address))
		return false;
	strcpy(ret->address, address);
	if (file_link_name(ret->driver, sizeof(ret->driver), "%s/bus/pci/devices/%s/driver",
			   roots->sys, address) < 0)
		return false;
	if (file_read_number(&class_code, "%s/bus/pci/devices/%s/class", roots->sys, address) < 0 ||
	    file_read_number(ret_vendor, "%s/bus/pci/devices/%s/vendor", roots->sys, address) < 0 ||
	    file_read_number(ret_device, "%s/bus/pci/devices/%s/device", roots->sys, address) < 0)
		return false;
	ret->class = (uint32_t)class_code & 0xffffff;
	snprintf(ret->identity, sizeof(ret->identity), "%04x:%04x",
		 (unsigned int)*ret_vendor & 0xffff, (unsigned int)*ret_device & 0xffff);
	return true;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool is_xen(const struct roots *roots, const char *address)
{
	uint64_t vendor;

	return file_read_number(&vendor, "%s/bus/pci/devices/%s/vendor", roots->sys, address) ==
		       0 &&
	       vendor == VENDOR_XEN;
}

static int add_function(struct inventory *inventory, struct reader *reader, const char *address)
{
	struct pci_function function, *functions;
	uint64_t vendor, device;
	size_t n = inventory->n_functions;
	int r;

	if (!read_function(reader->roots, address, &function, &vendor, &device))
		return 0;
	r = decide(reader, &function, vendor, device);
	/* ENOENT: the function was removed since the directory was listed. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	functions = realloc(inventory->functions, (n + 1) * sizeof(*functions));
	if (!functions)
		return -ENOMEM;
	functions[n] = function;
	inventory->functions = functions;
	inventory->n_functions = n + 1;
	return 0;
}

int inventory_read(struct inventory *ret, const struct roots *roots,
		   const struct settings *settings, usage_claimed_fn claimed)
{
	struct reader reader = {
		.roots = roots,
		.settings = settings,
		.claimed = claimed,
	};
	char path[FILE_PATH_MAX];
	struct dirent **entries;
	int n, r;

	assert(ret && roots && settings && claimed);
	*ret = (struct inventory){ 0 };
	r = file_path(path, "%s/bus/pci/devices", roots->sys);
	if (r < 0)
		return r;
	n = scandir(path, &entries, not_hidden, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n && !reader.hvm; i++)
		reader.hvm = is_xen(roots, entries[i]->d_name);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = add_function(ret, &reader, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	usage_done(&reader.usage);
	if (r < 0)
		inventory_done(ret);
	return r;
}

void inventory_done(struct inventory *inventory)
{
	if (!inventory)
		return;
	free(inventory->functions);
	*inventory = (struct inventory){ 0 };
}
