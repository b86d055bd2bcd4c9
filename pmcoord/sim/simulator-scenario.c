/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/simulator-scenario.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "pmcoord/hash.h"
#include "pmcoord/ini-file.h"
#include "pmcoord/parse.h"
#include "pmcoord/protocol.h"
#include "model/inventory.h"

/* Size of a guest's name with its NUL. ini-file.c rejects names that do not fit. */
#define NAME_MAX_BYTES 64

/*
 * Keys whose values name other guests. The values are evaluated after the whole file
 * was read, because the sections of these guests may come later.
 */
enum relation {
	NEEDS,
	STUB_FOR,
	CLAIMS_TO_NEED,
	CLAIMS_TO_SERVE,
	N_RELATIONS,
};

/* A [Guest] section, before Count= is expanded. */
struct section {
	struct sim_guest guest; /* without name, domid and UUID */
	char name[NAME_MAX_BYTES];
	char *related[N_RELATIONS]; /* per relation: the value of its key; NULL: not given */
	uint64_t count; /* copies to make; 0: one guest, named as written */
	size_t first; /* index of the section's first guest */
};

struct scenario {
	struct simulator *simulator;
	struct section *sections;
	size_t n_sections;
	struct section *current; /* the [Guest] section being read, or NULL */
	/* A hash table of names, with open addressing. */
	size_t *names; /* index of the guest + 1; 0: empty slot */
	size_t n_names; /* number of slots, a power of two */
	char *problems; /* syntax errors, one per line; NULL: none */
};

/* ---- single values ------------------------------------------------------- */

static const char *const behaviour_names[] = {
	[SIM_BEHAVES] = "normal",
	[SIM_IGNORES_REQUESTS] = "ignores-requests",
	[SIM_HANGS_AFTER_ACK] = "hangs-after-ack",
	[SIM_SUSPENDS_LATE] = "goes-down-late",
	[SIM_DIES] = "dies",
	[SIM_REFUSES] = "refuses",
	[SIM_AGENT_IS_DEAD] = "agent-is-dead",
	[SIM_AGENT_PORT_IS_STALE] = "agent-port-is-stale",
	[SIM_RESUMES_DEGRADED] = "comes-back-degraded",
	[SIM_NEVER_READY] = "never-ready",
	[SIM_FAILS_TO_RESUME] = "fails-to-resume",
};
ENUM_COMPLETE(behaviour_names, SIM_FAILS_TO_RESUME);

static int parse_behaviour(const char *value, struct sim_guest *guest)
{
	int behaviour = ENUM_PARSE(behaviour_names, value);

	if (behaviour < 0)
		return behaviour;
	guest->behaviour = (enum sim_behaviour)behaviour;
	return 0;
}

static int parse_type(const char *value, struct sim_guest *guest)
{
	for (int type = GUEST_PV; type <= GUEST_HVM; type++) {
		if (strcmp(value, guest_type_name((enum guest_type)type)) != 0)
			continue;
		guest->facts.type = (enum guest_type)type;
		return 0;
	}
	return -EINVAL;
}

/* The values of State=, with the guest's state at the start. */
static const struct {
	const char *name;
	enum guest_state state;
	enum sim_fate fate;
	const char *shutdown_node;
	unsigned int pauses;
	bool in_acpi_s3;
	bool is_booting;
} states[] = {
	{ "running", GUEST_RUNNING, SIM_STAYS, "", 0, false, false },
	{ "paused", GUEST_RUNNING, SIM_STAYS, "", 1, false, false },
	{ "suspended", GUEST_SUSPENDED, SIM_STAYS, "", 0, false, false },
	{ "shut-down", GUEST_SHUT_DOWN, SIM_STAYS, "", 0, false, false },
	{ "dying", GUEST_DYING, SIM_STAYS, "", 0, false, false },
	{ "booting", GUEST_RUNNING, SIM_STAYS, "", 0, false, true },
	{ "acpi-s3", GUEST_RUNNING, SIM_STAYS, "", 0, true, false },
	{ "shutting-down", GUEST_RUNNING, SIM_POWERS_OFF, "poweroff", 0, false, false },
	{ "rebooting", GUEST_RUNNING, SIM_REBOOTS, "reboot", 0, false, false },
	{ "saving", GUEST_RUNNING, SIM_IS_SAVED, "suspend", 0, false, false },
	{ "migrating", GUEST_RUNNING, SIM_IS_SAVED, "suspend", 0, false, false },
};

