/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/json.h"
#include "pmcoord/protocol.h"
#include "base/table.h"
#include "model/domain-id.h"
#include "model/graph.h"
#include "model/inventory.h"

/*
 * Returns the state to show for a guest. A running guest that was requested to
 * power off or reboot is shown as shutting down. Xen has no such state.
 */
static const char *state_of(const struct guest *guest)
{
	if (guest->state == GUEST_RUNNING && guest->shutdown_node[0] &&
	    strcmp(guest->shutdown_node, PROTOCOL_SHUTDOWN_SUSPEND) != 0)
		return "shutting-down";
	return guest_state_name(guest->state);
}

static const char *agent_of(const struct guest *guest)
{
	if (!guest->agent.present)
		return protocol_agent_state_name(PROTOCOL_AGENT_NONE);
	if (guest->agent.version != PROTOCOL_VERSION)
		return "unknown-version";
	return protocol_agent_state_name(guest->agent.state.state);
}

/*
 * Joins the names of guests, e.g. "fw, storage". The caller frees the text.
 * Returns NULL when out of memory.
 */
static char *join_names(const struct inventory *inventory, const size_t *nodes, size_t n_nodes)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < n_nodes; i++)
		fprintf(out, "%s%s", i ? ", " : "", inventory->guests[nodes[i]].name);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void add_names(struct json_object *object, const char *key,
		      const struct inventory *inventory, const size_t *nodes, size_t n_nodes,
		      int *status)
{
	struct json_object *array = json_add_array(object, key, status);

	for (size_t i = 0; i < n_nodes; i++)
		json_add_string(array, NULL, inventory->guests[nodes[i]].name, status);
}

static void add_warnings(struct json_object *object, const struct graph *graph, int *status)
{
	struct json_object *array = json_add_array(object, "warnings", status);
	const char *warning;

	for (size_t i = 0; (warning = graph_warning(graph, i)); i++)
		json_add_string(array, NULL, warning, status);
}

static void print_warnings(const struct graph *graph, FILE *out)
{
	const char *warning;

	for (size_t i = 0; (warning = graph_warning(graph, i)); i++)
		fprintf(out, "%sWarning: %s\n", i ? "" : "\n", warning);
}

/*
 * Prints the object unless `status` is an error, and always releases the
 * object. Returns 0 or a negative errno.
 */
static int finish_json(struct json_object *object, int status, FILE *out)
{
	if (status == 0)
		status = json_print(object, out);
	json_object_put(object);
	return status;
}

/* ---- list ---------------------------------------------------------------- */

/* One guest of the list. */
struct entry {
	const struct plan *plan;
	const struct guest *guest;
	size_t node; /* the guest's node in the graph */
	enum guest_policy policy;
	enum mechanism mechanism;
	const char *reason; /* see struct step */
};

static struct entry entry_of(const struct plan *plan, const struct config *config, size_t node)
{
	struct entry entry = {
		.plan = plan,
		.guest = &plan->inventory.guests[node],
		.node = node,
	};

	entry.policy = config_for_guest(config, entry.guest->name).policy;
	entry.mechanism = plan_choose_mechanism(entry.guest, entry.policy, &entry.reason);
	return entry;
}

static void add_entry(struct json_object *guests, const struct entry *entry, int *status)
{
	struct json_object *object = json_add_object(guests, NULL, status);
	const struct guest *guest = entry->guest;
	struct graph_nodes needs = graph_needs(entry->plan->graph, entry->node);
	struct graph_nodes serves = graph_serves(entry->plan->graph, entry->node);
	char uuid[GUEST_UUID_TEXT_SIZE];

	json_add_string(object, "name", guest->name, status);
	json_add_integer(object, "domid", guest->domid, status);
	json_add_string(object, "uuid", guest_uuid_format(guest->uuid, uuid), status);
	json_add_string(object, "type", guest_type_name(guest->type), status);
	json_add_string(object, "role", guest_role_name(guest->role), status);
	json_add_string(object, "state", state_of(guest), status);
	json_add_string(object, "mechanism", mechanism_name(entry->mechanism), status);
	json_add_string(object, "agent", agent_of(guest), status);
	add_names(object, "needs", &entry->plan->inventory, needs.nodes, needs.n_nodes, status);
	add_names(object, "serves", &entry->plan->inventory, serves.nodes, serves.n_nodes, status);
	json_add_string(object, "policy", guest_policy_name(entry->policy), status);
	json_add_string(object, "reason", entry->reason, status);
	json_add_integer(object, "pci_functions", guest->pci_functions, status);
}

