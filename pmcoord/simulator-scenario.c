/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/simulator-host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/ini-file.h"
#include "pmcoord/parse.h"

struct scenario {
	struct simulator *simulator;
	char *problems;
};

static const struct {
	const char *name;
	enum behaviour behaviour;
} behaviours[] = {
	{ "normal", BEHAVES },
	{ "ignores-requests", IGNORES_REQUESTS },
	{ "hangs-after-ack", HANGS_AFTER_ACK },
	{ "goes-down-late", GOES_DOWN_LATE },
	{ "dies", DIES },
	{ "refuses", REFUSES },
	{ "agent-is-dead", AGENT_IS_DEAD },
	{ "comes-back-degraded", COMES_BACK_DEGRADED },
	{ "fails-to-resume", FAILS_TO_RESUME },
};

static int take_behaviour(const char *value, struct sim_guest *guest)
{
	for (size_t i = 0; i < ELEMENTSOF(behaviours); i++) {
		if (strcmp(value, behaviours[i].name) != 0)
			continue;
		guest->behaviour = behaviours[i].behaviour;
		return 0;
	}
	return -EINVAL;
}

static int take_type(const char *value, struct guest *facts)
{
	for (int type = GUEST_PV; type <= GUEST_HVM; type++) {
		if (strcmp(value, guest_type_name((enum guest_type)type)) != 0)
			continue;
		facts->type = (enum guest_type)type;
		return 0;
	}
	return -EINVAL;
}

static int take_state(const char *value, struct sim_guest *guest)
{
	guest->paused = strcmp(value, "paused") == 0;
	if (strcmp(value, "running") == 0)
		guest->facts.state = GUEST_RUNNING;
	else if (guest->paused)
		guest->facts.state = GUEST_PAUSED;
	else if (strcmp(value, "suspended") == 0)
		guest->facts.state = GUEST_SUSPENDED;
	else if (strcmp(value, "shut-down") == 0)
		guest->facts.state = GUEST_SHUT_DOWN;
	else if (strcmp(value, "dying") == 0)
		guest->facts.state = GUEST_DYING;
	else
		return -EINVAL;
	return 0;
}

static int take_agent(const char *value, struct guest_agent *agent)
{
	bool present;
	int r = parse_boolean(value, &present);

	if (r == 0 && present)
		*agent = (struct guest_agent){
			.present = true,
			.version = PROTOCOL_VERSION,
			.port = 1,
			.state.state = PROTOCOL_AGENT_READY,
		};
	return r;
}

static int take_feature(const char *value, struct guest *facts)
{
	bool yes;
	int r = 0;

	if (strcmp(value, "unknown") == 0) {
		facts->feature_suspend = GUEST_FEATURE_UNKNOWN;
		return 0;
	}
	r = parse_boolean(value, &yes);
	if (r == 0)
		facts->feature_suspend =
			yes ? GUEST_FEATURE_YES : GUEST_FEATURE_NO;
	return r;
}

static int take_text(const char *value, char **ret)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

/* How the value of a key is read. */
enum value_type {
	VALUE_DURATION,
	VALUE_BOOLEAN,
	VALUE_TEXT,
	VALUE_SPECIAL, /* by take_special */
};

