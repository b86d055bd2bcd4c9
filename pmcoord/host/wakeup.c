/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/wakeup.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "host/attribute.h"

struct source {
	char name[48];
	int fd; /* event_count */
	uint64_t count;
};

struct wakeup {
	struct source *sources;
	size_t n_sources;
};

/* The kernel's names, or the beginnings of them, and people's. */
static const struct {
	const char *prefix, *name;
} known[] = {
	{ "rtc_cmos", "RTC" }, /* the driver */
	{ "alarmtimer", "RTC" },
	/* Hardware IDs of ACPI 6.5, section 5.6.7, and the kernel's own for fixed buttons. */
	{ "PNP0C0C", "power button" },
	{ "LNXPWRBN", "power button" },
	{ "PNP0C0E", "sleep button" },
	{ "LNXSLPBN", "sleep button" },
	{ "PNP0C0D", "lid" },
	{ "PNP0C0A", "battery" },
	{ "ACPI0003", "charger" },
};

static const char *translate(const char *text)
{
	for (size_t i = 0; i < ELEMENTSOF(known); i++)
		if (strncmp(text, known[i].prefix, strlen(known[i].prefix)) == 0)
			return known[i].name;
	return NULL;
}

/* Returns the name of the device's driver, in `target`; "" if it has none. */
static const char *read_driver(int directory_fd, char target[256])
{
	ssize_t n = readlinkat(directory_fd, "device/driver", target, 255);
	const char *slash;

	target[n > 0 ? n : 0] = '\0';
	slash = strrchr(target, '/');
	return slash ? slash + 1 : target;
}

static void read_name(int directory_fd, struct source *source)
{
	char name[64], target[256];
	const char *translated;

	attribute_read_at(directory_fd, "name", name, sizeof(name));
	translated = translate(name);
	if (!translated)
		translated = translate(read_driver(directory_fd, target));
	if (translated)
		snprintf(source->name, sizeof(source->name), "%s", translated);
	else
		text_sanitize(name, strlen(name), source->name, sizeof(source->name));
}

/* Leaves out what cannot be read. Returns 0 or -ENOMEM. */
static int add_source(struct wakeup *wakeup, int class_fd, const char *entry)
{
	_cleanup_(closep) int directory_fd =
		openat(class_fd, entry, O_DIRECTORY | O_PATH | O_CLOEXEC);
	struct source source = { .fd = -EBADF };

	if (directory_fd < 0)
		return 0;
	source.fd = openat(directory_fd, "event_count", O_RDONLY | O_CLOEXEC);
	if (source.fd < 0)
		return 0;
	read_name(directory_fd, &source);
	if (attribute_read_number(source.fd, &source.count) < 0 || source.name[0] == '\0') {
		close(source.fd);
		return 0;
	}
	if (array_grow(&wakeup->sources, wakeup->n_sources, sizeof(source)) < 0) {
		close(source.fd);
		return -ENOMEM;
	}
	wakeup->sources[wakeup->n_sources++] = source;
	return 0;
}

struct wakeup *wakeup_new(const char *sys)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closedirp) DIR *directory = NULL;
	struct wakeup *wakeup;
	struct dirent *entry;
	int r = 0;

	assert(sys);
	if (asprintf(&path, "%s/class/wakeup", sys) < 0)
		return NULL;
	directory = opendir(path);
	wakeup = directory ? calloc(1, sizeof(*wakeup)) : NULL;
	while (wakeup && r == 0 && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			r = add_source(wakeup, dirfd(directory), entry->d_name);
	if (wakeup && wakeup->n_sources == 0) {
		wakeup_free(wakeup);
		return NULL;
	}
	return wakeup;
}

void wakeup_free(struct wakeup *wakeup)
{
	if (!wakeup)
		return;
	for (size_t i = 0; i < wakeup->n_sources; i++)
		close(wakeup->sources[i].fd);
	free(wakeup->sources);
	free(wakeup);
}

/* Appends a name, unless the list has it: the RTC has two sources. */
static void add_name(const char *name, char *ret, size_t size)
{
	size_t used = strlen(ret);

	if (!strstr(ret, name) && used + strlen(name) + 3 <= size)
		snprintf(ret + used, size - used, "%s%s", used ? ", " : "", name);
}

void wakeup_name(const struct wakeup *wakeup, char *ret, size_t size)
{
	uint64_t count;

	assert(ret && size > 0);
	ret[0] = '\0';
	for (size_t i = 0; wakeup && i < wakeup->n_sources; i++)
		if (attribute_read_number(wakeup->sources[i].fd, &count) == 0 &&
		    count != wakeup->sources[i].count)
			add_name(wakeup->sources[i].name, ret, size);
	if (ret[0] == '\0')
		snprintf(ret, size, "unknown");
}