static int list_json(const struct plan *plan, const struct config *config, FILE *out)
{
	const struct inventory *inventory = &plan->inventory;
	struct json_object *list = json_object_new_object();
	int r = list ? 0 : -ENOMEM;
	struct json_object *guests = json_add_array(list, "guests", &r);

	for (size_t i = 0; i < inventory->n_guests; i++) {
		struct entry entry = entry_of(plan, config, inventory->by_domid.entries[i].element);

		add_entry(guests, &entry, &r);
	}
	add_warnings(list, plan->graph, &r);
	return finish_json(list, r, out);
}

static const struct table_column list_columns[] = {
	{ "NAME", false, false },  { "DOMID", true, false },   { "TYPE", false, false },
	{ "ROLE", false, false },  { "STATE", false, false },  { "MECHANISM", false, false },
	{ "AGENT", false, false }, { "POLICY", false, false }, { "NEEDS", false, false },
	{ NULL, false, false },
};

static const char *const list_dispensable[] = { "POLICY", "DOMID", "TYPE", "ROLE", NULL };

static int add_list_line(struct table *table, const struct entry *entry)
{
	const struct guest *guest = entry->guest;
	struct graph_nodes needs = graph_needs(entry->plan->graph, entry->node);
	_cleanup_(freep) char *names =
		join_names(&entry->plan->inventory, needs.nodes, needs.n_nodes);
	char domid[16];
	const char *cells[] = {
		guest->name,
		domid,
		guest_type_name(guest->type),
		guest_role_name(guest->role),
		state_of(guest),
		mechanism_name(entry->mechanism),
		agent_of(guest),
		guest_policy_name(entry->policy),
		names,
	};

	if (!names)
		return -ENOMEM;
	snprintf(domid, sizeof(domid), "%" PRIu32, guest->domid);
	return table_add_line(table, cells);
}

static int list_table(const struct plan *plan, const struct config *config, FILE *out)
{
	const struct inventory *inventory = &plan->inventory;
	_cleanup_(table_freep) struct table *table = NULL;
	int r = table_new(list_columns, out, &table);

	for (size_t i = 0; i < inventory->n_guests && r == 0; i++) {
		struct entry entry = entry_of(plan, config, inventory->by_domid.entries[i].element);

		r = add_list_line(table, &entry);
	}
	if (r < 0)
		return r;
	table_set_dispensable(table, list_dispensable);
	r = table_print(table);
	if (r == 0)
		print_warnings(plan->graph, out);
	return r;
}

int show_list(const struct plan *plan, const struct config *config, bool json, FILE *out)
{
	if (json)
		return list_json(plan, config, out);
	if (plan->inventory.n_guests == 0)
		return fprintf(out, "No guest is running.\n") < 0 ? -EIO : 0;
	return list_table(plan, config, out);
}

/* ---- plan ---------------------------------------------------------------- */

/* A plan, and the direction in which its steps are printed. */
struct view {
	const struct plan *plan;
	bool resuming;
	struct plan_walk walk;
	unsigned int *resume_depths; /* see plan_resume_depths */
};

/*
 * Returns the i-th step in the view's direction, or NULL if its guest is
 * skipped. Sets view->walk to the guests whose steps come before that step.
 */
static const struct step *view_step(struct view *view, size_t i)
{
	const struct plan *plan = view->plan;
	const struct step *step = &plan->steps[view->resuming ? plan->n_steps - 1 - i : i];

	if (step->mechanism == MECHANISM_NONE)
		return NULL;
	plan_find_before(&view->walk, step->guest, view->resuming);
	return step;
}

static unsigned int view_depth(const struct view *view, const struct step *step)
{
	return view->resuming ? view->resume_depths[step->guest] : step->depth;
}

static void add_step(struct json_object *steps, const struct view *view, const struct step *step,
		     int *status)
{
	const struct inventory *inventory = &view->plan->inventory;
	const struct guest *guest = &inventory->guests[step->guest];
	struct json_object *object = json_add_object(steps, NULL, status);

	json_add_string(object, "guest", guest->name, status);
	json_add_integer(object, "domid", guest->domid, status);
	json_add_string(object, "mechanism", mechanism_name(step->mechanism), status);
	add_names(object, "after", inventory, view->walk.found, view->walk.n_found, status);
	json_add_integer(object, "depth", view_depth(view, step), status);
	json_add_string(object, "reason", step->reason, status);
}

