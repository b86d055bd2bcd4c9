/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "guest/freezer.h"
#include "engine/hooks.h"
#include "net/manager.h"
#include "devices/modules.h"

static int print_json(struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	int r = text && printf("%s\n", text) >= 0 ? 0 : -EIO;

	json_object_put(object);
	return r;
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void add_flag(struct json_object *object, const char *key, bool flag)
{
	json_object_object_add(object, key, json_object_new_boolean(flag));
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_int64((int64_t)number));
}

/* ---- --dry-run ---- */

static const char *action_name(const struct pci_function *function)
{
	switch (function->action) {
	case DEVICE_UNBIND:
		return "unbind";
	case DEVICE_MODULE:
		return "module";
	case DEVICE_HOOK:
		return "hook";
	case DEVICE_KEEP:
	case DEVICE_AUTO:
		break;
	}
	return function->risk ? "KEEP" : "keep";
}

/* Would the cgroup be frozen? Says why not in `ret`. */
static bool would_freeze(const struct roots *roots, const char *cgroup, char *ret, size_t size)
{
	struct error error = { 0 };

	switch (freezer_get(roots, cgroup)) {
	case FREEZER_ABSENT:
		snprintf(ret, size, "not there");
		return false;
	case FREEZER_FROZEN:
		snprintf(ret, size, "frozen by someone else");
		return false;
	case FREEZER_THAWED:
		break;
	}
	if (freezer_check(roots, cgroup, &error) < 0) {
		snprintf(ret, size, "%.299s", error.text);
		return false;
	}
	ret[0] = '\0';
	return true;
}

struct plan {
	const struct engine_setup *setup;
	struct inventory inventory;
	struct hook_list hooks;
	struct module_list modules;
};

/* Would the manager be told? */
static bool would_tell(const struct engine_setup *setup, enum manager manager)
{
	return setup->settings->network_manager != NETWORK_MANAGER_NO &&
	       manager_is_there(setup->roots, manager);
}

static const enum manager all_managers[] = { MANAGER_NETWORKD, MANAGER_NETWORK_MANAGER };

static void print_function(const struct roots *roots, const struct pci_function *function)
{
	const char *early = function->early ? "before processes are frozen" : "";
	bool has_why = function->reason[0] || early[0];
	char links[64];

	if (links_list(roots, function->address, links, sizeof(links)) <= 0)
		snprintf(links, sizeof(links), "-");
	printf("%-8s %-13s %-16s %-11s ", action_name(function), function->address,
	       function->driver, pci_class_name(function->class));
	if (has_why)
		printf("%-10s %s%s\n", links, function->reason, early);
	else
		printf("%s\n", links);
}

static void print_plan(const struct plan *plan)
{
	const struct settings *settings = plan->setup->settings;
	const struct roots *roots = plan->setup->roots;
	bool risk = false;

	for (size_t i = 0; i < plan->hooks.n_names; i++)
		printf("hook     %s\n", plan->hooks.names[i]);
	for (size_t i = 0; i < ELEMENTSOF(all_managers); i++)
		if (would_tell(plan->setup, all_managers[i]))
			printf("tell     %s\n", manager_name(all_managers[i]));
	if (settings->sync)
		printf("sync     file systems\n");
	for (size_t i = 0; i < settings->n_freeze; i++) {
		char why[300];
		bool yes = would_freeze(roots, settings->freeze[i], why, sizeof(why));

		printf("%-8s %s%s%s\n", yes ? "freeze" : "leave", settings->freeze[i],
		       yes ? "" : ": ", why);
	}
	for (size_t i = 0; i < plan->modules.n_names; i++)
		printf("unload   %s\n", plan->modules.names[i]);
	if (plan->inventory.n_functions == 0)
		printf("no PCI function has a driver\n");
	else
		printf("\n%-8s %-13s %-16s %-11s %-10s %s\n", "ACTION", "FUNCTION", "DRIVER",
		       "CLASS", "INTERFACE", "WHY");
	for (size_t i = 0; i < plan->inventory.n_functions; i++) {
		print_function(roots, &plan->inventory.functions[i]);
		risk |= plan->inventory.functions[i].risk;
	}
	if (risk)
		printf("\nKEEP: stays bound because it is in use, and may not survive the host's sleep.\n");
}

static struct json_object *function_to_json(const struct roots *roots,
					    const struct pci_function *function)
{
	struct json_object *object = json_object_new_object();
	char links[64];

	if (links_list(roots, function->address, links, sizeof(links)) <= 0)
		links[0] = '\0';
	add_text(object, "address", function->address);
	add_text(object, "driver", function->driver);
	add_text(object, "id", function->identity);
	add_text(object, "class", pci_class_name(function->class));
	add_text(object, "interfaces", links);
	add_text(object, "action", function->risk ? "keep" : action_name(function));
	add_flag(object, "before_freeze", function->early);
	add_flag(object, "risk", function->risk);
	add_text(object, "reason", function->reason);
	return object;
}

