/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/guests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/virtual-time.h"

#define ACKNOWLEDGE_US 1000
#define SUSPEND_US 30000
#define SHUT_DOWN_US 1000000
/* How long after its resume ANSWER_TWICE suspends once more. */
#define AGAIN_US 2000000
#define PATH_SIZE 256

/* Something that the guest does later. */
struct task {
	struct fake_guest *guest;
	uint64_t due_us;
	fake_guest_fn handle;
	void *data;
	bool is_done;
	unsigned int n_handlers; /* of virtual time, that refer to this task */
	struct task *next;
};

struct fake_guest {
	struct fake_guest_params params;
	char name[64];
	uint32_t domid;
	struct fake_domain *domain;
	struct store_connection *kernel;
	bool is_suspending; /* has acknowledged, and has not suspended yet */
	bool is_shutting_down; /* and ignores all requests */
	bool suspends_again;
	bool is_running;
	uint64_t stopped_us; /* since when it does not run */
	fake_guest_fn on_resume;
	void *resume_data;
	struct task *tasks;
	struct fake_guest *next;
};

static struct fake_guest *guests;

static void *require(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

struct fake_domain *fake_guest_domain(const struct fake_guest *guest)
{
	return guest->domain;
}

uint32_t fake_guest_domid(const struct fake_guest *guest)
{
	return guest->domid;
}

const struct fake_guest_params *fake_guest_params(const struct fake_guest *guest)
{
	return &guest->params;
}

struct fake_guest *fake_guest_find(uint32_t domid)
{
	struct fake_guest *guest = guests;

	while (guest && (guest->domid != domid || !guest->domain))
		guest = guest->next;
	return guest;
}

void fake_guest_set_answer(struct fake_guest *guest, enum guest_answer answer)
{
	guest->params.answer = answer;
}

/* ---- the guest's time --------------------------------------------------- */

static void run_task(void *data)
{
	struct task *task = data;
	struct fake_guest *guest = task->guest;

	task->n_handlers--;
	if (task->is_done || virtual_time_now() < task->due_us || !guest->is_running)
		return;
	task->is_done = true;
	task->handle(guest, task->data);
}

static void schedule(struct task *task)
{
	task->n_handlers++;
	virtual_time_at(task->due_us, run_task, task);
}

static void free_done_tasks(struct fake_guest *guest)
{
	for (struct task **place = &guest->tasks; *place;) {
		struct task *task = *place;

		if (!task->is_done || task->n_handlers > 0) {
			place = &task->next;
			continue;
		}
		*place = task->next;
		free(task);
	}
}

void fake_guest_after(struct fake_guest *guest, uint64_t delay_us, fake_guest_fn handle, void *data)
{
	struct task *task;

	free_done_tasks(guest);
	task = require(calloc(1, sizeof(*task)));
	*task = (struct task){
		.guest = guest,
		/* run_on adds the time for which the guest will have been stopped. */
		.due_us = (guest->is_running ? virtual_time_now() : guest->stopped_us) + delay_us,
		.handle = handle,
		.data = data,
		.next = guest->tasks,
	};
	guest->tasks = task;
	schedule(task);
}

/* The time in which it did not run does not count for what it does later. */
static void run_on(struct fake_guest *guest)
{
	uint64_t stopped_for_us = virtual_time_now() - guest->stopped_us;

	guest->is_running = true;
	for (struct task *task = guest->tasks; task; task = task->next) {
		if (task->is_done)
			continue;
		task->due_us += stopped_for_us;
		schedule(task);
	}
}

/* ---- the kernel --------------------------------------------------------- */

static void suspend(struct fake_guest *guest, void *data)
{
	(void)data;
	guest->is_suspending = false;
	domains_shut_down(guest->domain, REASON_SUSPEND);
}

static void shut_down(struct fake_guest *guest, void *data)
{
	domains_shut_down(guest->domain, *(const enum domain_reason *)data);
}

static const char *read_request(struct fake_guest *guest)
{
	const struct store_node *node;

	if (store_read(guest->kernel, XBT_NULL, "control/shutdown", &node) < 0)
		return "";
	return node->value;
}

/* What it may not do is ignored, as Linux does. */
static void write_node(struct fake_guest *guest, const char *node, const char *text)
{
	store_write(guest->kernel, XBT_NULL, node, text, strlen(text));
}

static void suspend_later(struct fake_guest *guest)
{
	guest->is_suspending = true;
	fake_guest_after(guest, guest->params.suspend_us, suspend, NULL);
}

static void answer_suspend(struct fake_guest *guest)
{
	switch (guest->params.answer) {
	case ANSWER_TWICE:
		guest->suspends_again = true;
		/* fall through */
	case ANSWER_CLEARS:
		write_node(guest, "control/shutdown", "");
		suspend_later(guest);
		break;
	case ANSWER_REMOVES:
		store_remove(guest->kernel, XBT_NULL, "control/shutdown");
		suspend_later(guest);
		break;
	case ANSWER_LEAVES:
		suspend_later(guest);
		break;
	case ANSWER_ONLY_CLEARS:
		write_node(guest, "control/shutdown", "");
		break;
	case ANSWER_NONSENSE:
		write_node(guest, "control/shutdown", "not now\x01\n");
		break;
	case ANSWER_REFUSES:
		write_node(guest, "control/shutdown", "");
		write_node(guest, "control/feature-suspend", "0");
		break;
	case ANSWER_NEVER:
		break;
	}
}

static void answer_power(struct fake_guest *guest, enum domain_reason reason)
{
	static enum domain_reason reasons[] = { REASON_POWEROFF, REASON_REBOOT };

	guest->is_shutting_down = true;
	write_node(guest, "control/shutdown", "");
	fake_guest_after(guest, guest->params.shut_down_us, shut_down, &reasons[reason]);
}

static void look_at_request(struct fake_guest *guest, void *data)
{
	const char *request = read_request(guest);

	(void)data;
	if (guest->is_suspending || guest->is_shutting_down || guest->params.answer == ANSWER_NEVER)
		return;
	if (strcmp(request, "suspend") == 0)
		answer_suspend(guest);
	else if (strcmp(request, "poweroff") == 0)
		answer_power(guest, REASON_POWEROFF);
	else if (strcmp(request, "reboot") == 0)
		answer_power(guest, REASON_REBOOT);
}

static void on_kernel_event(void *data, const char *path, const char *token)
{
	struct fake_guest *guest = data;

	(void)path;
	(void)token;
	fake_guest_after(guest, guest->params.acknowledge_us, look_at_request, NULL);
}

static void on_channel_event(void *data)
{
	struct fake_guest *guest = data;

	if (!guest->is_suspending && guest->params.answer != ANSWER_NEVER)
		fake_guest_after(guest, guest->params.suspend_us, suspend, NULL);
}

/* Binding a channel causes no event of the guest's own port, so each event is a request. */
static void publish_channel(struct fake_guest *guest)
{
	char port[16];

	snprintf(port, sizeof(port), "%u", event_channels_alloc(guest->domid, 0));
	write_node(guest, "device/suspend/event-channel", port);
	event_channels_listen(guest->domid, on_channel_event, guest);
}

static void boot(struct fake_guest *guest, void *data)
{
	(void)data;
	if (guest->params.has_channel)
		publish_channel(guest);
	store_watch(guest->kernel, "control/shutdown", "shutdown");
}

static void handle_resume(struct fake_guest *guest)
{
	/* As a new domain it connects to xenstore again: each watch fires. */
	if (guest->domain->result != 1 && guest->kernel)
		fake_guest_after(guest, guest->params.acknowledge_us, look_at_request, NULL);
	if (guest->suspends_again)
		fake_guest_after(guest, AGAIN_US, suspend, NULL);
	guest->suspends_again = false;
	if (guest->on_resume)
		guest->on_resume(guest, guest->resume_data);
}

static void handle_end(struct fake_guest *guest)
{
	guest->domain = NULL;
	guest->kernel = NULL;
	for (struct task *task = guest->tasks; task; task = task->next)
		task->is_done = true;
}

static void on_change(void *data, struct fake_domain *domain, enum domain_change change)
{
	struct fake_guest *guest = data;

	(void)domain;
	switch (change) {
	case DOMAIN_RUNS:
		run_on(guest);
		break;
	case DOMAIN_STOPS:
		guest->is_running = false;
		guest->stopped_us = virtual_time_now();
		break;
	case DOMAIN_RESUMED:
		handle_resume(guest);
		break;
	case DOMAIN_ENDS:
		handle_end(guest);
		break;
	}
}

void fake_guest_on_resume(struct fake_guest *guest, fake_guest_fn handle, void *data)
{
	guest->on_resume = handle;
	guest->resume_data = data;
}

/* ---- libxl's tree ------------------------------------------------------- */

const char *fake_guest_path(const struct fake_guest *guest, const char *node)
{
	static char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/local/domain/%u%s%s", guest->domid, node[0] ? "/" : "",
		 node);
	return path;
}

