/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/descriptor-store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

int descriptor_store_take(const char *name)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), found = -ENOENT;

	assert(name);
	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (found < 0 && strcmp(names[i], name) == 0)
			found = fd;
		else
			close(fd);
		free(names[i]);
	}
	free(names);
	return found;
}

int descriptor_store_put(const char *name, int fd)
{
	char text[300];

	assert(name && fd >= 0);
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	(void)sd_notify(0, text);
	/*
	 * Without FDPOLL=0, systemd would drop an event channel device whose ring
	 * is full, because poll(2) reports an error for such a device.
	 */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	return sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}
