/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lid: the laptop's lid, an input device with the switch SW_LID, which logind takes for a real one.
 *
 * Words written to the FIFO given as argument:
 *   close  closes the lid; it is found open right after the next wake, as when someone opens it to wake the machine
 *   shut   closes the lid, and it stays closed after a wake (a wake by alarm, in a bag)
 *   open   opens the lid
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/uinput.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
	perror(what);
	exit(EXIT_FAILURE);
}

static void emit(int fd, uint16_t type, uint16_t code, int32_t value) {
	struct input_event event = { .type = type, .code = code, .value = value };

	if (write(fd, &event, sizeof(event)) != sizeof(event))
		die("write event");
}

static void set_lid(int fd, bool closed) {
	emit(fd, EV_SW, SW_LID, closed);
	emit(fd, EV_SYN, SYN_REPORT, 0);
}

static int create_lid(void) {
	struct uinput_setup setup = { .id = { .bustype = BUS_HOST }, .name = "Lid Switch" };
	int fd = open("/dev/uinput", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("/dev/uinput");
	if (ioctl(fd, UI_SET_EVBIT, EV_SW) < 0 || ioctl(fd, UI_SET_SWBIT, SW_LID) < 0 ||
	    ioctl(fd, UI_DEV_SETUP, &setup) < 0 || ioctl(fd, UI_DEV_CREATE) < 0)
		die("uinput");
	return fd;
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

int main(int argc, char **argv) {
	bool open_on_wake = false;
	int lid, fifo, timer;

	if (argc != 2) {
		fprintf(stderr, "Usage: %s FIFO\n", argv[0]);
		return 2;
	}
	lid = create_lid();
	if (mkfifo(argv[1], 0600) < 0 && errno != EEXIST)
		die("mkfifo");
	/* Opened for writing too, so that it never reaches its end. */
	fifo = open(argv[1], O_RDWR | O_CLOEXEC);
	timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fifo < 0 || timer < 0)
		die("open");
	arm_wake_timer(timer);

	for (;;) {
		struct pollfd fds[] = { { timer, POLLIN, 0 }, { fifo, POLLIN, 0 } };
		char words[256];
		uint64_t expirations;
		ssize_t n;

		if (poll(fds, 2, -1) < 0)
			die("poll");
		if (fds[0].revents) {
			bool woke = read(timer, &expirations, sizeof(expirations)) < 0 && errno == ECANCELED;

			woke |= !arm_wake_timer(timer);
			if (woke && open_on_wake) {
				set_lid(lid, false);
				open_on_wake = false;
			}
		}
		if (!fds[1].revents)
			continue;
		n = read(fifo, words, sizeof(words) - 1);
		if (n < 0)
			die("read");
		words[n] = 0;
		for (char *word = strtok(words, " \n"); word; word = strtok(NULL, " \n")) {
			open_on_wake = strcmp(word, "close") == 0;
			set_lid(lid, strcmp(word, "open") != 0);
		}
	}
}
