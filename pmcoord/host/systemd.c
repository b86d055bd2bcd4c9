/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/systemd.h"

#include <assert.h>

int systemd_read_jobs(sd_bus_message *reply, systemd_job_fn handle, void *data)
{
	struct systemd_job job;
	int r = sd_bus_message_enter_container(reply, 'a', "(usssoo)");

	assert(handle);
	while (r > 0 && (r = sd_bus_message_read(reply, "(usssoo)", &job.id, &job.unit, &job.type,
						 NULL, NULL, NULL)) > 0) {
		r = handle(data, &job);
		if (r < 0)
			return r;
		r = 1;
	}
	return r < 0 ? r : 0;
}