static const struct guest_key {
	const char *name;
	enum value_type type;
	size_t offset; /* in struct sim_guest */
} guest_keys[] = {
	{ "QuiesceTime", VALUE_DURATION,
	  offsetof(struct sim_guest, quiesce_us) },
	{ "SuspendTime", VALUE_DURATION,
	  offsetof(struct sim_guest, suspend_us) },
	{ "ResumeTime", VALUE_DURATION, offsetof(struct sim_guest, resume_us) },
	{ "ReadyTime", VALUE_DURATION, offsetof(struct sim_guest, ready_us) },
	{ "LateTime", VALUE_DURATION, offsetof(struct sim_guest, late_us) },
	{ "PVDrivers", VALUE_BOOLEAN,
	  offsetof(struct sim_guest, facts.has_pv_drivers) },
	{ "ACPIS3", VALUE_BOOLEAN,
	  offsetof(struct sim_guest, facts.in_acpi_s3) },
	{ "ToolstackRecord", VALUE_BOOLEAN,
	  offsetof(struct sim_guest, has_record) },
	{ "Needs", VALUE_TEXT, offsetof(struct sim_guest, needs_names) },
	{ "Claims", VALUE_TEXT, offsetof(struct sim_guest, claims_names) },
	{ "StubFor", VALUE_TEXT, offsetof(struct sim_guest, stub_for_name) },
	{ "Type", VALUE_SPECIAL, 0 },
	{ "State", VALUE_SPECIAL, 0 },
	{ "Behaviour", VALUE_SPECIAL, 0 },
	{ "Agent", VALUE_SPECIAL, 0 },
	{ "FeatureSuspend", VALUE_SPECIAL, 0 },
	{ "KernelEventChannel", VALUE_SPECIAL, 0 },
	{ "PCIFunctions", VALUE_SPECIAL, 0 },
	{ "ShutdownRequest", VALUE_SPECIAL, 0 },
	{ "Count", VALUE_SPECIAL, 0 },
};

static int take_kernel_port(const char *value, struct guest *facts)
{
	bool listens;
	int r = parse_boolean(value, &listens);

	if (r == 0)
		facts->kernel_port = listens;
	return r;
}

static int take_pci_functions(const char *value, struct guest *facts)
{
	uint64_t number;
	int r = parse_u64(value, 64, &number);

	if (r == 0)
		facts->pci_functions = (unsigned int)number;
	return r;
}

/* What its toolstack has asked of it and it has not answered yet. */
static int take_shutdown_request(const char *value, struct guest *facts)
{
	if (strcmp(value, "poweroff") != 0 && strcmp(value, "reboot") != 0 &&
	    strcmp(value, "suspend") != 0)
		return -EINVAL;
	snprintf(facts->shutdown_node, sizeof(facts->shutdown_node), "%s",
		 value);
	return 0;
}

static int take_special(struct sim_guest *guest, const char *key,
			const char *value)
{
	struct guest *facts = &guest->facts;

	if (strcmp(key, "Type") == 0)
		return take_type(value, facts);
	if (strcmp(key, "State") == 0)
		return take_state(value, guest);
	if (strcmp(key, "Behaviour") == 0)
		return take_behaviour(value, guest);
	if (strcmp(key, "Agent") == 0)
		return take_agent(value, &facts->agent);
	if (strcmp(key, "FeatureSuspend") == 0)
		return take_feature(value, facts);
	if (strcmp(key, "KernelEventChannel") == 0)
		return take_kernel_port(value, facts);
	if (strcmp(key, "PCIFunctions") == 0)
		return take_pci_functions(value, facts);
	if (strcmp(key, "ShutdownRequest") == 0)
		return take_shutdown_request(value, facts);
	return parse_u64(value, SIMULATED_GUESTS_MAX, &guest->count);
}

static int take_value(struct sim_guest *guest, const struct guest_key *key,
		      const char *value)
{
	char *field = (char *)guest + key->offset;

	switch (key->type) {
	case VALUE_DURATION:
		return parse_duration(value, (uint64_t *)(void *)field);
	case VALUE_BOOLEAN:
		return parse_boolean(value, (bool *)field);
	case VALUE_TEXT:
		return take_text(value, (char **)(void *)field);
	case VALUE_SPECIAL:
		break;
	}
	return take_special(guest, key->name, value);
}

static int take_guest_key(struct sim_guest *guest, const char *key,
			  const char *value, struct error *error)
{
	for (size_t i = 0; i < ELEMENTSOF(guest_keys); i++) {
		int r;

		if (strcmp(key, guest_keys[i].name) != 0)
			continue;
		r = take_value(guest, &guest_keys[i], value);
		return r < 0 ? error_set(error, r, "'%s' will not do", value)
			     : 0;
	}
	return error_set(error, -ENOENT, "unknown key");
}