static int parse_state(const char *value, struct sim_guest *guest)
{
	for (size_t i = 0; i < ELEMENTSOF(states); i++) {
		if (strcmp(value, states[i].name) != 0)
			continue;
		guest->facts.state = states[i].state;
		guest->fate = states[i].fate;
		guest->pauses = states[i].pauses;
		guest->facts.in_acpi_s3 = states[i].in_acpi_s3;
		snprintf(guest->facts.shutdown_node, sizeof(guest->facts.shutdown_node), "%s",
			 states[i].shutdown_node);
		if (!states[i].is_booting)
			return 0;
		guest->facts.feature_suspend = GUEST_FEATURE_UNKNOWN;
		guest->boot_us = guest->boot_us ? guest->boot_us : 2000000;
		return 0;
	}
	return -EINVAL;
}

static int parse_agent(const char *value, struct sim_guest *guest)
{
	bool present;
	int r = parse_boolean(value, &present);

	if (r == 0 && present)
		guest->facts.agent = (struct guest_agent){
			.present = true,
			.version = PROTOCOL_VERSION,
			.port = 1,
			.state.state = PROTOCOL_AGENT_READY,
		};
	return r;
}

static int parse_agent_version(const char *value, struct sim_guest *guest)
{
	return parse_u64(value, UINT64_MAX, &guest->facts.agent.version);
}

static int parse_feature(const char *value, struct sim_guest *guest)
{
	bool yes;
	int r;

	if (value[0] == '\0' || strcmp(value, "unknown") == 0) {
		guest->facts.feature_suspend = GUEST_FEATURE_UNKNOWN;
		return 0;
	}
	r = parse_boolean(value, &yes);
	if (r == 0)
		guest->facts.feature_suspend = yes ? GUEST_FEATURE_YES : GUEST_FEATURE_NO;
	return r;
}

static int parse_pv_drivers(const char *value, struct sim_guest *guest)
{
	return parse_boolean(value, &guest->facts.has_pv_drivers);
}

static int parse_kernel_port(const char *value, struct sim_guest *guest)
{
	bool yes = false;
	int r = parse_boolean(value, &yes);

	guest->facts.kernel_port = yes;
	return r;
}

static int parse_record(const char *value, struct sim_guest *guest)
{
	return parse_boolean(value, &guest->has_toolstack_record);
}

static int parse_pci_functions(const char *value, struct sim_guest *guest)
{
	uint64_t number = 0;
	int r = parse_u64(value, 64, &number);

	guest->facts.pci_functions = (unsigned int)number;
	return r;
}

/*
 * Parses an item of Fail= and adds it. "resume:3": the third call fails;
 * "resume:3+": the third and all later calls fail; "resume": all calls fail.
 */
static int add_failure(struct sim_calls *calls, const char *token)
{
	_cleanup_(freep) char *copy = strdup(token);
	char *colon = copy ? strchr(copy, ':') : NULL, *end;
	struct sim_failure failure = { .n = 1, .and_later = !colon };

	if (!copy)
		return -ENOMEM;
	if (colon) {
		*colon = '\0';
		end = colon + strlen(colon + 1);
		failure.and_later = end > colon && *end == '+';
		if (failure.and_later)
			*end = '\0';
		if (parse_u64(colon + 1, UINT64_MAX, &failure.n) < 0 || failure.n == 0)
			return -EINVAL;
	}
	failure.verb = sim_verb_of_name(copy);
	if (failure.verb == SIM_N_VERBS)
		return -EINVAL;
	if (array_grow(&calls->failures, calls->n_failures, sizeof(failure)) < 0)
		return -ENOMEM;
	calls->failures[calls->n_failures++] = failure;
	return 0;
}

static int parse_failures(const char *value, struct sim_calls *calls)
{
	_cleanup_(freep) char *tokens = strdup(value);
	char *rest = tokens, *token;
	int r = tokens ? 0 : -ENOMEM;

	while (r == 0 && (token = strsep(&rest, " ,")))
		if (token[0])
			r = add_failure(calls, token);
	return r;
}

static int parse_guest_failures(const char *value, struct sim_guest *guest)
{
	return parse_failures(value, &guest->calls);
}

