/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_DEVICE_H
#define GUEST_AGENT_DEVICES_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"
#include "guest/log.h"
#include "net/links.h"
#include "net/netlink.h"
#include "devices/usage.h"

/*
 * Stops one PCI function before the suspend by unbinding its driver, and starts the PCI
 * function after the resume by binding the driver again. Each step that may hang in the
 * kernel runs in a child process (task.h). A start that fails is tried again a few times
 * within its time limit; from the third try on, the PCI function is reset first. A PCI
 * function with a disk in use is neither unbound nor reset.
 *
 *   stopping ──> stopped ──> starting ──> restored
 *      │            ^  ^         │ │
 *      └─> stuck ───┘  └─ waiting┘ └────> lost
 */

/* The program and the functions that access the system; tests replace them. */
struct device_ops {
	const char *modprobe; /* path of the program */
	int (*write)(const char *path, const char *text);
	int (*links_list)(const struct roots *roots, const char *address, char *ret_names,
			  size_t size);
	int (*links_save)(const struct roots *roots, const char *address);
	void (*links_down)(const struct roots *roots, const char *address);
	int (*links_restore)(const struct roots *roots, const char *address,
			     struct netlink *monitor, uint64_t deadline_us, char *ret_text,
			     size_t size);
};

extern const struct device_ops device_ops_of_system;

struct device_context {
	sd_event *event;
	const struct roots *roots;
	const struct device_ops *ops;
	usage_claimed_fn claimed;
	struct log *log;
	uint64_t stop_timeout_us;
	uint64_t start_timeout_us; /* for all tries together */
	/* How long a start waits for a stop that is under way or hangs. */
	uint64_t stuck_timeout_us;
	bool compact_memory; /* compact memory before the second and each further try */
};

enum device_state {
	DEVICE_UP, /* not stopped in this cycle */
	DEVICE_STOPPING,
	DEVICE_STUCK, /* the child that unbinds the driver hangs in the kernel */
	DEVICE_STOPPED,
	DEVICE_STARTING,
	DEVICE_WAITING, /* a try failed; the next one follows after a pause */
	DEVICE_RESTORED,
	DEVICE_LOST, /* not restored within the time limit */
};

struct device;

/*
 * Called when a stop or a start has ended.
 *
 * After a stop, r is 0, or negative errno with the reason in device_text().
 * After a start, r is 0 if the device is restored; device_text() then lists the settings that
 * could not be restored. r is negative errno if the device is lost. If a lost device is
 * restored later, this is only logged.
 */
typedef void (*device_done_fn)(void *userdata, struct device *device, int r);

/*
 * Creates the device of one PCI function. `context` must outlive the device. Returns 0 or
 * -ENOMEM; release `*ret` with device_free().
 */
int device_new(const struct device_context *context, const char *address, const char *driver,
	       struct device **ret);

/*
 * Saves the settings that an unbind would lose, and unbinds the driver. If 0 is returned,
 * `done` is called later. Otherwise returns negative errno.
 */
int device_stop(struct device *device, device_done_fn done, void *userdata);

/*
 * Binds the driver and restores the saved settings. Can be called in any state. Waits for the
 * end of a stop that is under way. If 0 is returned, `done` is called later. Otherwise
 * returns negative errno.
 */
int device_start(struct device *device, device_done_fn done, void *userdata);

enum device_state device_state(const struct device *device);
const char *device_address(const struct device *device);
const char *device_driver(const struct device *device);

/* Returns why a stop or a start failed, or what a start could not restore; "" if neither. */
const char *device_text(const struct device *device);

/* Returns the names of the PCI function's network interfaces; "" if there are none. */
const char *device_links(const struct device *device);

/* Returns how long the start took, or has taken so far; 0 before the start. */
uint64_t device_start_duration_us(const struct device *device);

/* Frees the device, and kills its child process. `done` is not called. NULL is a no-op. */
void device_free(struct device *device);

#endif
