/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/manager.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "pmcoord/parse.h"

/* The maximum number of interfaces whose leases are renewed; further ones are left out. */
#define CALLS_MAX 64

static const struct {
	const char *name;
	const char *service;
	const char *object;
	const char *interface;
} managers[] = {
	[MANAGER_NETWORK_MANAGER] = {
		.name = "NetworkManager",
		.service = "org.freedesktop.NetworkManager",
		.object = "/org/freedesktop/NetworkManager",
		.interface = "org.freedesktop.NetworkManager",
	},
	[MANAGER_NETWORKD] = {
		.name = "systemd-networkd",
		.service = "org.freedesktop.network1",
		.object = "/org/freedesktop/network1",
		.interface = "org.freedesktop.network1.Manager",
	},
};
ENUM_COMPLETE(managers, MANAGER_NETWORKD);

struct manager_call {
	sd_bus *bus;
	enum manager manager;
	uint64_t timeout_us;
	sd_bus_slot *slots[CALLS_MAX];
	size_t n_slots;
	size_t n_pending;
	int r; /* the first failure */
	char text[200];
	manager_done_fn done;
	void *userdata;
};

const char *manager_name(enum manager manager)
{
	assert((size_t)manager < ELEMENTSOF(managers));
	return managers[manager].name;
}

/* ---- The managers' state files on /run ---- */

static bool networkd_has_link(const struct roots *roots, const char *ifindex)
{
	char text[2048];

	return file_read(text, sizeof(text), "%s/systemd/netif/links/%s", roots->services,
			 ifindex) > 0 &&
	       strstr(text, "NETWORK_FILE=") != NULL;
}

/*
 * Fills `ret` with the indices of the links that networkd manages. Returns the number of
 * links, which is 0 if networkd does not run.
 */
static size_t list_networkd_links(const struct roots *roots, int ret[CALLS_MAX])
{
	char path[FILE_PATH_MAX];
	struct dirent *entry;
	size_t n = 0;
	_cleanup_(closedirp) DIR *links = NULL;

	if (file_path(path, "%s/systemd/netif/links", roots->services) < 0)
		return 0;
	links = opendir(path);
	while (links && n < CALLS_MAX && (entry = readdir(links))) {
		uint64_t ifindex;

		if (parse_u64(entry->d_name, INT32_MAX, &ifindex) == 0 &&
		    networkd_has_link(roots, entry->d_name))
			ret[n++] = (int)ifindex;
	}
	return n;
}

bool manager_is_running(const struct roots *roots, enum manager manager)
{
	int links[CALLS_MAX];

	if (manager == MANAGER_NETWORKD)
		return list_networkd_links(roots, links) > 0;
	return file_exists("%s/NetworkManager", roots->services);
}

bool manager_manages_link(const struct roots *roots, unsigned int ifindex)
{
	char text[2048], number[16];

	snprintf(number, sizeof(number), "%u", ifindex);
	if (networkd_has_link(roots, number))
		return true;
	return file_read(text, sizeof(text), "%s/NetworkManager/devices/%u", roots->services,
			 ifindex) > 0 &&
	       strstr(text, "managed=true") != NULL;
}

/* ---- Calls ---- */

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct manager_call *call = userdata;
	const sd_bus_error *failure = sd_bus_message_get_error(reply);

	(void)error;
	if (failure && call->r == 0) {
		call->r = -sd_bus_message_get_errno(reply);
		snprintf(call->text, sizeof(call->text), "%s",
			 failure->message ? failure->message : "");
	}
	call->n_pending--;
	if (call->n_pending == 0) {
		/* Copy the call, because `done` may free it and then use the text. */
		struct manager_call ended = *call;

		ended.done(ended.userdata, ended.r, ended.text);
	}
	/* Not 0: after a timeout sd-bus would go on to use the bus, which is closed now. */
	return 1;
}

/*
 * Calls a method with one argument; `type` and `argument` are those of
 * sd_bus_message_append(3). Returns 0 or negative errno.
 */
static int send_call(struct manager_call *call, const char *method, const char *type, int argument)
{
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(call->bus, &message, managers[call->manager].service,
					       managers[call->manager].object,
					       managers[call->manager].interface, method);

	if (r >= 0)
		r = sd_bus_message_append(message, type, argument);
	/* D-Bus must not start a network manager that does not run. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(message, 0);
	if (r >= 0)
		r = sd_bus_call_async(call->bus, &call->slots[call->n_slots], message, on_reply,
				      call, call->timeout_us);
	sd_bus_message_unref(message);
	if (r < 0)
		return r;
	call->n_slots++;
	call->n_pending++;
	return 0;
}

static int send_renewals(struct manager_call *call, const struct roots *roots)
{
	int links[CALLS_MAX], r = 0;
	size_t n = list_networkd_links(roots, links);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = send_call(call, "RenewLink", "i", links[i]);
	return r;
}

int manager_call_start(sd_event *event, const struct roots *roots, enum manager manager,
		       bool suspend, uint64_t timeout_us, manager_done_fn done, void *userdata,
		       struct manager_call **ret)
{
	struct manager_call *call;
	int r;

	assert(event && roots && done && ret);
	assert((size_t)manager < ELEMENTSOF(managers));
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->manager = manager;
	call->timeout_us = timeout_us;
	call->done = done;
	call->userdata = userdata;
	/* Connect to the bus for this call only, so that the bus does not wake an idle agent. */
	r = sd_bus_open_system(&call->bus);
	if (r >= 0)
		r = sd_bus_attach_event(call->bus, event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0 && manager == MANAGER_NETWORK_MANAGER)
		r = send_call(call, "Sleep", "b", suspend);
	else if (r >= 0 && !suspend)
		r = send_renewals(call, roots);
	if (r < 0 || call->n_pending == 0) {
		manager_call_free(call);
		return r < 0 ? r : 1;
	}
	*ret = call;
	return 0;
}

void manager_call_free(struct manager_call *call)
{
	if (!call)
		return;
	for (size_t i = 0; i < call->n_slots; i++)
		sd_bus_slot_unref(call->slots[i]);
	sd_bus_close_unref(call->bus);
	free(call);
}