static void add_steps(struct json_object *object, const char *key, struct view *view, int *status)
{
	struct json_object *steps = json_add_array(object, key, status);

	for (size_t i = 0; i < view->plan->n_steps; i++) {
		const struct step *step = view_step(view, i);

		if (step)
			add_step(steps, view, step, status);
	}
}

static void add_skipped(struct json_object *object, const struct plan *plan, int *status)
{
	struct json_object *array = json_add_array(object, "skipped", status);

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];
		const struct guest *guest = &plan->inventory.guests[step->guest];
		struct json_object *skipped;

		if (step->mechanism != MECHANISM_NONE)
			continue;
		skipped = json_add_object(array, NULL, status);
		json_add_string(skipped, "guest", guest->name, status);
		json_add_integer(skipped, "domid", guest->domid, status);
		json_add_string(skipped, "reason", step->reason, status);
	}
}

static int plan_json(struct view *view, FILE *out)
{
	struct json_object *object = json_object_new_object();
	int r = object ? 0 : -ENOMEM;

	view->resuming = false;
	add_steps(object, "suspend", view, &r);
	view->resuming = true;
	add_steps(object, "resume", view, &r);
	add_skipped(object, view->plan, &r);
	add_warnings(object, view->plan->graph, &r);
	return finish_json(object, r, out);
}

static const struct table_column plan_columns[] = {
	{ "DEPTH", true, false },      { "GUEST", false, false }, { "DOMID", true, false },
	{ "MECHANISM", false, false }, { "AFTER", false, false }, { NULL, false, false },
};

static int add_plan_line(struct table *table, const struct view *view, const struct step *step)
{
	const struct inventory *inventory = &view->plan->inventory;
	const struct guest *guest = &inventory->guests[step->guest];
	_cleanup_(freep) char *names = join_names(inventory, view->walk.found, view->walk.n_found);
	char depth[16], domid[16];
	const char *cells[] = {
		depth, guest->name, domid, mechanism_name(step->mechanism), names,
	};

	if (!names)
		return -ENOMEM;
	snprintf(depth, sizeof(depth), "%u", view_depth(view, step));
	snprintf(domid, sizeof(domid), "%" PRIu32, guest->domid);
	return table_add_line(table, cells);
}

static int plan_table(struct view *view, FILE *out)
{
	_cleanup_(table_freep) struct table *table = NULL;
	int r = table_new(plan_columns, out, &table);

	fprintf(out, view->resuming ? "\nResume, after the wake:\n" : "Suspend:\n");
	for (size_t i = 0; i < view->plan->n_steps && r == 0; i++) {
		const struct step *step = view_step(view, i);

		if (step)
			r = add_plan_line(table, view, step);
	}
	return r < 0 ? r : table_print(table);
}

/*
 * Prints `heading` and the reasons of steps, either those with a mechanism or those
 * without.
 */
static void print_reasons(const struct plan *plan, bool has_mechanism, const char *heading,
			  FILE *out)
{
	bool any = false;

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];
		const struct guest *guest = &plan->inventory.guests[step->guest];

		if ((step->mechanism != MECHANISM_NONE) != has_mechanism || !step->reason)
			continue;
		fprintf(out, "%s  %s (%" PRIu32 "): %s\n", any ? "" : heading, guest->name,
			guest->domid, step->reason);
		any = true;
	}
}

static bool plan_acts(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].mechanism != MECHANISM_NONE)
			return true;
	return false;
}

static int plan_text(struct view *view, FILE *out)
{
	int r = 0;

	if (plan_acts(view->plan)) {
		view->resuming = false;
		r = plan_table(view, out);
		view->resuming = true;
		if (r == 0)
			r = plan_table(view, out);
	} else {
		fprintf(out, "No guest would be suspended.\n");
	}
	if (r < 0)
		return r;
	print_reasons(view->plan, true, "\nNot suspended by the best mechanism:\n", out);
	print_reasons(view->plan, false, "\nNot suspended by pmcoord:\n", out);
	print_warnings(view->plan->graph, out);
	return ferror(out) ? -EIO : 0;
}

int show_plan(const struct plan *plan, bool json, FILE *out)
{
	_cleanup_(freep) unsigned int *resume_depths =
		calloc(plan->n_steps + 1, sizeof(*resume_depths));
	struct view view = { .plan = plan, .resume_depths = resume_depths };
	int r = resume_depths ? plan_resume_depths(plan, resume_depths) : -ENOMEM;

	if (r == 0)
		r = plan_walk_init(&view.walk, plan);
	if (r < 0)
		return r;
	r = json ? plan_json(&view, out) : plan_text(&view, out);
	plan_walk_done(&view.walk);
	return r;
}