static const char *const verb_names[SIM_VERBS] = {
	[VERB_INVENTORY] = "inventory",
	[VERB_PREPARE] = "prepare",
	[VERB_ARM] = "arm",
	[VERB_REQUEST] = "request",
	[VERB_RETRACT] = "retract",
	[VERB_LOOK] = "look",
	[VERB_SETTLE] = "settle",
	[VERB_PAUSE] = "pause",
	[VERB_UNPAUSE] = "unpause",
	[VERB_RESUME] = "resume",
	[VERB_KEEP_BOOKS] = "keep-books",
	[VERB_WAKE_AGENT] = "wake-agent",
};

/* "resume:3" */
static int take_failure(struct simulator *simulator, const char *word)
{
	const char *colon = strchr(word, ':');
	uint64_t call;

	if (!colon || parse_u64(colon + 1, UINT32_MAX, &call) < 0 || call == 0)
		return -EINVAL;
	for (size_t i = 0; i < SIM_VERBS; i++) {
		if (strncmp(word, verb_names[i], (size_t)(colon - word)) != 0 ||
		    verb_names[i][colon - word] != '\0')
			continue;
		simulator->fails_at[i] = call;
		return 0;
	}
	return -EINVAL;
}

static int take_failures(struct simulator *simulator, const char *value,
			 struct error *error)
{
	_cleanup_(freep) char *words = strdup(value);
	char *rest = words, *word;

	if (!words)
		return error_set(error, -ENOMEM, "out of memory");
	while ((word = strsep(&rest, " ,")))
		if (word[0] && take_failure(simulator, word) < 0)
			return error_set(error, -EINVAL,
					 "'%s' is no VERB:NUMBER such as "
					 "resume:3",
					 word);
	return 0;
}

static int take_host_key(struct simulator *simulator, const char *key,
			 const char *value, struct error *error)
{
	if (strcmp(key, "S3") == 0) {
		simulator->offers_s3 = strcmp(value, "no") != 0;
		simulator->refuses_s3 = strcmp(value, "refuse") == 0;
		if (strcmp(value, "yes") == 0 || strcmp(value, "no") == 0 ||
		    simulator->refuses_s3)
			return 0;
		return error_set(error, -EINVAL,
				 "'%s' is none of: yes, no, refuse", value);
	}
	if (strcmp(key, "Fail") == 0)
		return take_failures(simulator, value, error);
	if (strcmp(key, "SleepTime") == 0 &&
	    parse_duration(value, &simulator->sleep_us) == 0)
		return 0;
	return error_set(error, -EINVAL, "unknown key or bad value '%s'",
			 value);
}

/* Appends a guest with the defaults of one that behaves. */
static struct sim_guest *new_guest(struct simulator *simulator)
{
	struct sim_guest *guests = simulator->guests;
	size_t n = simulator->n_guests;

	if (n == SIMULATED_GUESTS_MAX)
		return NULL;
	if ((n & (n - 1)) == 0) {
		guests = reallocarray(guests, n ? n * 2 : 1, sizeof(*guests));
		if (!guests)
			return NULL;
		simulator->guests = guests;
	}
	guests[n] = (struct sim_guest){
		.facts.domid = (uint32_t)n + 1,
		.facts.feature_suspend = GUEST_FEATURE_YES,
		.facts.has_pv_drivers = true,
		.quiesce_us = 20000,
		.suspend_us = 30000,
		.resume_us = 4000,
		.ready_us = 2000000,
		.late_us = 15000000,
		.has_record = true,
		.stub_for = SIZE_MAX,
	};
	simulator->n_guests++;
	return &guests[n];
}

/*
 * A UUID that follows from the name, so that the order of ties is the same in
 * every run (FNV-1a, twice).
 */
