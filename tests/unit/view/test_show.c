/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/json.h"
#include "pmcoord/protocol.h"
#include "base/svg.h"
#include "model/config.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "view/plan-picture.h"
#include "view/show.h"

/* A laptop: web and mail need fw, which needs netvm; vault needs no guest. */
struct world {
	struct inventory inventory;
	struct config config;
	struct plan plan;
};

static struct guest guest(uint32_t domid, const char *name)
{
	struct guest made = {
		.domid = domid,
		.uuid = { (uint8_t)(100 - domid) },
		.type = GUEST_PVH,
		.feature_suspend = GUEST_FEATURE_YES,
	};

	snprintf(made.name, sizeof(made.name), "%s", name);
	return made;
}

static void add(struct world *world, struct guest made)
{
	assert_int_equal(inventory_add_guest(&world->inventory, &made), 0);
}

static void link_to(struct world *world, uint32_t frontend, uint32_t backend, enum link_class class)
{
	struct link link = {
		.frontend = frontend,
		.backend = backend,
		.class = class,
		.recorded_by_toolstack = true,
	};

	assert_int_equal(inventory_add_link(&world->inventory, &link), 0);
}

static struct guest with_agent(struct guest made, uint64_t version)
{
	made.agent = (struct guest_agent){
		.present = true,
		.version = version,
		.port = 9,
		.state = { .state = PROTOCOL_AGENT_READY, .cycle = 3 },
	};
	return made;
}

static void add_laptop(struct world *world)
{
	struct guest netvm = with_agent(guest(1, "netvm"), 1);
	struct guest mail = guest(5, "mail");

	netvm.type = GUEST_HVM;
	netvm.has_pv_drivers = true;
	netvm.pci_functions = 2;
	mail.kernel_port = 7;
	add(world, netvm);
	add(world, with_agent(guest(3, "fw"), 2));
	add(world, guest(4, "web <&\"'>"));
	add(world, mail);
	link_to(world, 1, 0, LINK_STORAGE);
	link_to(world, 3, 1, LINK_NETWORK);
	link_to(world, 4, 3, LINK_NETWORK);
	link_to(world, 5, 3, LINK_NETWORK);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	config_init(&world->config);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	plan_done(&world->plan);
	inventory_done(&world->inventory);
	config_done(&world->config);
	free(world);
	return 0;
}

static void make_plan(struct world *world)
{
	assert_int_equal(inventory_finish(&world->inventory), 0);
	assert_int_equal(plan_make(&world->inventory, &world->config, NULL, false, &world->plan),
			 0);
}

enum what { LIST, LIST_JSON, PLAN, PLAN_JSON, DOT };

static char *show(const struct world *world, enum what what)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int r;

	assert_non_null(out);
	if (what == LIST || what == LIST_JSON)
		r = show_list(&world->plan, &world->config, what == LIST_JSON, out);
	else if (what == DOT)
		r = plan_write_dot(&world->plan, out);
	else
		r = show_plan(&world->plan, what == PLAN_JSON, out);
	assert_int_equal(r, 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* Compares without white space: the layout is not part of the contract. */
static void assert_json(char *text, const char *expected)
{
	struct json_object *object = json_tokener_parse(text);

	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_non_null(object);
	assert_string_equal(
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE),
		expected);
	json_object_put(object);
	free(text);
}

static void list_has_the_keys_of_the_contract(void **state)
{
	struct world *world = *state;

	add_laptop(world);
	make_plan(world);
	assert_json(show(world, LIST_JSON),
		    "{\"guests\":["
		    "{\"name\":\"netvm\",\"domid\":1,"
		    "\"uuid\":\"63000000-0000-0000-0000-000000000000\","
		    "\"type\":\"hvm\",\"role\":\"driver-domain\","
		    "\"state\":\"running\",\"mechanism\":\"agent\","
		    "\"agent\":\"ready\",\"needs\":[],\"serves\":[\"fw\"],"
		    "\"policy\":\"suspend\",\"reason\":null,\"pci_functions\":2},"
		    "{\"name\":\"fw\",\"domid\":3,"
		    "\"uuid\":\"61000000-0000-0000-0000-000000000000\","
		    "\"type\":\"pvh\",\"role\":\"driver-domain\","
		    "\"state\":\"running\",\"mechanism\":\"xenstore\","
		    "\"agent\":\"unknown-version\",\"needs\":[\"netvm\"],"
		    "\"serves\":[\"mail\",\"web <&\\\"'>\"],"
		    "\"policy\":\"suspend\","
		    "\"reason\":\"its agent speaks an unknown protocol version\","
		    "\"pci_functions\":0},"
		    "{\"name\":\"web <&\\\"'>\",\"domid\":4,"
		    "\"uuid\":\"60000000-0000-0000-0000-000000000000\","
		    "\"type\":\"pvh\",\"role\":\"guest\",\"state\":\"running\","
		    "\"mechanism\":\"xenstore\",\"agent\":\"none\","
		    "\"needs\":[\"fw\"],\"serves\":[],\"policy\":\"suspend\","
		    "\"reason\":null,\"pci_functions\":0},"
		    "{\"name\":\"mail\",\"domid\":5,"
		    "\"uuid\":\"5f000000-0000-0000-0000-000000000000\","
		    "\"type\":\"pvh\",\"role\":\"guest\",\"state\":\"running\","
		    "\"mechanism\":\"event-channel\",\"agent\":\"none\","
		    "\"needs\":[\"fw\"],\"serves\":[],\"policy\":\"suspend\","
		    "\"reason\":null,\"pci_functions\":0}],"
		    "\"warnings\":[]}");
}

