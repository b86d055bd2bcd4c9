/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/lid.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/input.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"

struct lid {
	int fd;
	bool is_closed;
	bool was_opened;
	bool is_gone;
};

/* The kernel's bitmaps of input devices are arrays of long. */
#define LONG_BITS (CHAR_BIT * sizeof(long))
#define BITMAP_LONGS(n_bits) (((n_bits) + LONG_BITS - 1) / LONG_BITS)

static bool has_bit(const unsigned long *bitmap, unsigned int bit)
{
	return bitmap[bit / LONG_BITS] >> (bit % LONG_BITS) & 1;
}

static bool has_lid(int fd)
{
	unsigned long switches[BITMAP_LONGS(SW_CNT)] = { 0 };

	return ioctl(fd, EVIOCGBIT(EV_SW, sizeof(switches)), switches) >= 0 &&
	       has_bit(switches, SW_LID);
}

/* Reads the state of the switch. Returns 1 (closed), 0 (open), or a negative errno. */
static int read_switch(int fd)
{
	unsigned long switches[BITMAP_LONGS(SW_CNT)] = { 0 };

	if (ioctl(fd, EVIOCGSW(sizeof(switches)), switches) < 0)
		return -errno;
	return has_bit(switches, SW_LID);
}

struct lid *lid_new(int fd, bool is_closed)
{
	struct lid *lid = calloc(1, sizeof(*lid));

	assert(fd >= 0);
	if (!lid) {
		close(fd);
		return NULL;
	}
	*lid = (struct lid){ .fd = fd, .is_closed = is_closed };
	return lid;
}

/* Opens an input device. Returns its descriptor if it has the lid's switch, else -ENODEV. */
static int open_if_lid(int directory_fd, const char *name)
{
	int fd = openat(directory_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && !has_lid(fd))
		closep(&fd);
	return fd < 0 ? -ENODEV : fd;
}

static int find_lid(DIR *directory)
{
	struct dirent *entry;
	int fd = -ENODEV;

	while (fd < 0 && (entry = readdir(directory)))
		if (strncmp(entry->d_name, "event", strlen("event")) == 0)
			fd = open_if_lid(dirfd(directory), entry->d_name);
	return fd;
}

struct lid *lid_open(const char *dev)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closedirp) DIR *directory = NULL;
	int fd;

	assert(dev);
	if (asprintf(&path, "%s/input", dev) < 0)
		return NULL;
	directory = opendir(path);
	if (!directory)
		return NULL;
	fd = find_lid(directory);
	/* A later change of the switch is not lost, because `fd` reports it as an event. */
	return fd < 0 ? NULL : lid_new(fd, read_switch(fd) > 0);
}

void lid_free(struct lid *lid)
{
	if (!lid)
		return;
	close(lid->fd);
	free(lid);
}

int lid_fd(const struct lid *lid)
{
	assert(lid);
	return lid->fd;
}

static void set_closed(struct lid *lid, bool is_closed)
{
	lid->was_opened |= lid->is_closed && !is_closed;
	lid->is_closed = is_closed;
}

static void handle_event(struct lid *lid, const struct input_event *event)
{
	int closed;

	if (event->type == EV_SW && event->code == SW_LID) {
		set_closed(lid, event->value != 0);
	} else if (event->type == EV_SYN && event->code == SYN_DROPPED) {
		/* The kernel dropped events: read the current state instead. */
		closed = read_switch(lid->fd);
		if (closed >= 0)
			set_closed(lid, closed > 0);
	}
}

static void handle_events(struct lid *lid)
{
	struct input_event event;
	ssize_t n;

	/* evdev returns whole events only. */
	while ((n = read(lid->fd, &event, sizeof(event))) == sizeof(event))
		handle_event(lid, &event);
	lid->is_gone = n >= 0 || (errno != EAGAIN && errno != EINTR);
}

bool lid_is_closed(struct lid *lid)
{
	if (!lid)
		return false;
	handle_events(lid);
	return lid->is_closed;
}

bool lid_was_opened(struct lid *lid)
{
	if (!lid)
		return false;
	handle_events(lid);
	return lid->was_opened;
}

bool lid_is_gone(struct lid *lid)
{
	if (!lid)
		return true;
	handle_events(lid);
	return lid->is_gone;
}

void lid_restart(struct lid *lid)
{
	if (!lid)
		return;
	handle_events(lid);
	lid->was_opened = false;
}