static void give_uuid(struct guest *facts)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (int half = 0; half < 2; half++) {
		for (const char *c = facts->name; *c; c++)
			hash = (hash ^ (unsigned char)*c) * 0x100000001b3ull;
		memcpy(facts->uuid + half * 8, &hash, sizeof(hash));
	}
}

/* The last one first: keys follow their section. */
static struct sim_guest *find_guest(struct simulator *simulator,
				    const char *name)
{
	for (size_t i = simulator->n_guests; i-- > 0;)
		if (strcmp(simulator->guests[i].facts.name, name) == 0)
			return &simulator->guests[i];
	return NULL;
}

static struct sim_guest *guest_of_section(struct simulator *simulator,
					  const char *name)
{
	struct sim_guest *guest = find_guest(simulator, name);

	if (guest)
		return guest;
	guest = new_guest(simulator);
	if (guest) {
		snprintf(guest->facts.name, sizeof(guest->facts.name), "%s",
			 name);
		give_uuid(&guest->facts);
	}
	return guest;
}

/* NAME out of: Guest "NAME". */
static bool guest_name(const char *section, char ret[static 64])
{
	char end;

	return sscanf(section, "Guest \"%63[^\"]%c", ret, &end) == 2 &&
	       end == '"';
}

static int take_section(void *data, const struct ini_position *position,
			const char *section, struct error *error)
{
	struct scenario *scenario = data;
	char name[64];

	(void)position;
	if (strcmp(section, "Host") == 0)
		return 0;
	if (!guest_name(section, name))
		return error_set(error, -EINVAL,
				 "is neither [Host] nor [Guest \"name\"]");
	if (!guest_of_section(scenario->simulator, name))
		return error_set(error, -E2BIG, "too many guests");
	return 0;
}

static int take_key(void *data, const struct ini_position *position,
		    const char *section, const char *key, const char *value,
		    struct error *error)
{
	struct scenario *scenario = data;
	char name[64];

	(void)position;
	if (strcmp(section, "Host") == 0)
		return take_host_key(scenario->simulator, key, value, error);
	/* A bad section has been reported at its header. */
	if (!guest_name(section, name))
		return 0;
	return take_guest_key(guest_of_section(scenario->simulator, name), key,
			      value, error);
}

static void collect_problem(void *data, const char *problem)
{
	struct scenario *scenario = data;
	char *problems;

	if (asprintf(&problems, "%s%s%s",
		     scenario->problems ? scenario->problems : "",
		     scenario->problems ? "\n" : "", problem) < 0)
		return;
	free(scenario->problems);
	scenario->problems = problems;
}