static void plan_has_the_keys_of_the_contract(void **state)
{
	struct world *world = *state;
	struct guest vault = guest(6, "vault");

	vault.state = GUEST_PAUSED;
	add_laptop(world);
	add(world, vault);
	make_plan(world);
	assert_json(show(world, PLAN_JSON),
		    "{\"suspend\":["
		    "{\"guest\":\"mail\",\"domid\":5,"
		    "\"mechanism\":\"event-channel\",\"after\":[],\"depth\":0,"
		    "\"reason\":null},"
		    "{\"guest\":\"web <&\\\"'>\",\"domid\":4,"
		    "\"mechanism\":\"xenstore\",\"after\":[],\"depth\":0,"
		    "\"reason\":null},"
		    "{\"guest\":\"fw\",\"domid\":3,\"mechanism\":\"xenstore\","
		    "\"after\":[\"mail\",\"web <&\\\"'>\"],\"depth\":1,"
		    "\"reason\":\"its agent speaks an unknown protocol version\"},"
		    "{\"guest\":\"netvm\",\"domid\":1,\"mechanism\":\"agent\","
		    "\"after\":[\"fw\"],\"depth\":2,\"reason\":null}],"
		    "\"resume\":["
		    "{\"guest\":\"netvm\",\"domid\":1,\"mechanism\":\"agent\","
		    "\"after\":[],\"depth\":0,\"reason\":null},"
		    "{\"guest\":\"fw\",\"domid\":3,\"mechanism\":\"xenstore\","
		    "\"after\":[\"netvm\"],\"depth\":1,"
		    "\"reason\":\"its agent speaks an unknown protocol version\"},"
		    "{\"guest\":\"web <&\\\"'>\",\"domid\":4,"
		    "\"mechanism\":\"xenstore\",\"after\":[\"fw\"],\"depth\":2,"
		    "\"reason\":null},"
		    "{\"guest\":\"mail\",\"domid\":5,"
		    "\"mechanism\":\"event-channel\",\"after\":[\"fw\"],"
		    "\"depth\":2,\"reason\":null}],"
		    "\"skipped\":[{\"guest\":\"vault\",\"domid\":6,"
		    "\"reason\":\"already paused\"}],"
		    "\"warnings\":[]}");
}

static void shows_a_host_without_guests(void **state)
{
	struct world *world = *state;
	char *text;

	make_plan(world);
	assert_json(show(world, LIST_JSON), "{\"guests\":[],\"warnings\":[]}");
	assert_json(show(world, PLAN_JSON), "{\"suspend\":[],\"resume\":[],\"skipped\":[],"
					    "\"warnings\":[]}");
	text = show(world, LIST);
	assert_string_equal(text, "No guest is running.\n");
	free(text);
	text = show(world, PLAN);
	assert_string_equal(text, "No guest would be suspended.\n");
	free(text);
}