/* ---- keys ---------------------------------------------------------------- */

static const struct {
	const char *key;
	int (*parse)(const char *value, struct sim_guest *guest);
} guest_keys[] = {
	{ "Type", parse_type },
	{ "State", parse_state },
	{ "Behaviour", parse_behaviour },
	{ "Agent", parse_agent },
	{ "AgentVersion", parse_agent_version },
	{ "FeatureSuspend", parse_feature },
	{ "KernelEventChannel", parse_kernel_port },
	{ "PVDrivers", parse_pv_drivers },
	{ "PCIFunctions", parse_pci_functions },
	{ "ToolstackRecord", parse_record },
	{ "Fail", parse_guest_failures },
};

static const struct {
	const char *key;
	size_t offset;
} guest_times[] = {
	{ "QuiesceTime", offsetof(struct sim_guest, quiesce_us) },
	{ "SuspendTime", offsetof(struct sim_guest, suspend_us) },
	{ "ResumeTime", offsetof(struct sim_guest, resume_us) },
	{ "ReadyTime", offsetof(struct sim_guest, ready_us) },
	{ "LateTime", offsetof(struct sim_guest, late_us) },
	{ "BootTime", offsetof(struct sim_guest, boot_us) },
	{ "LeaveTime", offsetof(struct sim_guest, leave_us) },
	{ "AppearsAfter", offsetof(struct sim_guest, appears_us) },
	{ "DestroyedAfter", offsetof(struct sim_guest, destroyed_us) },
	{ "UserPausesAfter", offsetof(struct sim_guest, user_pauses_us) },
};

static const char *const relation_keys[N_RELATIONS] = {
	[NEEDS] = "Needs",
	[STUB_FOR] = "StubFor",
	[CLAIMS_TO_NEED] = "Claims",
	[CLAIMS_TO_SERVE] = "ClaimsToServe",
};

static int parse_text(const char *value, char **ret)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

/*
 * Stores the value of a key. Returns 0, -ENOENT for an unknown key, or another
 * negative errno.
 */
static int parse_section_key(struct section *section, const char *key, const char *value)
{
	for (size_t i = 0; i < ELEMENTSOF(guest_keys); i++)
		if (strcmp(key, guest_keys[i].key) == 0)
			return guest_keys[i].parse(value, &section->guest);
	for (size_t i = 0; i < ELEMENTSOF(guest_times); i++)
		if (strcmp(key, guest_times[i].key) == 0)
			return parse_duration(value, (uint64_t *)((char *)&section->guest +
								  guest_times[i].offset));
	for (size_t i = 0; i < N_RELATIONS; i++)
		if (strcmp(key, relation_keys[i]) == 0)
			return parse_text(value, &section->related[i]);
	if (strcmp(key, "Count") == 0)
		return parse_u64(value, SIM_GUESTS_MAX, &section->count);
	return -ENOENT;
}

static int parse_s3(const char *value, struct simulator *simulator)
{
	simulator->offers_s3 = strcmp(value, "no") != 0;
	simulator->refuses_s3 = strcmp(value, "refuse") == 0;
	return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0 || simulator->refuses_s3
		       ? 0
		       : -EINVAL;
}

static int parse_keep_state(const char *value, struct simulator *simulator)
{
	simulator->saves_always = strcmp(value, "always") == 0;
	return simulator->saves_always || strcmp(value, "at-exit") == 0 ? 0 : -EINVAL;
}

static int parse_host_key(struct scenario *scenario, const char *key, const char *value)
{
	struct simulator *simulator = scenario->simulator;

	if (strcmp(key, "S3") == 0)
		return parse_s3(value, simulator);
	if (strcmp(key, "SleepTime") == 0)
		return parse_duration(value, &simulator->sleep_us);
	if (strcmp(key, "Trace") == 0)
		return parse_boolean(value, &simulator->has_trace);
	if (strcmp(key, "KeepState") == 0)
		return parse_keep_state(value, simulator);
	if (strcmp(key, "KilledAt") == 0)
		return parse_u64(value, UINT64_MAX, &simulator->killed_at);
	if (strcmp(key, "Fail") == 0)
		return parse_failures(value, &simulator->calls);
	return -ENOENT;
}

/* ---- sections ------------------------------------------------------------ */

/*
 * Appends a section with the defaults of pmcoord-scenario(5). Returns NULL if
 * there are too many sections or there is no memory.
 */