/* A node that the guest reads (n0,rN). */
static void add_readable(const struct fake_guest *guest, const char *node, const char *text)
{
	store_write_as(0, fake_guest_path(guest, node), text);
	store_own(fake_guest_path(guest, node), 0, XS_PERM_NONE, guest->domid);
}

/* A node that the guest owns (nN). */
static void add_owned(const struct fake_guest *guest, const char *node, const char *text)
{
	store_write_as(0, fake_guest_path(guest, node), text);
	store_own(fake_guest_path(guest, node), guest->domid, XS_PERM_NONE, 0);
}

static void add_record(const struct fake_guest *guest)
{
	static const char *const types[] = { "pv", "pvh", "hvm" };
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/libxl/%u", guest->domid);
	store_write_as(0, path, "");
	store_own(path, 0, XS_PERM_NONE, 0);
	snprintf(path, sizeof(path), "/libxl/%u/type", guest->domid);
	store_write_as(0, path, types[guest->params.kind]);
}

static void add_tree(const struct fake_guest *guest)
{
	add_readable(guest, "", "");
	add_readable(guest, "name", guest->name);
	add_readable(guest, "control", "");
	add_owned(guest, "control/shutdown", "");
	add_owned(guest, "control/feature-suspend", guest->params.feature);
	add_owned(guest, "data", "");
	add_readable(guest, "device", "");
	add_owned(guest, "device/suspend/event-channel", "");
	add_readable(guest, "backend", "");
	add_readable(guest, "memory", "");
	add_readable(guest, "memory/target", "262144");
	add_readable(guest, "memory/static-max", "262144");
	if (!guest->params.without_record)
		add_record(guest);
}