static void shows_the_state_of_each_guest(void **state)
{
	static const struct {
		enum guest_state state;
		const char *shutdown_node;
		const char *expected;
	} cases[] = {
		{ GUEST_RUNNING, "", "running" },
		{ GUEST_RUNNING, "poweroff", "shutting-down" },
		{ GUEST_RUNNING, "reboot", "shutting-down" },
		{ GUEST_RUNNING, "suspend", "running" },
		{ GUEST_PAUSED, "poweroff", "paused" },
		{ GUEST_SUSPENDED, "", "suspended" },
		{ GUEST_SHUT_DOWN, "poweroff", "shut-down" },
	};
	struct world *world = *state;
	struct json_object *object;
	char *text;

	for (uint32_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct guest made = guest(i + 1, "x");

		made.state = cases[i].state;
		strcpy(made.shutdown_node, cases[i].shutdown_node);
		add(world, made);
	}
	make_plan(world);
	text = show(world, LIST_JSON);
	object = json_tokener_parse(text);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_string_equal(json_read_string(json_read_item(object, "guests", i), "state"),
				    cases[i].expected);
	json_object_put(object);
	free(text);
}

static void tables_are_plain_in_a_pipe(void **state)
{
	struct world *world = *state;
	char *text;

	add_laptop(world);
	make_plan(world);
	text = show(world, LIST);
	assert_string_equal(text, "NAME      DOMID TYPE ROLE          STATE   MECHANISM     "
				  "AGENT           POLICY  NEEDS\n"
				  "netvm         1 hvm  driver-domain running agent         "
				  "ready           suspend\n"
				  "fw            3 pvh  driver-domain running xenstore      "
				  "unknown-version suspend netvm\n"
				  "web <&\"'>     4 pvh  guest         running xenstore      "
				  "none            suspend fw\n"
				  "mail          5 pvh  guest         running event-channel "
				  "none            suspend fw\n");
	free(text);
}

static void prints_all_names_in_full_to_a_pipe(void **state)
{
	struct world *world = *state;
	char long_name[GUEST_NAME_MAX] = "";
	char *text;

	memset(long_name, 'n', sizeof(long_name) - 1);
	add(world, guest(200, long_name));
	for (uint32_t domid = 1; domid <= 60; domid++) {
		char name[32];

		snprintf(name, sizeof(name), "guest-number-%u", domid);
		add(world, guest(domid, name));
		link_to(world, domid, 200, LINK_STORAGE);
	}
	make_plan(world);
	text = show(world, PLAN);
	assert_non_null(strstr(text, long_name));
	assert_non_null(strstr(text, " guest-number-60, guest-number-59, "));
	assert_non_null(strstr(text, ", guest-number-2, guest-number-1\n"));
	free(text);
}

static void explains_skipped_guests_and_warnings(void **state)
{
	struct world *world = *state;
	struct guest vault = guest(6, "vault");
	char *text;

	vault.state = GUEST_PAUSED;
	add_laptop(world);
	add(world, vault);
	link_to(world, 1, 4, LINK_CONSOLE);
	make_plan(world);
	text = show(world, PLAN);
	assert_non_null(strstr(text, "\nNot suspended by the best mechanism:\n  fw (3): its agent "
				     "speaks an unknown protocol version\n"));
	assert_non_null(strstr(text, "\nNot suspended by pmcoord:\n  vault (6): already paused\n"));
	assert_non_null(strstr(text, "\nWarning: dependency loop: "));
	free(text);
	text = show(world, LIST);
	assert_non_null(strstr(text, "\nWarning: dependency loop: "));
	free(text);
}

static void escapes_names_in_dot(void **state)
{
	struct world *world = *state;
	char *text;

	add_laptop(world);
	add(world, guest(6, "\"]; \\"));
	make_plan(world);
	text = show(world, DOT);
	assert_non_null(strstr(text, "\td6 [label=\"\\\"]; \\\\\\nxenstore\"];"
				     "\n"));
	assert_non_null(strstr(text, "\td4 -> d3;\n"));
	assert_non_null(strstr(text, "\td5 -> d3;\n"));
	assert_non_null(strstr(text, "\td3 -> d1;\n"));
	assert_null(strstr(text, "d4 -> d1"));
	free(text);
}

/* ---- pictures ------------------------------------------------------------ */

static char *draw(const struct world *world)
{
	char path[] = "/tmp/pmcoord-plan-XXXXXX";
	int fd = mkstemp(path);
	struct error error = { 0 };
	char *text = calloc(1, 1 << 22);
	ssize_t length;

	assert_true(fd >= 0);
	assert_non_null(text);
	assert_int_equal(plan_write_svg(&world->plan, path, &error), 0);
	length = read(fd, text, (1 << 22) - 1);
	assert_true(length > 0);
	close(fd);
	unlink(path);
	return text;
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		n++;
	}
	return n;
}