static int print_plan_json(const struct plan *plan)
{
	const struct settings *settings = plan->setup->settings;
	const struct roots *roots = plan->setup->roots;
	struct json_object *object = json_object_new_object();
	struct json_object *hooks = json_object_new_array();
	struct json_object *managers = json_object_new_array();
	struct json_object *freeze = json_object_new_array();
	struct json_object *modules = json_object_new_array();
	struct json_object *devices = json_object_new_array();

	for (size_t i = 0; i < plan->hooks.n_names; i++)
		json_object_array_add(hooks, json_object_new_string(plan->hooks.names[i]));
	for (size_t i = 0; i < ELEMENTSOF(all_managers); i++)
		if (would_tell(plan->setup, all_managers[i]))
			json_object_array_add(
				managers, json_object_new_string(manager_name(all_managers[i])));
	for (size_t i = 0; i < plan->modules.n_names; i++)
		json_object_array_add(modules, json_object_new_string(plan->modules.names[i]));
	for (size_t i = 0; i < settings->n_freeze; i++) {
		struct json_object *entry = json_object_new_object();
		char why[300];
		bool yes = would_freeze(roots, settings->freeze[i], why, sizeof(why));

		add_text(entry, "cgroup", settings->freeze[i]);
		add_flag(entry, "freeze", yes);
		add_text(entry, "reason", why);
		json_object_array_add(freeze, entry);
	}
	for (size_t i = 0; i < plan->inventory.n_functions; i++)
		json_object_array_add(devices,
				      function_to_json(roots, &plan->inventory.functions[i]));
	json_object_object_add(object, "hooks", hooks);
	json_object_object_add(object, "managers", managers);
	add_flag(object, "sync", settings->sync);
	json_object_object_add(object, "freeze", freeze);
	json_object_object_add(object, "modules", modules);
	json_object_object_add(object, "devices", devices);
	return print_json(object);
}

int report_plan(const struct engine_setup *setup, bool json, struct error *error)
{
	struct plan plan = { .setup = setup };
	int r = hook_list_read(&plan.hooks, setup->roots);

	if (r == 0)
		r = inventory_read(&plan.inventory, setup->roots, setup->settings, setup->claimed);
	if (r == 0)
		r = module_list_make(&plan.modules, setup->roots, setup->settings, &plan.inventory);
	if (r < 0)
		error_set(error, r, "cannot see what there is: %s", strerror(-r));
	else if (json)
		r = print_plan_json(&plan);
	else
		print_plan(&plan);
	module_list_done(&plan.modules);
	inventory_done(&plan.inventory);
	hook_list_done(&plan.hooks);
	return r;
}

/* ---- --status ---- */

static const struct {
	const char *node;
	const char *key;
	const char *title;
} status_nodes[] = {
	{ PROTOCOL_NODE_STATE, "state", "State" },
	{ PROTOCOL_NODE_REQUEST, "request", "Request" },
	{ PROTOCOL_NODE_EVENT_CHANNEL, "event_channel", "Event channel" },
	{ PROTOCOL_NODE_VERSION, "version", "Protocol" },
	{ PROTOCOL_NODE_DETAIL, "detail", "Detail" },
};

int report_status(const struct engine_setup *setup, bool json, struct error *error)
{
	static const char *nodes[ELEMENTSOF(status_nodes)];
	char texts[ELEMENTSOF(status_nodes)][CHANNEL_TEXT_MAX];
	struct json_object *object;
	char last[PROTOCOL_TEXT_MAX] = "";
	int r;

	for (size_t i = 0; i < ELEMENTSOF(status_nodes); i++)
		nodes[i] = status_nodes[i].node;
	r = channel_peek_xen(nodes, ELEMENTSOF(status_nodes), texts, error);
	if (r < 0)
		return r;
	if (setup->journal->done.state != PROTOCOL_AGENT_NONE)
		protocol_format_state(&setup->journal->done, last);
	if (!json) {
		for (size_t i = 0; i < ELEMENTSOF(status_nodes); i++)
			printf("%14s: %s\n", status_nodes[i].title, texts[i][0] ? texts[i] : "-");
		printf("%14s: %s\n", "Last cycle", last[0] ? last : "-");
		return 0;
	}
	object = json_object_new_object();
	for (size_t i = 0; i < ELEMENTSOF(status_nodes); i++)
		add_text(object, status_nodes[i].key, texts[i]);
	add_text(object, "last_cycle", last);
	return print_json(object);
}

/* ---- --test ---- */

static void print_steps(const struct engine_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%8" PRIu64 ".%03" PRIu64 " ms  %s\n", steps[i].duration_us / 1000,
		       steps[i].duration_us % 1000, steps[i].what);
}

static struct json_object *steps_to_json(const struct engine_step *steps, size_t n)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *entry = json_object_new_object();

		add_text(entry, "step", steps[i].what);
		add_number(entry, "duration_us", steps[i].duration_us);
		json_object_array_add(array, entry);
	}
	return array;
}

int report_rehearsal(const struct repeat *repeat, const struct engine *engine, bool json)
{
	const char *outcome = repeat->down_r < 0 ? "failed" : repeat->degraded ? "degraded" : "ok";
	const struct engine_step *steps;
	size_t n_steps = engine_get_steps(engine, &steps);
	struct json_object *object;

	if (!json) {
		printf("%s: down in %" PRIu64 ".%03" PRIu64 " ms, up in %" PRIu64 ".%03" PRIu64
		       " ms\n",
		       outcome, repeat->down_us / 1000, repeat->down_us % 1000,
		       repeat->up_us / 1000, repeat->up_us % 1000);
		print_steps(steps, n_steps);
		if (repeat->reason[0])
			printf("%s\n", repeat->reason);
		if (repeat->detail[0])
			printf("%s\n", repeat->detail);
		return 0;
	}
	object = json_object_new_object();
	add_text(object, "result", outcome);
	add_number(object, "down_us", repeat->down_us);
	add_number(object, "up_us", repeat->up_us);
	json_object_object_add(object, "steps", steps_to_json(steps, n_steps));
	add_text(object, "reason", repeat->reason);
	add_text(object, "detail", repeat->detail);
	return print_json(object);
}