static void add_link(const char *path, const char *node, const char *text)
{
	char full[PATH_SIZE + 32];

	snprintf(full, sizeof(full), "%s/%s", path, node);
	store_write_as(0, full, text);
}

void fake_guest_add_device(struct fake_guest *frontend, uint32_t backend, const char *class,
			   unsigned int n)
{
	char front[PATH_SIZE], back[PATH_SIZE], record[PATH_SIZE], number[16];

	snprintf(front, sizeof(front), "/local/domain/%u/device/%s/%u", frontend->domid, class, n);
	snprintf(back, sizeof(back), "/local/domain/%u/backend/%s/%u/%u", backend, class,
		 frontend->domid, n);
	snprintf(record, sizeof(record), "/libxl/%u/device/%s/%u", frontend->domid, class, n);
	store_write_as(0, front, "");
	store_own(front, frontend->domid, XS_PERM_NONE, backend);
	snprintf(number, sizeof(number), "%u", backend);
	add_link(front, "backend-id", number);
	add_link(front, "backend", back);
	store_write_as(0, back, "");
	store_own(back, backend, XS_PERM_NONE, frontend->domid);
	snprintf(number, sizeof(number), "%u", frontend->domid);
	add_link(back, "frontend-id", number);
	add_link(back, "frontend", front);
	if (frontend->params.without_record)
		return;
	add_link(record, "backend", back);
	add_link(record, "frontend", front);
}

void fake_guest_add_pci(struct fake_guest *guest, const char *address)
{
	char path[64], node[96], number[16];
	const char *text;
	unsigned int n;

	snprintf(path, sizeof(path), "/local/domain/0/backend/pci/%u/0", guest->domid);
	snprintf(node, sizeof(node), "%s/num_devs", path);
	text = store_text(node);
	n = text ? (unsigned int)atoi(text) : 0;
	snprintf(node, sizeof(node), "dev-%u", n);
	add_link(path, node, address);
	snprintf(number, sizeof(number), "%u", n + 1);
	add_link(path, "num_devs", number);
}

/* ---- building ----------------------------------------------------------- */

void guests_start(void)
{
	guests_stop();
	store_write_as(0, "/local/domain/0/name", "Domain-0");
	store_write_as(0, "/libxl", "");
	store_own("/libxl", 0, XS_PERM_NONE, 0);
}

static void free_guest(struct fake_guest *guest)
{
	while (guest->tasks) {
		struct task *task = guest->tasks;

		guest->tasks = task->next;
		free(task);
	}
	free(guest);
}

void guests_stop(void)
{
	while (guests) {
		struct fake_guest *guest = guests;

		guests = guest->next;
		free_guest(guest);
	}
}

static void set_defaults(struct fake_guest *guest)
{
	struct fake_guest_params *params = &guest->params;

	snprintf(guest->name, sizeof(guest->name), "%s", params->name);
	params->name = guest->name;
	if (params->uuid_tag == 0)
		params->uuid_tag = (uint16_t)guest->domid;
	if (params->acknowledge_us == 0)
		params->acknowledge_us = ACKNOWLEDGE_US;
	if (params->suspend_us == 0)
		params->suspend_us = SUSPEND_US;
	if (params->shut_down_us == 0)
		params->shut_down_us = SHUT_DOWN_US;
	if (!params->feature)
		params->feature = params->without_drivers ? "" : "1";
}

static struct fake_domain *create_domain(const struct fake_guest *guest)
{
	const struct fake_guest_params *params = &guest->params;
	struct fake_domain *domain = domains_create(guest->domid, params->kind);

	domain->uuid[0] = (uint8_t)(params->uuid_tag >> 8);
	domain->uuid[1] = (uint8_t)params->uuid_tag;
	if (params->without_drivers)
		domain->callback_irq = 0;
	return domain;
}

struct fake_guest *fake_guest_build(const struct fake_guest_params *params)
{
	struct fake_guest *guest = require(calloc(1, sizeof(*guest)));

	guest->params = *params;
	guest->domid = params->domid ? params->domid : domains_next_domid();
	set_defaults(guest);
	guest->domain = create_domain(guest);
	guest->stopped_us = virtual_time_now();
	guest->domain->listener = on_change;
	guest->domain->listener_data = guest;
	guest->next = guests;
	guests = guest;
	add_tree(guest);
	store_introduce_domain(guest->domid);
	if (!params->without_drivers) {
		guest->kernel = store_connect(guest->domid, on_kernel_event, guest);
		fake_guest_after(guest, guest->params.boot_us, boot, NULL);
	}
	if (!params->still_built)
		domains_unpause(guest->domain);
	return guest;
}