static struct section *new_section(struct scenario *scenario, const char *name)
{
	struct section *section;

	if (scenario->n_sections == SIM_GUESTS_MAX ||
	    array_grow(&scenario->sections, scenario->n_sections, sizeof(*section)) < 0)
		return NULL;
	section = &scenario->sections[scenario->n_sections++];
	*section = (struct section){
		.guest = {
			.facts.feature_suspend = GUEST_FEATURE_YES,
			.facts.has_pv_drivers = true,
			.quiesce_us = 20000,
			.suspend_us = 30000,
			.resume_us = 4000,
			.ready_us = 2000000,
			.late_us = 15000000,
			.has_toolstack_record = true,
			.leave_us = 1000000,
			.appears_us = SIM_NEVER,
			.destroyed_us = SIM_NEVER,
			.user_pauses_us = SIM_NEVER,
		},
	};
	snprintf(section->name, sizeof(section->name), "%s", name);
	return section;
}

/* Copies NAME out of the header 'Guest "NAME"'. Returns false for other headers. */
static bool guest_name(const char *section, char ret[static NAME_MAX_BYTES])
{
	char end;

	return sscanf(section, "Guest \"%63[^\"]%c", ret, &end) == 2 && end == '"';
}

static int parse_section(void *data, const struct ini_position *position, const char *section,
			 struct error *error)
{
	struct scenario *scenario = data;
	char name[NAME_MAX_BYTES];

	(void)position;
	scenario->current = NULL;
	if (strcmp(section, "Host") == 0)
		return 0;
	if (!guest_name(section, name))
		return error_set(error, -EINVAL, "is neither [Host] nor [Guest \"name\"]");
	scenario->current = new_section(scenario, name);
	if (!scenario->current)
		return error_set(error, -E2BIG, "too many sections: at most %d guests are possible",
				 SIM_GUESTS_MAX);
	return 0;
}

static int parse_key(void *data, const struct ini_position *position, const char *section,
		     const char *key, const char *value, struct error *error)
{
	struct scenario *scenario = data;
	int r = 0;

	(void)position;
	if (strcmp(section, "Host") == 0)
		r = parse_host_key(scenario, key, value);
	else if (scenario->current)
		r = parse_section_key(scenario->current, key, value);
	/* Keys of an invalid section are ignored: parse_section has reported the section. */
	if (r == -ENOENT)
		return error_set(error, r, "unknown key");
	if (r == -ENOMEM)
		return error_set(error, r, "out of memory");
	return r < 0 ? error_set(error, r, "'%s' is not a valid value", value) : 0;
}

static void collect_problem(void *data, const char *problem)
{
	struct scenario *scenario = data;
	char *problems;

	if (asprintf(&problems, "%s%s%s", scenario->problems ? scenario->problems : "",
		     scenario->problems ? "\n" : "", problem) < 0)
		return;
	free(scenario->problems);
	scenario->problems = problems;
}

/* ---- guests -------------------------------------------------------------- */

/*
 * Makes a guest's name from `pattern`, for copy number `copy` of a section.
 * Copies are numbered from 1; 0: the section has no Count=. The number replaces
 * the '*' in the pattern. If there is no '*', the number is appended if `is_own`
 * is set, i.e. if the pattern names the section's own guest. Returns 0, or
 * -EINVAL for a '*' without Count= or a name that is too long.
 */
static int expand_name(const char *pattern, uint64_t copy, bool is_own, char *ret, size_t size)
{
	const char *star = strchr(pattern, '*');
	int before = star ? (int)(star - pattern) : (int)strlen(pattern);
	char number[24] = "";
	int length;

	if (copy && (star || is_own))
		snprintf(number, sizeof(number), "%" PRIu64, copy);
	else if (star)
		return -EINVAL;
	length = snprintf(ret, size, "%.*s%s%s", before, pattern, number, star ? star + 1 : "");
	return length < 0 || (size_t)length >= size ? -EINVAL : 0;
}

/* Derives the UUID from the name. Guests are sorted by UUID, so every run has the same order. */
static void derive_uuid(struct guest *facts)
{
	uint64_t hash = HASH_START;

	for (int half = 0; half < 2; half++) {
		hash = hash_text(hash, facts->name);
		memcpy(facts->uuid + half * 8, &hash, sizeof(hash));
	}
}

