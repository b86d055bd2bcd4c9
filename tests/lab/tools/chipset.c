/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chipset: after each wake, puts back what the emulated laptop's firmware forgets to.
 *
 * S3 resets the ICH9's LPC bridge. A real firmware programs it again; here its ACPI registers stay unmapped,
 * and the next attempt to sleep ends at once, as if woken. (Seen with SeaBIOS 1.16.2 under QEMU 7.2.)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LPC_BRIDGE "/sys/bus/pci/devices/0000:00:1f.0/config"

static const struct {
	off_t offset;
	size_t length;
} registers[] = {
	{ 0x40, 4 }, /* PMBASE: where the ACPI registers are */
	{ 0x44, 1 }, /* ACPI_CNTL: that they are there */
	{ 0xf0, 4 }, /* RCBA: where the other chipset registers are */
};

static void die(const char *what) {
	perror(what);
	exit(EXIT_FAILURE);
}

/* The kernel cancels such a timer whenever it sets the clock, which it does on every wake. False: it did so just now. */
static bool arm_wake_timer(int timer) {
	struct itimerspec never = { .it_value = { .tv_sec = INT32_MAX } };

	if (timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0)
		return true;
	if (errno != ECANCELED)
		die("timerfd_settime");
	return false;
}

static void wait_for_wake(int timer) {
	uint64_t expirations;

	while (arm_wake_timer(timer))
		if (read(timer, &expirations, sizeof(expirations)) < 0 && errno == ECANCELED)
			return;
}

int main(void) {
	uint8_t values[sizeof(registers) / sizeof(registers[0])][4];
	int config = open(LPC_BRIDGE, O_RDWR | O_CLOEXEC);
	int timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);

	if (config < 0 || timer < 0)
		die(LPC_BRIDGE);
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		if (pread(config, values[i], registers[i].length, registers[i].offset) < 0)
			die("pread");
	for (;;) {
		wait_for_wake(timer);
		for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
			if (pwrite(config, values[i], registers[i].length, registers[i].offset) < 0)
				die("pwrite");
	}
}
