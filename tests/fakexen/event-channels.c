/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/event-channels.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenevtchn.h>

#include "tests/fakexen/faults.h"
#include "tests/fakexen/observer.h"
#include "tests/fakexen/virtual-time.h"
#include "tests/fakexen/wakeup-fd.h"

/* Ports become valid in groups of this size. */
#define PORTS_PER_BUCKET 128
/* What a hypercall, and what taking an event with all that belongs to it, costs dom0. */
#define HYPERCALL_US 5
#define EVENT_US 50
/* Ports of dom0 that no test is about: virtual interrupts. */
#define VIRQS 8

enum port_state {
	PORT_FREE,
	PORT_UNBOUND,
	PORT_INTERDOMAIN,
	PORT_VIRQ,
};

struct port {
	enum port_state state;
	uint32_t remote_domid, remote_port;
	bool pending;
	bool masked; /* handed out, and not unmasked yet */
	struct device *device; /* NULL: held by somebody else, e.g. a kernel */
};

struct port_table {
	uint32_t domid;
	struct port *ports; /* port 0 is never used */
	uint32_t n_valid;
	bool running;
	uint32_t storm_port;
	uint64_t storm_until_us;
	void (*listener)(void *data);
	void *listener_data;
	struct port_table *next;
};

/* An open file of the device: all copies of its descriptor share it. */
struct device {
	uint32_t domid;
	struct wakeup_fd wakeup;
	int fd; /* a copy of the descriptor, of a handle that is open */
	uint32_t *ring; /* ports with an event to hand out, the oldest first */
	size_t n_ring;
	struct device *next;
};

struct xenevtchn_handle {
	struct device *device;
	int fd;
	bool dead;
	struct xenevtchn_handle *next;
};

static struct {
	struct port_table *tables;
	struct device *devices;
	struct xenevtchn_handle *handles;
	uint32_t domid;
	uint64_t n_taken;
} channels;