/* Returns the slot of a name in the table, or the empty slot where the name belongs. */
static size_t *find_slot(const struct scenario *scenario, const char *name)
{
	size_t mask = scenario->n_names - 1;
	size_t i = hash_text(HASH_START, name) & mask;

	while (scenario->names[i] &&
	       strcmp(scenario->simulator->guests[scenario->names[i] - 1].facts.name, name) != 0)
		i = (i + 1) & mask;
	return &scenario->names[i];
}

static int copy_failures(const struct sim_calls *from, struct sim_calls *ret)
{
	*ret = (struct sim_calls){ 0 };
	for (size_t i = 0; i < from->n_failures; i++) {
		if (array_grow(&ret->failures, i, sizeof(*ret->failures)) < 0)
			return -ENOMEM;
		ret->failures[i] = from->failures[i];
		ret->n_failures++;
	}
	return 0;
}

static int make_guest(struct scenario *scenario, const struct section *section, uint64_t copy,
		      struct error *error)
{
	struct simulator *simulator = scenario->simulator;
	struct sim_guest *guest = &simulator->guests[simulator->n_guests];
	struct guest *facts = &guest->facts;
	size_t *slot;

	*guest = section->guest;
	guest->calls = (struct sim_calls){ 0 };
	if (expand_name(section->name, copy, true, facts->name, sizeof(facts->name)) < 0)
		return error_set(error, -EBADMSG,
				 "[Guest \"%s\"]: a name with '*' needs Count=", section->name);
	slot = find_slot(scenario, facts->name);
	if (*slot)
		return error_set(error, -EBADMSG, "two guests are called '%s'", facts->name);
	derive_uuid(facts);
	facts->domid = (uint32_t)simulator->n_guests + 1;
	if (guest->appears_us != SIM_NEVER)
		facts->state = GUEST_GONE;
	*slot = ++simulator->n_guests;
	return copy_failures(&section->guest.calls, &guest->calls) < 0
		       ? error_set(error, -ENOMEM, "out of memory")
		       : 0;
}

static int allocate_guests(struct scenario *scenario, struct error *error)
{
	uint64_t n = 0;

	for (size_t i = 0; i < scenario->n_sections; i++)
		n += scenario->sections[i].count ? scenario->sections[i].count : 1;
	if (n > SIM_GUESTS_MAX)
		return error_set(error, -EBADMSG, "%" PRIu64 " guests exceed the limit of %d", n,
				 SIM_GUESTS_MAX);
	scenario->n_names = 4;
	while (scenario->n_names < 2 * n)
		scenario->n_names *= 2;
	scenario->names = calloc(scenario->n_names, sizeof(size_t));
	scenario->simulator->guests = calloc(n + 1, sizeof(*scenario->simulator->guests));
	return scenario->names && scenario->simulator->guests
		       ? 0
		       : error_set(error, -ENOMEM, "out of memory");
}

static int make_guests(struct scenario *scenario, struct error *error)
{
	int r = allocate_guests(scenario, error);

	for (size_t i = 0; i < scenario->n_sections && r == 0; i++) {
		struct section *section = &scenario->sections[i];

		section->first = scenario->simulator->n_guests;
		if (section->count == 0)
			r = make_guest(scenario, section, 0, error);
		for (uint64_t copy = 1; copy <= section->count && r == 0; copy++)
			r = make_guest(scenario, section, copy, error);
	}
	return r;
}

/* ---- links --------------------------------------------------------------- */

/*
 * Reads the device class at the start of *token, e.g. "vbd:" of "vbd:storage",
 * and advances *token past the class. Without a class, the device is a network
 * card.
 */
static int parse_device(const char **token, enum link_class *ret)
{
	const char *colon = strchr(*token, ':');
	char device[16];

	*ret = LINK_NETWORK;
	if (!colon)
		return 0;
	if ((size_t)(colon - *token) >= sizeof(device))
		return -EINVAL;
	memcpy(device, *token, (size_t)(colon - *token));
	device[colon - *token] = '\0';
	if (link_class_parse_device(device, ret) < 0)
		return -EINVAL;
	*token = colon + 1;
	return 0;
}