static char *copy_text(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* Count=3 of "app" makes app1, app2, app3. */
static int make_copies(struct simulator *simulator)
{
	size_t n = simulator->n_guests;

	for (size_t i = 0; i < n; i++) {
		uint64_t count = simulator->guests[i].count;

		for (uint64_t copy = 2; copy <= count; copy++) {
			struct sim_guest *guest = new_guest(simulator);
			struct sim_guest *first = &simulator->guests[i];
			uint32_t domid;

			if (!guest)
				return -ENOMEM;
			domid = guest->facts.domid;
			*guest = *first;
			guest->facts.domid = domid;
			guest->needs_names = copy_text(first->needs_names);
			guest->claims_names = copy_text(first->claims_names);
			guest->stub_for_name = NULL;
			if (snprintf(guest->facts.name,
				     sizeof(guest->facts.name),
				     "%.100s%" PRIu64, first->facts.name,
				     copy) < 0)
				return -EINVAL;
			give_uuid(&guest->facts);
		}
		if (count > 0) {
			strcat(simulator->guests[i].facts.name, "1");
			give_uuid(&simulator->guests[i].facts);
		}
	}
	return 0;
}

/* ---- names become guests ------------------------------------------------ */

/* The guests' indices, sorted by name: there may be thousands. */
struct names {
	const struct simulator *simulator;
	size_t *sorted;
};

static int compare_names(const void *a, const void *b, void *data)
{
	const struct simulator *simulator = data;

	return strcmp(simulator->guests[*(const size_t *)a].facts.name,
		      simulator->guests[*(const size_t *)b].facts.name);
}

static int names_init(const struct simulator *simulator, struct names *ret)
{
	size_t *sorted = calloc(simulator->n_guests + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < simulator->n_guests; i++)
		sorted[i] = i;
	qsort_r(sorted, simulator->n_guests, sizeof(*sorted), compare_names,
		(void *)simulator);
	*ret = (struct names){ .simulator = simulator, .sorted = sorted };
	return 0;
}

/* The index of the guest, or SIZE_MAX. */
static size_t names_find(const struct names *names, const char *name)
{
	size_t low = 0, high = names->simulator->n_guests;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		size_t i = names->sorted[middle];
		int order =
			strcmp(names->simulator->guests[i].facts.name, name);

		if (order == 0)
			return i;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return SIZE_MAX;
}

static int add_sim_link(struct sim_links *links, size_t guest)
{
	size_t *guests = reallocarray(links->guests, links->n_guests + 1,
				      sizeof(*guests));

	if (!guests)
		return -ENOMEM;
	links->guests = guests;
	guests[links->n_guests++] = guest;
	return 0;
}

/* `words` is cut up. On -ENOENT *ret_missing is the name that is not there. */
static int resolve_list(const struct names *names, char *words,
			struct sim_links *links, const char **ret_missing)
{
	char *rest = words, *name;
	int r = 0;

	while (r == 0 && rest && (name = strsep(&rest, " ,"))) {
		size_t found;

		if (!name[0])
			continue;
		found = names_find(names, name);
		if (found == SIZE_MAX) {
			*ret_missing = name;
			return -ENOENT;
		}
		r = add_sim_link(links, found);
	}
	return r;
}

static int resolve_guest(const struct names *names, struct sim_guest *guest,
			 const char *path, struct error *error)
{
	const char *missing = guest->stub_for_name;
	int r = resolve_list(names, guest->needs_names, &guest->needs,
			     &missing);

	if (r == 0)
		r = resolve_list(names, guest->claims_names, &guest->claims,
				 &missing);
	if (r == 0 && guest->stub_for_name) {
		guest->stub_for = names_find(names, guest->stub_for_name);
		r = guest->stub_for == SIZE_MAX ? -ENOENT : 0;
	}
	if (r == -ENOENT)
		return error_set(error, -EBADMSG,
				 "%s: guest '%s' names '%s', which the "
				 "scenario lacks",
				 path, guest->facts.name, missing);
	return r;
}

static int resolve_names(struct simulator *simulator, const char *path,
			 struct error *error)
{
	struct names names;
	int r = names_init(simulator, &names);

	if (r < 0)
		return r;
	for (size_t i = 0; i < simulator->n_guests && r == 0; i++)
		r = resolve_guest(&names, &simulator->guests[i], path, error);
	free(names.sorted);
	return r;
}

int scenario_load(struct simulator *simulator, const char *path,
		  struct error *error)
{
	struct scenario scenario = { .simulator = simulator };
	int r = ini_file_parse_sections(path, take_section, take_key,
					collect_problem, &scenario, error);

	if (r == -ENOENT)
		error_set(error, r, "there is no scenario %s", path);
	if (r == -EBADMSG)
		error_set(error, r, "%s", scenario.problems);
	free(scenario.problems);
	if (r == 0)
		r = make_copies(simulator);
	return r < 0 ? r : resolve_names(simulator, path, error);
}

void scenario_done(struct simulator *simulator)
{
	for (size_t i = 0; i < simulator->n_guests; i++) {
		struct sim_guest *guest = &simulator->guests[i];

		free(guest->needs_names);
		free(guest->claims_names);
		free(guest->stub_for_name);
		free(guest->needs.guests);
		free(guest->claims.guests);
	}
	free(simulator->guests);
}
