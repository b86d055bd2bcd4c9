/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_DEVICE_H
#define GUEST_AGENT_DEVICES_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"
#include "net/links.h"
#include "guest/log.h"
#include "devices/usage.h"

/*
 * One PCI function on its way down and back. Each step that may hang in the
 * kernel runs in a child (task.h). Coming back, what failed is tried again, the
 * later tries after a reset of the function, until it works or the time is up.
 * One that has a disk in use is neither unbound nor reset.
 *
 *   stopping ──> stopped ──> starting ──> back
 *      │            ^  ^         │ │
 *      └─> stuck ───┘  └─ waiting┘ └────> lost
 */

/* What touches the system; tests give it a kernel of their own. */
struct device_ops {
	const char *modprobe; /* the program */
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
	/* How long a start waits for a stop that hangs. */
	uint64_t stuck_patience_us;
	bool compact_memory; /* before a second try */
};

enum device_state {
	DEVICE_UP,
	DEVICE_STOPPING,
	DEVICE_STUCK, /* the child that stops it hangs */
	DEVICE_STOPPED,
	DEVICE_STARTING,
	DEVICE_WAITING, /* for the next try */
	DEVICE_BACK,
	DEVICE_LOST,
};

struct device;

/*
 * Called when a stop has ended (0, or negative with the reason in
 * device_text), and once more when a start has (0: back, as device_text says;
 * negative: lost). A lost one that recovers later says so in the log alone.
 */
typedef void (*device_done_fn)(void *userdata, struct device *device, int r);

/* `context` must outlive the device. Returns 0 or -ENOMEM. */
int device_new(const struct device_context *context, const char *address, const char *driver,
	       struct device **ret);

/* Saves what the driver will forget, and unbinds it; `done` is called later. */
int device_stop(struct device *device, device_done_fn done, void *userdata);

/*
 * Binds it and brings back what was saved, from any state: while its stop still
 * runs, that is waited for. `done` is called later, or never if freed before.
 */
int device_start(struct device *device, device_done_fn done, void *userdata);

enum device_state device_state(const struct device *device);
const char *device_address(const struct device *device);
const char *device_driver(const struct device *device);

/* What went wrong, or in what it differs from before; "" if nothing. */
const char *device_text(const struct device *device);

/* Its network interfaces, "" if it has none. */
const char *device_links(const struct device *device);

/* From device_start to back, or so far. */
uint64_t device_start_duration_us(const struct device *device);

/* Kills what still runs for it. NULL is fine. */
void device_free(struct device *device);

#endif
