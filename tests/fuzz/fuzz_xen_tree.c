/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trees that guests have written in xenstore, through the real inventory.
 *
 * Each line of the input is one write, "<guest> <path> <text>", or a removal if there is no
 * text; guests are 1 to 4. "commit" in a line of its own: pmcoord reads the inventory. Whatever
 * stands in the trees, an inventory can be read and planned, its texts are printable, only what
 * both ends have written connects two guests, and what is cached is what would be read anew.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/error.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "engine/suspend.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/store.h"
#include "tests/fuzz/file.h"
#include "tests/fuzz/xen-host.h"

#define GUESTS 4

static struct xen_host host;
static struct fake_guest *guests[GUESTS];
/* has_written[a][b]: guest a has written the domid of guest b somewhere. */
static bool has_written[GUESTS][GUESTS];

/* Guests 1 and 2 were built by libxl, the others by another toolstack. All own their devices. */
static void build(void)
{
	for (unsigned int i = 0; i < GUESTS; i++) {
		struct fake_guest_params params = {
			.name = "guest",
			.domid = i + 1,
			.without_record = i >= 2,
			/* Its kernel writes nothing by itself. */
			.answer = ANSWER_NEVER,
		};

		guests[i] = fake_guest_build(&params);
		store_own(fake_guest_path(guests[i], "device"), i + 1, 0, 0);
		store_own(fake_guest_path(guests[i], "backend"), i + 1, 0, 0);
	}
	memset(has_written, 0, sizeof(has_written));
}

static void note_domids(unsigned int guest, const char *path, const char *text)
{
	for (unsigned int i = 0; i < GUESTS; i++) {
		char domid[2] = { (char)('1' + i), '\0' };

		if (strstr(path, domid) || strstr(text, domid))
			has_written[guest][i] = true;
	}
}

static void write_line(char *line)
{
	char *path = strchr(line, ' '), *text;
	unsigned int guest = (unsigned int)(line[0] - '1');

	if (!path || guest >= GUESTS)
		return;
	*path++ = '\0';
	text = strchr(path, ' ');
	if (!text) {
		store_remove_as(guest + 1, path);
		return;
	}
	*text++ = '\0';
	note_domids(guest, path, text);
	store_write_as(guest + 1, path, text);
}

/* ---- judging ------------------------------------------------------------- */

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void judge_links(const struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->n_links; i++) {
		const struct link *link = &inventory->links[i];

		xen_host_require(link->backend != 0 && link->backend != link->frontend,
				 "no link to dom0 or to the guest itself");
		if (!link_is_confirmed(link) || link->recorded_by_toolstack)
			continue;
		xen_host_require(link->frontend <= GUESTS && link->backend <= GUESTS &&
					 has_written[link->frontend - 1][link->backend - 1] &&
					 has_written[link->backend - 1][link->frontend - 1],
				 "both ends of a link have recorded it");
	}
}

static void judge(const struct inventory *inventory)
{
	xen_host_require(inventory->n_guests == GUESTS, "each guest is listed");
	for (size_t i = 0; i < GUESTS; i++) {
		xen_host_require(is_printable(inventory->guests[i].name), "a printable name");
		xen_host_require(is_printable(inventory->guests[i].shutdown_node),
				 "a printable request");
	}
	judge_links(inventory);
}

static bool is_same_guest(const struct guest *a, const struct guest *b)
{
	return a->domid == b->domid && strcmp(a->name, b->name) == 0 && a->type == b->type &&
	       a->role == b->role && a->feature_suspend == b->feature_suspend &&
	       strcmp(a->shutdown_node, b->shutdown_node) == 0 &&
	       a->kernel_port == b->kernel_port && a->agent.present == b->agent.present &&
	       a->agent.version == b->agent.version && a->agent.port == b->agent.port &&
	       a->agent.state.state == b->agent.state.state &&
	       a->agent.state.cycle == b->agent.state.cycle;
}

static void judge_same(const struct inventory *cached, const struct inventory *fresh)
{
	xen_host_require(cached->n_guests == fresh->n_guests && cached->n_links == fresh->n_links,
			 "the cache is complete");
	for (size_t i = 0; i < fresh->n_guests; i++)
		xen_host_require(is_same_guest(&cached->guests[i], &fresh->guests[i]),
				 "the cache is up to date");
}

static void plan(void)
{
	struct plan plan = { 0 };
	struct error error = { 0 };

	xen_host_require(coordinator_plan(&host.coordinator, NULL, &plan, &error) == 0,
			 "a plan can be made");
	xen_host_require(plan.n_steps == GUESTS, "the plan has each guest");
	plan_done(&plan);
}

/* The trees at the end, as another process reads them that has cached nothing. */
static void judge_end(void)
{
	struct inventory cached = xen_host_inventory(&host), fresh;

	judge(&cached);
	plan();
	xen_host_close(&host);
	xen_host_open(&host);
	fresh = xen_host_inventory(&host);
	judge_same(&cached, &fresh);
	inventory_done(&cached);
	inventory_done(&fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text, *line;

	xen_host_start(&host);
	build();
	xen_host_open(&host);
	host.hypervisor->ops->watch_domains(host.hypervisor);
	while ((line = strsep(&rest, "\n"))) {
		struct inventory inventory;

		write_line(line);
		if (strcmp(line, "commit") != 0)
			continue;
		inventory = xen_host_inventory(&host);
		judge(&inventory);
		inventory_done(&inventory);
	}
	judge_end();
	xen_host_stop(&host);
	free(text);
	return 0;
}