static void *require(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* ---- ports -------------------------------------------------------------- */

static struct port_table *find_table(uint32_t domid)
{
	struct port_table *table = channels.tables;

	while (table && table->domid != domid)
		table = table->next;
	return table;
}

static struct port *find_port(uint32_t domid, uint32_t port)
{
	struct port_table *table = find_table(domid);

	return table && port > 0 && port < table->n_valid ? &table->ports[port] : NULL;
}

static void add_bucket(struct port_table *table)
{
	uint32_t n = table->n_valid + PORTS_PER_BUCKET;

	table->ports = require(reallocarray(table->ports, n, sizeof(*table->ports)));
	for (; table->n_valid < n; table->n_valid++)
		table->ports[table->n_valid] = (struct port){ .state = PORT_FREE };
}

static uint32_t alloc_port(struct port_table *table, const struct port *contents)
{
	uint32_t port = 1;

	while (port < table->n_valid && table->ports[port].state != PORT_FREE)
		port++;
	if (port == table->n_valid)
		add_bucket(table);
	table->ports[port] = *contents;
	return port;
}

static struct port_table *add_table(uint32_t domid)
{
	struct port_table *table = require(calloc(1, sizeof(*table)));

	table->domid = domid;
	table->next = channels.tables;
	channels.tables = table;
	add_bucket(table);
	return table;
}

uint32_t event_channels_alloc(uint32_t domid, uint32_t remote)
{
	struct port contents = { .state = PORT_UNBOUND, .remote_domid = remote };

	return alloc_port(find_table(domid), &contents);
}

/* ---- devices ------------------------------------------------------------ */

static void update_fd(struct device *device)
{
	wakeup_fd_set(&device->wakeup, device->fd, device->n_ring > 0, 1);
}

static void call_listener(uint32_t domid)
{
	struct port_table *table = find_table(domid);

	if (table->listener)
		table->listener(table->listener_data);
}

/* Hands out the event of a port, unless the port is masked. A kernel takes it at once. */
static void deliver(uint32_t domid, struct port *port, uint32_t number)
{
	struct device *device = port->device;

	if (!port->pending || port->masked)
		return;
	if (!device) {
		port->pending = false;
		call_listener(domid);
		return;
	}
	port->pending = false;
	port->masked = true;
	device->ring =
		require(reallocarray(device->ring, device->n_ring + 1, sizeof(*device->ring)));
	device->ring[device->n_ring++] = number;
	update_fd(device);
	call_listener(domid);
}

static void raise_port(uint32_t domid, uint32_t number)
{
	struct port *port = find_port(domid, number);

	if (!port || port->state != PORT_INTERDOMAIN)
		return;
	port->pending = true;
	deliver(domid, port, number);
}

void event_channels_send(uint32_t domid, uint32_t number)
{
	struct port *port = find_port(domid, number);

	if (port && port->state == PORT_INTERDOMAIN)
		raise_port(port->remote_domid, port->remote_port);
}

static void take_from_ring(struct device *device, size_t i)
{
	for (device->n_ring--; i < device->n_ring; i++)
		device->ring[i] = device->ring[i + 1];
	update_fd(device);
}

void event_channels_close(uint32_t domid, uint32_t number)
{
	struct port *port = find_port(domid, number);
	struct port *remote;

	if (!port || port->state == PORT_FREE)
		return;
	remote = port->state == PORT_INTERDOMAIN ? find_port(port->remote_domid, port->remote_port)
						 : NULL;
	if (remote) {
		remote->state = PORT_UNBOUND;
		remote->remote_domid = domid;
		remote->remote_port = 0;
	}
	for (size_t i = 0; port->device && i < port->device->n_ring; i++)
		if (port->device->ring[i] == number)
			take_from_ring(port->device, i--);
	*port = (struct port){ .state = PORT_FREE };
}

static void close_ports_of(struct device *device)
{
	struct port_table *table = find_table(device->domid);

	for (uint32_t i = 1; table && i < table->n_valid; i++)
		if (table->ports[i].state != PORT_FREE && table->ports[i].device == device)
			event_channels_close(device->domid, i);
}

static void free_device(struct device **place)
{
	struct device *device = *place;

	close_ports_of(device);
	for (struct xenevtchn_handle *handle = channels.handles; handle; handle = handle->next)
		if (handle->device == device)
			handle->device = NULL;
	*place = device->next;
	wakeup_fd_close(&device->wakeup);
	free(device->ring);
	free(device);
}

/* Does what the driver does when the last copy of a descriptor was closed. */
static void release_devices(void)
{
	for (struct device **place = &channels.devices; *place;)
		if (wakeup_fd_is_released(&(*place)->wakeup))
			free_device(place);
		else
			place = &(*place)->next;
}

/* ---- domains ------------------------------------------------------------ */

static uint32_t bind(uint32_t domid, uint32_t remote_domid, uint32_t remote_port,
		     struct device *device)
{
	struct port contents = {
		.state = PORT_INTERDOMAIN,
		.remote_domid = remote_domid,
		.remote_port = remote_port,
		.device = device,
	};
	uint32_t number = alloc_port(find_table(domid), &contents);
	struct port *remote = find_port(remote_domid, remote_port);

	remote->state = PORT_INTERDOMAIN;
	remote->remote_domid = domid;
	remote->remote_port = number;
	/* Events that were sent before may have been lost. */
	raise_port(domid, number);
	return number;
}

static bool can_bind(uint32_t domid, uint32_t remote_domid, uint32_t remote_port)
{
	struct port *remote = find_port(remote_domid, remote_port);

	return remote && remote->state == PORT_UNBOUND && remote->remote_domid == domid;
}

bool event_channels_bind_elsewhere(uint32_t domid, uint32_t port)
{
	bool can = can_bind(0, domid, port);

	if (can)
		bind(0, domid, port, NULL);
	return can;
}

void event_channels_add_domain(uint32_t domid)
{
	add_table(domid);
	for (int i = 0; i < 2; i++)
		bind(0, domid, event_channels_alloc(domid, 0), NULL);
}

void event_channels_reset(uint32_t domid)
{
	struct port_table *table = find_table(domid);

	for (uint32_t i = 1; table && i < table->n_valid; i++)
		event_channels_close(domid, i);
}

void event_channels_remove_domain(uint32_t domid)
{
	struct port_table **place = &channels.tables;
	struct port_table *table;

	event_channels_reset(domid);
	while (*place && (*place)->domid != domid)
		place = &(*place)->next;
	table = *place;
	if (!table)
		return;
	*place = table->next;
	free(table->ports);
	free(table);
}

void event_channels_start(void)
{
	struct port virq = { .state = PORT_VIRQ };

	event_channels_stop();
	add_table(0);
	for (int i = 0; i < VIRQS; i++)
		alloc_port(find_table(0), &virq);
}

void event_channels_stop(void)
{
	event_channels_kill();
	while (channels.devices)
		free_device(&channels.devices);
	while (channels.tables)
		event_channels_remove_domain(channels.tables->domid);
	channels = (typeof(channels)){ .handles = channels.handles };
}

void event_channels_act_as(uint32_t domid)
{
	channels.domid = domid;
}

/* ---- storms ------------------------------------------------------------- */

static void send_storm(struct port_table *table)
{
	if (table->running && virtual_time_now() < table->storm_until_us)
		event_channels_send(table->domid, table->storm_port);
}

void event_channels_set_running(uint32_t domid, bool running)
{
	struct port_table *table = find_table(domid);

	if (!table)
		return;
	table->running = running;
	send_storm(table);
}

void event_channels_storm(uint32_t domid, uint32_t port, uint64_t until_us)
{
	struct port_table *table = find_table(domid);

	table->storm_port = port;
	table->storm_until_us = until_us;
	send_storm(table);
}

void event_channels_listen(uint32_t domid, void (*handle)(void *data), void *data)
{
	find_table(domid)->listener = handle;
	find_table(domid)->listener_data = data;
}

/* ---- what tests count --------------------------------------------------- */

uint64_t event_channels_count(void)
{
	return channels.n_taken;
}

unsigned int event_channels_count_ports(uint32_t domid)
{
	struct port_table *table = find_table(domid);
	unsigned int n = 0;

	for (uint32_t i = 1; table && i < table->n_valid; i++)
		n += table->ports[i].state != PORT_FREE;
	return n;
}

/* ---- libxenevtchn ------------------------------------------------------- */

void event_channels_kill(void)
{
	for (struct xenevtchn_handle *handle = channels.handles; handle; handle = handle->next) {
		if (handle->dead || (handle->device && handle->device->domid != channels.domid))
			continue;
		handle->dead = true;
		close(handle->fd);
	}
	release_devices();
}

static xenevtchn_handle *new_handle(struct device *device, int fd)
{
	xenevtchn_handle *handle = require(calloc(1, sizeof(*handle)));

	*handle = (xenevtchn_handle){ .device = device, .fd = fd, .next = channels.handles };
	channels.handles = handle;
	device->fd = fd;
	update_fd(device);
	return handle;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	struct device *device;
	int fd;

	(void)logger;
	(void)flags;
	if (faults_hit("xenevtchn_open", ""))
		return NULL;
	release_devices();
	device = require(calloc(1, sizeof(*device)));
	fd = wakeup_fd_open(&device->wakeup);
	device->domid = channels.domid;
	device->next = channels.devices;
	channels.devices = device;
	return new_handle(device, fd);
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int flags)
{
	(void)logger;
	(void)flags;
	release_devices();
	for (struct device *device = channels.devices; device; device = device->next)
		if (wakeup_fd_is(&device->wakeup, fd))
			return new_handle(device, fd);
	errno = EBADF;
	return NULL;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
	xenevtchn_handle **place = &channels.handles;

	if (!handle)
		return 0;
	while (*place != handle)
		place = &(*place)->next;
	*place = handle->next;
	if (!handle->dead)
		close(handle->fd);
	free(handle);
	release_devices();
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
	return handle->fd;
}

/* Lets the call take its time. Returns whether it reaches the device; else errno is set. */
static bool reaches_device(xenevtchn_handle *handle, const char *function, uint64_t us)
{
	if (handle->dead || !handle->device) {
		errno = EBADF;
		return false;
	}
	virtual_time_spend(us);
	return !faults_hit(function, "");
}

static struct port *find_own(xenevtchn_handle *handle, evtchn_port_t number)
{
	struct port *port = find_port(handle->device->domid, number);

	if (port && port->state != PORT_FREE && port->device == handle->device)
		return port;
	errno = ENOTCONN;
	return NULL;
}

static void report_notify(uint32_t domid, uint32_t number)
{
	const struct port *port = find_port(domid, number);

	if (domid == 0 && port->state == PORT_INTERDOMAIN)
		observer_report(&(struct observed){
			.type = OBSERVED_NOTIFIED,
			.domid = port->remote_domid,
			.port = port->remote_port,
		});
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t number)
{
	if (!reaches_device(handle, "xenevtchn_notify", HYPERCALL_US) || !find_own(handle, number))
		return -1;
	report_notify(handle->device->domid, number);
	event_channels_send(handle->device->domid, number);
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *handle, uint32_t domid)
{
	struct port contents = { .state = PORT_UNBOUND, .remote_domid = domid };

	if (!reaches_device(handle, "xenevtchn_bind_unbound_port", HYPERCALL_US))
		return -1;
	contents.device = handle->device;
	return (int)alloc_port(find_table(handle->device->domid), &contents);
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid,
						     evtchn_port_t number)
{
	uint32_t local;

	if (!reaches_device(handle, "xenevtchn_bind_interdomain", HYPERCALL_US))
		return -1;
	if (!can_bind(handle->device->domid, domid, number)) {
		errno = find_table(domid) ? EINVAL : ESRCH;
		return -1;
	}
	local = bind(handle->device->domid, domid, number, handle->device);
	send_storm(find_table(domid));
	return (int)local;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t number)
{
	if (!reaches_device(handle, "xenevtchn_unbind", HYPERCALL_US) || !find_own(handle, number))
		return -1;
	event_channels_close(handle->device->domid, number);
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
	struct device *device = handle->device;
	uint32_t number;

	if (!reaches_device(handle, "xenevtchn_pending", 0))
		return -1;
	if (device->n_ring > 0)
		virtual_time_spend(EVENT_US);
	if (device->n_ring == 0) {
		errno = EAGAIN;
		return -1;
	}
	number = device->ring[0];
	take_from_ring(device, 0);
	channels.n_taken += device->domid == 0;
	return (int)number;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t number)
{
	struct port *port;

	if (!reaches_device(handle, "xenevtchn_unmask", 0))
		return -1;
	port = find_own(handle, number);
	if (!port)
		return 0;
	port->masked = false;
	if (port->state == PORT_INTERDOMAIN && find_table(port->remote_domid) &&
	    find_table(port->remote_domid)->storm_port == port->remote_port)
		send_storm(find_table(port->remote_domid));
	deliver(handle->device->domid, port, number);
	return 0;
}

/* ---- hypercalls of libxenctrl ------------------------------------------- */

xc_evtchn_port_or_error_t xc_evtchn_alloc_unbound(xc_interface *xch, uint32_t domid,
						  uint32_t remote)
{
	(void)xch;
	virtual_time_spend(HYPERCALL_US);
	if (faults_hit_domain("xc_evtchn_alloc_unbound", domid))
		return -1;
	if (!find_table(domid)) {
		errno = ESRCH;
		return -1;
	}
	return (int)event_channels_alloc(domid, remote);
}

static void describe(const struct port *port, xc_evtchn_status_t *status)
{
	switch (port->state) {
	case PORT_FREE:
		status->status = EVTCHNSTAT_closed;
		break;
	case PORT_UNBOUND:
		status->status = EVTCHNSTAT_unbound;
		status->u.unbound.dom = (domid_t)port->remote_domid;
		break;
	case PORT_INTERDOMAIN:
		status->status = EVTCHNSTAT_interdomain;
		status->u.interdomain.dom = (domid_t)port->remote_domid;
		status->u.interdomain.port = port->remote_port;
		break;
	case PORT_VIRQ:
		status->status = EVTCHNSTAT_virq;
		status->u.virq = 0;
		break;
	}
}

int xc_evtchn_status(xc_interface *xch, xc_evtchn_status_t *status)
{
	uint32_t domid = status->dom == DOMID_SELF ? 0 : status->dom;
	struct port *port = find_port(domid, status->port);

	(void)xch;
	virtual_time_spend(HYPERCALL_US);
	if (faults_hit_domain("xc_evtchn_status", domid))
		return -1;
	if (!port) {
		errno = find_table(domid) ? EINVAL : ESRCH;
		return -1;
	}
	describe(port, status);
	return 0;
}
