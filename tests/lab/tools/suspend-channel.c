/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suspend-channel: stands in for a guest kernel that can be asked to suspend by event channel.
 *
 * It publishes a port in device/suspend/event-channel, as XenLinux of old did, and has the real kernel suspend
 * whenever dom0 notifies it. Runs in a guest, for ever; nothing is printed before the port can be bound.
 * With "storm", a second process sends events on that port without end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* This order: the second lacks what the first has. */
#include <xen/xen.h>

#include <xen/evtchn.h>

#include "store.h"

static void die(const char *what) {
	perror(what);
	exit(EXIT_FAILURE);
}

__attribute__((noreturn)) static void storm(int channel, unsigned int port) {
	struct ioctl_evtchn_notify notify = { .port = port };

	for (;;)
		if (ioctl(channel, IOCTL_EVTCHN_NOTIFY, &notify) < 0)
			die("notify");
}

int main(int argc, char **argv) {
	bool storms = argc == 2 && strcmp(argv[1], "storm") == 0;
	struct ioctl_evtchn_bind_unbound_port bind = { .remote_domain = 0 };
	int channel = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC);
	struct store store;
	char text[16];
	int port;

	if (argc > 1 && !storms) {
		fprintf(stderr, "Usage: %s [storm]\n", argv[0]);
		return 2;
	}
	if (channel < 0)
		die("/dev/xen/evtchn");
	port = ioctl(channel, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind);
	if (port < 0)
		die("bind");
	snprintf(text, sizeof(text), "%d", port);
	store_open(&store);
	if (!store_write(&store, "device/suspend/event-channel", text, strlen(text)))
		die("device/suspend/event-channel");
	puts("listening");
	fflush(stdout);
	if (storms && fork() == 0)
		storm(channel, (unsigned int) port);
	for (;;) {
		uint32_t fired;

		if (read(channel, &fired, sizeof(fired)) != sizeof(fired) || write(channel, &fired, sizeof(fired)) != sizeof(fired))
			die("event");
		if (!store_write(&store, "control/shutdown", "suspend", strlen("suspend")))
			die("control/shutdown");
	}
}
