/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/error.h"
#include "pmcoord/json.h"
#include "pmcoord/protocol.h"
#include "guest/files.h"
#include "guest/freezer.h"
#include "guest/log.h"
#include "guest/settings.h"
#include "net/links.h"
#include "net/manager.h"
#include "devices/inventory.h"
#include "devices/modules.h"
#include "channel.h"
#include "engine/hooks.h"

/*
 * Prints an object and releases it. `status` is the result of adding its members; if it
 * is negative, nothing is printed. Returns 0 or negative errno.
 */
static int print_json(struct json_object *object, int status)
{
	int r = status < 0 ? status : json_print(object, stdout);

	json_object_put(object);
	return r;
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

/* Whether a cycle would freeze the cgroup. If not, `ret` is the reason, else "". */
static bool would_freeze(const struct roots *roots, const char *cgroup, char *ret, size_t size)
{
	struct error error = { 0 };

	switch (freezer_get(roots, cgroup)) {
	case FREEZER_ABSENT:
		snprintf(ret, size, "no such cgroup");
		return false;
	case FREEZER_FROZEN:
		snprintf(ret, size, "frozen already, by another program");
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

static bool would_notify(const struct engine_setup *setup, enum manager manager)
{
	return setup->settings->network_manager != NETWORK_MANAGER_NO &&
	       manager_is_running(setup->roots, manager);
}

static const enum manager all_managers[] = { MANAGER_NETWORKD, MANAGER_NETWORK_MANAGER };

static void print_function(const struct roots *roots, const struct pci_function *function)
{
	const char *early = function->early ? "stopped before processes are frozen" : "";
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

static const char risk_text[] = "KEEP: the function is in use, or its use is not understood.\n"
				"      It may not work after the host's sleep.";

static void print_plan(const struct plan *plan)
{
	const struct settings *settings = plan->setup->settings;
	const struct roots *roots = plan->setup->roots;
	bool risk = false;

	for (size_t i = 0; i < plan->hooks.n_names; i++)
		printf("hook     %s\n", plan->hooks.names[i]);
	for (size_t i = 0; i < ELEMENTSOF(all_managers); i++)
		if (would_notify(plan->setup, all_managers[i]))
			printf("notify   %s\n", manager_name(all_managers[i]));
	if (settings->sync)
		printf("sync     file systems\n");
	for (size_t i = 0; i < settings->n_freeze; i++) {
		char why[300];
		bool yes = would_freeze(roots, settings->freeze[i], why, sizeof(why));

		printf("%-8s %s%s%s\n", yes ? "freeze" : "skip", settings->freeze[i],
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
		printf("\n%s\n", risk_text);
}

static void add_function(struct json_object *devices, const struct roots *roots,
			 const struct pci_function *function, int *status)
{
	struct json_object *object = json_add_object(devices, NULL, status);
	char links[64];

	if (links_list(roots, function->address, links, sizeof(links)) <= 0)
		links[0] = '\0';
	json_add_string(object, "address", function->address, status);
	json_add_string(object, "driver", function->driver, status);
	json_add_string(object, "id", function->identity, status);
	json_add_string(object, "class", pci_class_name(function->class), status);
	json_add_string(object, "interfaces", links, status);
	json_add_string(object, "action", function->risk ? "keep" : action_name(function), status);
	json_add_boolean(object, "before_freeze", function->early, status);
	json_add_boolean(object, "risk", function->risk, status);
	json_add_string(object, "reason", function->reason, status);
}

static void add_cgroup(struct json_object *freeze, const struct roots *roots, const char *cgroup,
		       int *status)
{
	struct json_object *object = json_add_object(freeze, NULL, status);
	char why[300];
	bool yes = would_freeze(roots, cgroup, why, sizeof(why));

	json_add_string(object, "cgroup", cgroup, status);
	json_add_boolean(object, "freeze", yes, status);
	json_add_string(object, "reason", why, status);
}

static int print_plan_json(const struct plan *plan)
{
	const struct settings *settings = plan->setup->settings;
	const struct roots *roots = plan->setup->roots;
	struct json_object *object = json_object_new_object(), *array;
	int status = object ? 0 : -ENOMEM;

	array = json_add_array(object, "hooks", &status);
	for (size_t i = 0; i < plan->hooks.n_names; i++)
		json_add_string(array, NULL, plan->hooks.names[i], &status);
	array = json_add_array(object, "managers", &status);
	for (size_t i = 0; i < ELEMENTSOF(all_managers); i++)
		if (would_notify(plan->setup, all_managers[i]))
			json_add_string(array, NULL, manager_name(all_managers[i]), &status);
	json_add_boolean(object, "sync", settings->sync, &status);
	array = json_add_array(object, "freeze", &status);
	for (size_t i = 0; i < settings->n_freeze; i++)
		add_cgroup(array, roots, settings->freeze[i], &status);
	array = json_add_array(object, "modules", &status);
	for (size_t i = 0; i < plan->modules.n_names; i++)
		json_add_string(array, NULL, plan->modules.names[i], &status);
	array = json_add_array(object, "devices", &status);
	for (size_t i = 0; i < plan->inventory.n_functions; i++)
		add_function(array, roots, &plan->inventory.functions[i], &status);
	return print_json(object, status);
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
		error_set(error, r, "cannot list hooks, PCI functions and modules: %s",
			  strerror(-r));
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
	int r, status;

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
	status = object ? 0 : -ENOMEM;
	for (size_t i = 0; i < ELEMENTSOF(status_nodes); i++)
		json_add_string(object, status_nodes[i].key, texts[i], &status);
	json_add_string(object, "last_cycle", last, &status);
	return print_json(object, status);
}

/* ---- --test ---- */

static void print_steps(const struct engine_step *steps, size_t n)
{
	char duration[LOG_DURATION_MAX];

	for (size_t i = 0; i < n; i++)
		printf("%10s  %s\n", log_format_duration(steps[i].duration_us, duration),
		       steps[i].what);
}

static void add_steps(struct json_object *object, const struct engine_step *steps, size_t n,
		      int *status)
{
	struct json_object *array = json_add_array(object, "steps", status);

	for (size_t i = 0; i < n; i++) {
		struct json_object *step = json_add_object(array, NULL, status);

		json_add_string(step, "step", steps[i].what, status);
		json_add_integer(step, "duration_us", (int64_t)steps[i].duration_us, status);
	}
}

int report_self_test(const struct self_test_result *result, const struct engine *engine, bool json)
{
	const char *outcome = result->quiesce_r < 0 ? "failed"
			      : result->degraded    ? "degraded"
						    : "ok";
	const struct engine_step *steps;
	size_t n_steps = engine_get_steps(engine, &steps);
	char quiesced[LOG_DURATION_MAX], restored[LOG_DURATION_MAX];
	struct json_object *object;
	int status;

	if (!json) {
		printf("%s: quiesced in %s, restored in %s\n", outcome,
		       log_format_duration(result->quiesce_us, quiesced),
		       log_format_duration(result->restore_us, restored));
		print_steps(steps, n_steps);
		if (result->reason[0])
			printf("%s\n", result->reason);
		if (result->detail[0])
			printf("%s\n", result->detail);
		return 0;
	}
	object = json_object_new_object();
	status = object ? 0 : -ENOMEM;
	json_add_string(object, "result", outcome, &status);
	json_add_integer(object, "down_us", (int64_t)result->quiesce_us, &status);
	json_add_integer(object, "up_us", (int64_t)result->restore_us, &status);
	add_steps(object, steps, n_steps, &status);
	json_add_string(object, "reason", result->reason, &status);
	json_add_string(object, "detail", result->detail, &status);
	return print_json(object, status);
}
