/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/store-client.h"

#define CAPABILITIES "/proc/xen/capabilities"

static bool is_privileged;

/* With 64-bit file offsets the C library's fopen() is named fopen64(). */
FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);

FILE *__wrap_fopen64(const char *path, const char *mode)
{
	static char control[] = "control_d\n", nothing[] = "\n";

	if (strcmp(path, CAPABILITIES) != 0)
		return __real_fopen64(path, mode);
	return is_privileged ? fmemopen(control, strlen(control), "r")
			     : fmemopen(nothing, strlen(nothing), "r");
}

uid_t geteuid(void)
{
	return 0;
}

void process_set_privileged(bool is_dom0)
{
	is_privileged = is_dom0;
}

void process_kill(void)
{
	store_client_kill();
	event_channels_kill();
}

void process_act_as(uint32_t domid)
{
	store_client_act_as(domid);
	event_channels_act_as(domid);
}
