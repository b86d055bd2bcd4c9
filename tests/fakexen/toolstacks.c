/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/toolstacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakexen/domains.h"
#include "tests/fakexen/store-client.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/virtual-time.h"

#define TIMEOUT_US 60000000ull
/* From an event until the program has read it. */
#define NOTICE_US 300
#define DYING_US 20000
#define REBUILD_US 300000

/* A guest that is to be built again. */
struct rebuilding {
	struct fake_guest_params params;
	struct rebuilding *next;
};

static struct fake_save *saves;
static struct rebuilding *rebuildings;
static struct store_connection *monitor;

static void *require(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void format_path(uint32_t domid, const char *node, char *ret, size_t size)
{
	snprintf(ret, size, "/local/domain/%u%s%s", domid, node[0] ? "/" : "", node);
}

static void ask_kernel(uint32_t domid, const char *text)
{
	char path[64];

	format_path(domid, "control/shutdown", path, sizeof(path));
	store_write_as(0, path, text);
}

static bool request_stands(uint32_t domid)
{
	char path[64];
	const char *text;

	format_path(domid, "control/shutdown", path, sizeof(path));
	text = store_text(path);
	return text && strcmp(text, "suspend") == 0;
}

/* ---- life and death ----------------------------------------------------- */

void toolstack_destroy(uint32_t domid)
{
	struct fake_domain *domain = domains_find(domid);
	char path[64];

	if (!domain || domid == 0)
		return;
	domains_destroy(domain, DYING_US);
	format_path(domid, "", path, sizeof(path));
	store_remove_as(0, path);
	snprintf(path, sizeof(path), "/libxl/%u", domid);
	store_remove_as(0, path);
}

static void rebuild(void *data)
{
	struct rebuilding *rebuilding = data;
	uint64_t silent_us = store_client_silence_left();

	if (silent_us > 0)
		virtual_time_after(silent_us, rebuild, rebuilding);
	else
		fake_guest_build(&rebuilding->params);
}

/* Builds the guest again a little later. */
static void rebuild_later(uint32_t domid)
{
	struct rebuilding *rebuilding = require(calloc(1, sizeof(*rebuilding)));

	rebuilding->params = *fake_guest_params(fake_guest_find(domid));
	rebuilding->params.domid = 0;
	rebuilding->next = rebuildings;
	rebuildings = rebuilding;
	virtual_time_after(REBUILD_US, rebuild, rebuilding);
}

static void look_at_domains(void *data)
{
	struct fake_domain *next;

	(void)data;
	for (struct fake_domain *domain = domains_next(0); domain; domain = next) {
		next = domains_next(domain->domid);
		if (!domain->is_shut_down || domain->is_dying || domain->reason == REASON_SUSPEND ||
		    !fake_guest_find(domain->domid))
			continue;
		if (domain->reason == REASON_REBOOT)
			rebuild_later(domain->domid);
		toolstack_destroy(domain->domid);
	}
}

static void on_release(void *data, const char *path, const char *token)
{
	(void)data;
	(void)path;
	(void)token;
	virtual_time_after(NOTICE_US, look_at_domains, NULL);
}

void toolstack_shut_down(uint32_t domid, bool reboots)
{
	ask_kernel(domid, reboots ? "reboot" : "poweroff");
}

void toolstack_pause(uint32_t domid)
{
	if (domains_find(domid))
		domains_pause(domains_find(domid));
}

void toolstack_unpause(uint32_t domid)
{
	if (domains_find(domid))
		domains_unpause(domains_find(domid));
}

void toolstack_resume(uint32_t domid)
{
	if (!domains_find(domid))
		return;
	domains_resume(domains_find(domid), true);
	store_resume_domain(domid);
}

void toolstack_subscribe(uint32_t domid, uint32_t port)
{
	if (domains_find(domid))
		domains_find(domid)->subscription = port;
}

struct fake_guest *toolstack_find(const char *name)
{
	for (struct fake_domain *domain = domains_next(0); domain;
	     domain = domains_next(domain->domid)) {
		struct fake_guest *guest = fake_guest_find(domain->domid);

		if (guest && !domain->is_dying && strcmp(fake_guest_params(guest)->name, name) == 0)
			return guest;
	}
	return NULL;
}

/* ---- saves -------------------------------------------------------------- */

static void end_save(struct fake_save *save)
{
	save->is_finished = true;
	if (save->connection)
		store_disconnect(save->connection);
	save->connection = NULL;
}

static void finish_image(void *data)
{
	struct fake_save *save = data;
	struct fake_domain *domain = domains_find(save->domid);

	if (!domain || domain->is_dying) {
		save->has_failed = true;
	} else {
		save->is_broken =
			!domain->is_shut_down || domain->n_resumed != save->n_resumed_before;
		if (save->migrates)
			rebuild_later(save->domid);
		if (save->keeps)
			toolstack_resume(save->domid);
		else
			toolstack_destroy(save->domid);
	}
	end_save(save);
}

static void look_at_save(void *data)
{
	struct fake_save *save = data;
	struct fake_domain *domain = domains_find(save->domid);

	if (save->is_finished || save->is_suspended)
		return;
	if (!domain) {
		save->has_failed = true;
		end_save(save);
		return;
	}
	save->is_acknowledged |= !request_stands(save->domid);
	if (!save->is_acknowledged || !domain->is_shut_down || domain->reason != REASON_SUSPEND)
		return;
	save->is_suspended = true;
	save->n_resumed_before = domain->n_resumed;
	virtual_time_after(save->save_us, finish_image, save);
}

static void on_save_event(void *data, const char *path, const char *token)
{
	(void)path;
	(void)token;
	virtual_time_after(NOTICE_US, look_at_save, data);
}

static void time_out(void *data)
{
	struct fake_save *save = data;

	if (save->is_finished || save->is_suspended)
		return;
	save->has_failed = true;
	if (request_stands(save->domid))
		ask_kernel(save->domid, "");
	end_save(save);
}

struct fake_save *toolstack_save(uint32_t domid, uint64_t save_us, bool keeps)
{
	struct fake_save *save = require(calloc(1, sizeof(*save)));
	char path[64];

	*save = (struct fake_save){
		.domid = domid,
		.save_us = save_us,
		.keeps = keeps,
		.next = saves,
	};
	saves = save;
	ask_kernel(domid, "suspend");
	save->connection = store_connect(0, on_save_event, save);
	format_path(domid, "control/shutdown", path, sizeof(path));
	store_watch(save->connection, path, "shutdown");
	store_watch(save->connection, STORE_RELEASE, "release");
	virtual_time_after(TIMEOUT_US, time_out, save);
	return save;
}

size_t toolstack_command_line(char *ret, size_t size)
{
	const struct fake_save *save = saves;

	while (save && save->is_finished)
		save = save->next;
	if (!save)
		return 0;
	return (size_t)snprintf(
		ret, size, "/usr/lib/xen/bin/libxl-save-helper%c--save-domain%c10%c-1%c%u%c0%c", 0,
		0, 0, 0, save->domid, 0, 0);
}

struct fake_save *toolstack_migrate(uint32_t domid, uint64_t save_us)
{
	struct fake_save *save = toolstack_save(domid, save_us, false);

	save->migrates = true;
	return save;
}

void toolstacks_start(void)
{
	toolstacks_stop();
	monitor = store_connect(0, on_release, NULL);
	store_watch(monitor, STORE_RELEASE, "monitor");
}

void toolstacks_stop(void)
{
	while (saves) {
		struct fake_save *save = saves;

		saves = save->next;
		free(save);
	}
	while (rebuildings) {
		struct rebuilding *rebuilding = rebuildings;

		rebuildings = rebuilding->next;
		free(rebuilding);
	}
	monitor = NULL;
}
