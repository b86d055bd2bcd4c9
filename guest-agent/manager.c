/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest-agent/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define NAME "org.freedesktop.NetworkManager"
#define OBJECT "/org/freedesktop/NetworkManager"

struct manager_call {
	sd_bus *bus;
	sd_bus_slot *slot;
	manager_done_fn done;
	void *userdata;
};

bool manager_is_there(const struct roots *roots)
{
	return file_exists("%s/NetworkManager", roots->services);
}

bool manager_has_link(const struct roots *roots, unsigned int ifindex)
{
	char text[2048];

	return file_read(text, sizeof(text), "%s/NetworkManager/devices/%u",
			 roots->services, ifindex) > 0 &&
	       strstr(text, "managed=true") != NULL;
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct manager_call *call = userdata;
	const sd_bus_error *failure = sd_bus_message_get_error(reply);

	(void)error;
	call->done(call->userdata,
		   failure ? -sd_bus_message_get_errno(reply) : 0,
		   failure && failure->message ? failure->message : "");
	return 0;
}

static int send_call(struct manager_call *call, bool asleep,
		     uint64_t timeout_us)
{
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(call->bus, &message, NAME,
					       OBJECT, NAME, "Sleep");

	if (r >= 0)
		r = sd_bus_message_append(message, "b", (int)asleep);
	/* Not started for the sake of being told to sleep. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(message, 0);
	if (r >= 0)
		r = sd_bus_call_async(call->bus, &call->slot, message, on_reply,
				      call, timeout_us);
	sd_bus_message_unref(message);
	return r;
}

int manager_call_sleep(sd_event *event, bool asleep, uint64_t timeout_us,
		       manager_done_fn done, void *userdata,
		       struct manager_call **ret)
{
	struct manager_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	call->done = done;
	call->userdata = userdata;
	/* A connection for one call: idle, nothing wakes us up. */
	r = sd_bus_open_system(&call->bus);
	if (r >= 0)
		r = sd_bus_attach_event(call->bus, event,
					SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = send_call(call, asleep, timeout_us);
	if (r < 0) {
		manager_call_free(call);
		return r;
	}
	*ret = call;
	return 0;
}

void manager_call_free(struct manager_call *call)
{
	if (!call)
		return;
	sd_bus_slot_unref(call->slot);
	sd_bus_close_unref(call->bus);
	free(call);
}
