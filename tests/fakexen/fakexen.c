/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/fakexen.h"

#include <stdbool.h>

#include "tests/fakexen/agents.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/process.h"
#include "tests/fakexen/store-client.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/toolstacks.h"
#include "tests/fakexen/virtual-time.h"

void fakexen_start(void)
{
	process_set_privileged(true);
	process_set_on_xen(true);
	process_set_root(true);
	process_act_as(0);
	virtual_time_start();
	faults_start();
	store_start();
	store_client_start();
	event_channels_start();
	domains_start();
	guests_start();
	toolstacks_start();
}

void fakexen_stop(void)
{
	agents_stop();
	toolstacks_stop();
	guests_stop();
	store_client_stop();
	domains_stop();
	event_channels_stop();
	store_stop();
	virtual_time_stop();
}