static void draws_a_box_per_step_and_no_implied_arrow(void **state)
{
	struct world *world = *state;
	struct guest vault = guest(6, "vault");
	char *text;

	vault.state = GUEST_PAUSED;
	add_laptop(world);
	add(world, vault);
	/* These arrows are implied by others. */
	link_to(world, 4, 1, LINK_STORAGE);
	link_to(world, 5, 1, LINK_STORAGE);
	make_plan(world);
	text = draw(world);
	assert_int_equal(count(text, "<rect class=\"box"), 4);
	assert_int_equal(count(text, "<path class=\"tip\""), 3);
	assert_int_equal(count(text, ">web &lt;&amp;&quot;'&gt;</text>"), 1);
	assert_int_equal(count(text, "vault is not suspended: already paused"), 1);
	assert_null(strstr(text, "<&"));
	free(text);
}

static void routes_long_arrows_between_the_boxes(void **state)
{
	struct world *world = *state;
	char *text;

	/* 1 ← 2 ← 3, and 4 → 1 past the columns of 2. */
	for (uint32_t domid = 1; domid <= 4; domid++)
		add(world, guest(domid, "x"));
	link_to(world, 3, 2, LINK_NETWORK);
	link_to(world, 2, 1, LINK_NETWORK);
	link_to(world, 4, 1, LINK_NETWORK);
	make_plan(world);
	text = draw(world);
	assert_int_equal(count(text, "<path class=\"tip\""), 3);
	assert_int_equal(count(text, "<path class=\"arrow\""), 4);
	assert_int_equal(count(text, "<line class=\"arrow\""), 1);
	free(text);
}

static void draws_large_hosts_and_empty_ones(void **state)
{
	struct world *world = *state;
	char *text;

	make_plan(world);
	text = draw(world);
	assert_non_null(strstr(text, "</svg>\n"));
	free(text);
	plan_done(&world->plan);
	/* A chain of 300, and 300 that only need its end. */
	for (uint32_t domid = 1; domid <= 600; domid++) {
		struct guest made = guest(domid, "x");

		made.uuid[1] = (uint8_t)(domid >> 8);
		add(world, made);
		if (domid > 1)
			link_to(world, domid, domid <= 300 ? domid - 1 : 1, LINK_NETWORK);
	}
	make_plan(world);
	text = draw(world);
	assert_non_null(strstr(text, "</svg>\n"));
	assert_int_equal(count(text, "<path class=\"tip\""), 599);
	free(text);
}

static char *escape(const char *text)
{
	char *escaped = NULL;
	size_t size;
	FILE *out = open_memstream(&escaped, &size);

	assert_non_null(out);
	svg_escape(out, text);
	assert_int_equal(fclose(out), 0);
	return escaped;
}

static void escapes_any_text_for_xml(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "<a href=\"x\">&amp;</a>", "&lt;a href=&quot;x&quot;&gt;&amp;amp;&lt;/a&gt;" },
		{ "tab\tnew\nline\x1b", "tab?new?line?" },
		{ "n\xc3\xa4me", "n\xc3\xa4me" },
		{ "cut \xc3", "cut ?" },
		{ "non\xef\xbf\xbe"
		  "char\xef\xbf\xbf",
		  "non?char?" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char *escaped = escape(cases[i].text);

		assert_string_equal(escaped, cases[i].expected);
		free(escaped);
	}
}

static void shortens_by_characters_not_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		const char *expected;
	} cases[] = {
		{ "name", 4, "name" },
		{ "names", 4, "nam\xe2\x80\xa6" },
		{ "n\xc3\xa4me", 4, "n\xc3\xa4me" },
		{ "n\xc3\xa4mes", 3, "n\xc3\xa4\xe2\x80\xa6" },
		{ "", 1, "" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char text[32];

		assert_string_equal(svg_shorten(cases[i].text, cases[i].max, text, sizeof(text)),
				    cases[i].expected);
	}
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(list_has_the_keys_of_the_contract),
		world_test(plan_has_the_keys_of_the_contract),
		world_test(shows_a_host_without_guests),
		world_test(shows_the_state_of_each_guest),
		world_test(tables_are_plain_in_a_pipe),
		world_test(prints_all_names_in_full_to_a_pipe),
		world_test(explains_skipped_guests_and_warnings),
		world_test(escapes_names_in_dot),
		world_test(draws_a_box_per_step_and_no_implied_arrow),
		world_test(routes_long_arrows_between_the_boxes),
		world_test(draws_large_hosts_and_empty_ones),
		world_test(escapes_any_text_for_xml),
		world_test(shortens_by_characters_not_bytes),
	};

	return cmocka_run_group_tests_name("show", tests, NULL, NULL);
}
