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
 * Stops one PCI function before the suspend and starts it after it. Each step that
 * may hang in the kernel runs in a child (task.h). A start that fails is tried
 * again, later after a reset of the function, until it succeeds or its time limit
 * has passed. A function with a disk in use is neither unbound nor reset.
 *
 *   stopping ──> stopped ──> starting ──> restored
 *      │            ^  ^         │ │
 *      └─> stuck ───┘  └─ waiting┘ └────> lost
 */

/* The calls that change the system; tests replace them. */
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
	uint64_t start_timeout_us; /* all tries together */
	/* How long a start waits for a stop that hangs in the kernel. */
	uint64_t stuck_timeout_us;
	bool compact_memory; /* before a second try */
};

enum device_state {
	DEVICE_UP,
	DEVICE_STOPPING,
	DEVICE_STUCK, /* the child that stops it hangs in the kernel */
	DEVICE_STOPPED,
	DEVICE_STARTING,
	DEVICE_WAITING, /* for the next try */
	DEVICE_RESTORED,
	DEVICE_LOST, /* not restored within the time limit */
};

struct device;

/*
 * Called when a stop has ended (r: 0, or negative errno with the reason in
 * device_text()), and when a start has ended (0: restored, with the differences in
 * device_text(); negative errno: lost). If a lost device is restored later, that is
 * only logged.
 */
typedef void (*device_done_fn)(void *userdata, struct device *device, int r);

/* `context` must outlive the device. Returns 0 or -ENOMEM; release: device_free(). */
int device_new(const struct device_context *context, const char *address, const char *driver,
	       struct device **ret);

/*
 * Saves the settings that are lost with the driver, and unbinds it. Returns 0 or
 * negative errno; `done` is called later, and not at all after a failure.
 */
int device_stop(struct device *device, device_done_fn done, void *userdata);

/*
 * Binds the driver and restores the saved settings, from any state; if its stop is
 * under way, after that. Returns 0 or negative errno; `done` is called later, unless
 * the device is freed before.
 */
int device_start(struct device *device, device_done_fn done, void *userdata);

enum device_state device_state(const struct device *device);
const char *device_address(const struct device *device);
const char *device_driver(const struct device *device);

/* What failed, or what differs from before the stop; "" if nothing. */
const char *device_text(const struct device *device);

/* The names of its network interfaces, "" if it has none. */
const char *device_links(const struct device *device);

/* The duration of the start, or its duration so far; 0 before it. */
uint64_t device_start_duration_us(const struct device *device);

/* Kills the child that is running for it. NULL is a no-op. */
void device_free(struct device *device);

#endif