/* Returns the link that a relation describes, and sets which sources record the link. */
static struct link make_link(const struct simulator *simulator, enum relation relation,
			     size_t guest, size_t other, enum link_class class)
{
	bool is_true = relation == NEEDS || relation == STUB_FOR;
	bool other_needs = relation == STUB_FOR || relation == CLAIMS_TO_SERVE;

	return (struct link){
		.frontend = (uint32_t)(other_needs ? other : guest),
		.backend = (uint32_t)(other_needs ? guest : other),
		.class = relation == STUB_FOR ? LINK_DEVICE_MODEL : class,
		.recorded_by_frontend = is_true || relation == CLAIMS_TO_NEED,
		.recorded_by_backend = is_true || relation == CLAIMS_TO_SERVE,
		.recorded_by_toolstack = is_true && simulator->guests[guest].has_toolstack_record,
	};
}

static int add_link(struct scenario *scenario, enum relation relation, size_t guest, uint64_t copy,
		    const char *token, struct error *error)
{
	struct simulator *simulator = scenario->simulator;
	const char *name = simulator->guests[guest].facts.name;
	char other[GUEST_NAME_MAX];
	enum link_class class;
	size_t slot;

	if (parse_device(&token, &class) < 0)
		return error_set(error, -EBADMSG, "'%s': %s=%s: unknown device class", name,
				 relation_keys[relation], token);
	if (expand_name(token, copy, false, other, sizeof(other)) < 0)
		return error_set(error, -EBADMSG, "'%s': %s=%s: '*' needs Count=", name,
				 relation_keys[relation], token);
	slot = *find_slot(scenario, other);
	if (!slot)
		return error_set(error, -EBADMSG, "'%s': %s=: the scenario has no guest '%s'", name,
				 relation_keys[relation], other);
	if (array_grow(&simulator->links, simulator->n_links, sizeof(*simulator->links)) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	simulator->links[simulator->n_links++] =
		make_link(simulator, relation, guest, slot - 1, class);
	return 0;
}

static int add_links(struct scenario *scenario, const struct section *section,
		     enum relation relation, size_t guest, uint64_t copy, struct error *error)
{
	const char *text = section->related[relation];
	_cleanup_(freep) char *tokens = strdup(text ? text : "");
	char *rest = tokens, *token;
	int r = tokens ? 0 : error_set(error, -ENOMEM, "out of memory");

	while (r == 0 && (token = strsep(&rest, " ,")))
		if (token[0])
			r = add_link(scenario, relation, guest, copy, token, error);
	return r;
}

static int make_links(struct scenario *scenario, struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < scenario->n_sections; i++) {
		const struct section *section = &scenario->sections[i];
		uint64_t n = section->count ? section->count : 1;

		for (uint64_t copy = 0; copy < n; copy++)
			for (int relation = 0; relation < N_RELATIONS && r == 0; relation++)
				r = add_links(scenario, section, (enum relation)relation,
					      section->first + copy, section->count ? copy + 1 : 0,
					      error);
	}
	return r;
}

/* ---- the file ------------------------------------------------------------ */

static void scenario_done(struct scenario *scenario)
{
	for (size_t i = 0; i < scenario->n_sections; i++) {
		free(scenario->sections[i].guest.calls.failures);
		for (int j = 0; j < N_RELATIONS; j++)
			free(scenario->sections[i].related[j]);
	}
	free(scenario->sections);
	free(scenario->names);
	free(scenario->problems);
}

static int read_file(struct scenario *scenario, const char *path, struct error *error)
{
	int r = ini_file_parse_sections(path, parse_section, parse_key, collect_problem, scenario,
					error);

	if (r == -ENOENT)
		error_set(error, r, "scenario %s does not exist", path);
	if (r == -EBADMSG)
		error_set(error, r, "%s",
			  scenario->problems ? scenario->problems : "out of memory");
	return r;
}

int sim_scenario_load(struct simulator *simulator, const char *path, struct error *error)
{
	struct scenario scenario = {
		.simulator = simulator,
	};
	struct error problem = { 0 };
	int r;

	assert(simulator && simulator->n_guests == 0 && path);
	r = read_file(&scenario, path, error);
	if (r == 0) {
		r = make_guests(&scenario, &problem);
		if (r == 0)
			r = make_links(&scenario, &problem);
		if (r < 0)
			error_set(error, r, "%s: %s", path, error_text(&problem));
	}
	scenario_done(&scenario);
	return r;
}
