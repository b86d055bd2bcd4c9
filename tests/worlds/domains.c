/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/domains.h"

#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"

/* ---- configuration ------------------------------------------------------ */

/* Whether the line begins the section of this guest; -1: [Coordinator]. */
static bool is_section_of(const struct world *world, const char *line, int guest)
{
	char header[64];

	if (guest < 0)
		return strcmp(line, "[Coordinator]") == 0;
	snprintf(header, sizeof(header), "[Guest \"%s\"]", world->guests[guest].name);
	return strcmp(line, header) == 0;
}

const char *world_config_get(const struct world *world, int guest, const char *key)
{
	const char *found = "";
	bool inside = false;

	for (size_t i = 0; i < world->n_config; i++) {
		const char *line = world->config[i];
		size_t length = strlen(key);

		if (line[0] == '[')
			inside = is_section_of(world, line, guest);
		else if (inside && strncmp(line, key, length) == 0 && line[length] == '=')
			found = line + length + 1;
	}
	return found;
}

bool world_config_has(const struct world *world, const char *key, const char *value)
{
	char line[WORLD_TEXT_MAX];

	snprintf(line, sizeof(line), "%s=%s", key, value);
	for (size_t i = 0; i < world->n_config; i++)
		if (strcmp(world->config[i], line) == 0)
			return true;
	return false;
}

static bool is_one_of(const char *value, const char *words)
{
	const char *word;
	size_t length;

	while ((length = world_next_word(&words, &word)))
		if (strlen(value) == length && strncmp(word, value, length) == 0)
			return true;
	return false;
}

static bool is_number(const char *value)
{
	return value[0] && value[strspn(value, "0123456789")] == '\0';
}

/* Unknown keys only warn, so they are not bad. */
bool world_config_line_is_bad(const char *line)
{
	const char *value = strchr(line, '=');
	char key[WORLD_TEXT_MAX];
	uint64_t us;

	if (line[0] == '[')
		return strcmp(line, "[Guest web]") == 0;
	if (!value || value == line)
		return true;
	snprintf(key, sizeof(key), "%.*s", (int)(value - line), line);
	value++;
	if (is_one_of(key, "Deadline GuestTimeout ReadyTimeout Timeout"))
		return !world_parse_duration(value, &us);
	if (is_one_of(key, "OnFailure OnDeadline"))
		return !is_one_of(value, "pause abort");
	if (strcmp(key, "Policy") == 0)
		return !is_one_of(value, "suspend pause ignore");
	return strcmp(key, "KeepReports") == 0 && !is_number(value);
}

static enum policy find_policy(const struct world *world, int guest)
{
	const char *value = world_config_get(world, guest, "Policy");

	if (strcmp(value, "ignore") == 0)
		return POLICY_IGNORES;
	return strcmp(value, "") == 0 || strcmp(value, "suspend") == 0 ? POLICY_SUSPENDS
								       : POLICY_PAUSES;
}

/* ---- who needs whom ----------------------------------------------------- */

/* Calls for each guest in the value of a key: "vbd:g1 g2". */
static void for_each_link(struct domains *domains, size_t from, const char *key,
			  void (*take)(struct domains *domains, size_t from, size_t to))
{
	const char *rest = settings_get(&domains->world->guests[from].settings, key), *word;
	size_t length;

	while ((length = world_next_word(&rest, &word))) {
		const char *colon = memchr(word, ':', length);
		const char *name = colon ? colon + 1 : word;
		int to = world_find_guest(domains->world, name, length - (size_t)(name - word));

		if (to >= 0 && (size_t)to != from)
			take(domains, from, (size_t)to);
	}
}

static void take_needed(struct domains *domains, size_t from, size_t to)
{
	domains->needs[from][to] = true;
}

static void take_served(struct domains *domains, size_t from, size_t to)
{
	domains->needs[to][from] = true;
}

/* A claim counts if the other end claims the same. */
static void take_claim(struct domains *domains, size_t from, size_t to)
{
	const struct world *world = domains->world;
	const char *served = settings_get(&world->guests[to].settings, "ClaimsToServe");

	if (strcmp(served, world->guests[from].name) == 0)
		domains->needs[from][to] = true;
}

static void take_configured(struct domains *domains, size_t guest)
{
	const char *name = world_config_get(domains->world, (int)guest, "SuspendBefore");
	int to = world_find_guest(domains->world, name, strlen(name));

	if (to >= 0 && (size_t)to != guest)
		domains->needs[guest][to] = true;
}

/* Leaves out the links between guests that need each other, directly or through others. */
static void leave_out_loops(struct domains *domains)
{
	bool reach[WORLD_GUESTS_MAX][WORLD_GUESTS_MAX];
	size_t n = domains->world->n_guests;

	memcpy(reach, domains->needs, sizeof(reach));
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n; j++)
				reach[i][j] |= reach[i][k] && reach[k][j];
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			domains->needs[i][j] &= !reach[j][i];
}

/* ---- states ------------------------------------------------------------- */

static void init_domain(const struct settings *settings, struct domain *domain)
{
	const char *state = settings_get(settings, "State");

	*domain = (struct domain){
		.exists = !settings_get(settings, "AppearsAfter")[0],
		.ended = is_one_of(state, "shut-down dying"),
		.in_acpi_s3 = strcmp(state, "acpi-s3") == 0,
		.is_leaving = is_one_of(state, "shutting-down rebooting"),
		.is_saved = is_one_of(state, "saving migrating"),
		.being_built = strcmp(state, "being-built") == 0,
		.suspended =
			strcmp(state, "suspended") == 0 ? SUSPENDED_BY_OTHERS : SUSPENDED_BY_NONE,
		.user_pauses = strcmp(state, "paused") == 0,
	};
}

void domains_init(struct domains *domains, const struct world *world)
{
	*domains = (struct domains){ .world = world };
	for (size_t i = 0; i < world->n_guests; i++) {
		init_domain(&world->guests[i].settings, &domains->domains[i]);
		domains->policies[i] = find_policy(world, (int)i);
		for_each_link(domains, i, "Needs", take_needed);
		for_each_link(domains, i, "StubFor", take_served);
		for_each_link(domains, i, "Claims", take_claim);
		take_configured(domains, i);
	}
	memcpy(domains->linked, domains->needs, sizeof(domains->linked));
	leave_out_loops(domains);
}

void domains_begin_step(struct domains *domains, size_t step)
{
	domains->step = step;
	for (size_t i = 0; i < domains->world->n_guests; i++) {
		struct domain *domain = &domains->domains[i];

		domain->was_saved = domain->is_saved;
		domain->was_being_built = domain->slept_unheld = false;
		domain->was_suspended = false;
		domain->was_requested = domain->was_paused = domain->was_resumed = false;
		domain->was_quiesced = domain->was_restored = false;
		domain->has_come = domain->has_died = domain->has_appeared = domain->ran_through =
			false;
		domain->pause_failed = domain->resume_failed = domain->retract_failed = false;
	}
	domains->slept = domains->sleep_refused = domains->was_undone = false;
	domains->first_touch_us = domains->cycle_touch_us = domains->sleep_us = 0;
}

bool domain_runs(const struct domain *domain)
{
	return domain->exists && !domain->ended && !domain->in_acpi_s3 &&
	       domain->suspended == SUSPENDED_BY_NONE && domain->our_pauses == 0 &&
	       domain->user_pauses == 0 && !domain->being_built;
}

bool domain_is_held(const struct domain *domain)
{
	return domain->exists && !domain->ended &&
	       (domain->suspended == SUSPENDED_BY_US || domain->our_pauses > 0);
}

static void end_domain(struct domain *domain)
{
	domain->exists = domain->is_kept = false;
	domain->our_pauses = domain->user_pauses = 0;
	domain->suspended = SUSPENDED_BY_NONE;
	domain->request_stands = domain->may_suspend = false;
}

static void begin_domain(struct domain *domain)
{
	end_domain(domain);
	domain->exists = true;
	domain->ended = domain->is_leaving = domain->is_saved = domain->in_acpi_s3 = false;
	domain->being_built = false;
}

/* A guest that runs again when a cycle suspends it was resumed by another attempt. */
static void forget_failure(struct domain *domain)
{
	domain->resume_failed &= domain_is_held(domain);
}

static void apply_verb(struct domain *domain, enum happening_type type)
{
	switch (type) {
	case HAPPENS_REQUESTED:
		/* A new cycle: what the step has recovered before counts no more. */
		domain->was_quiesced &= !domain->was_resumed;
		domain->was_restored &= !domain->was_resumed;
		domain->was_resumed = false;
		domain->was_requested = true;
		domain->request_stands = domain->exists;
		forget_failure(domain);
		break;
	case HAPPENS_RETRACTED:
		domain->request_stands = domain->may_suspend = false;
		break;
	case HAPPENS_PAUSED:
		domain->was_paused = true;
		domain->was_being_built |= domain->being_built;
		forget_failure(domain);
		domain->our_pauses++;
		break;
	case HAPPENS_UNPAUSED:
		domain->was_resumed = true;
		domain->our_pauses -= domain->our_pauses > 0;
		domain->is_kept &= domain_is_held(domain);
		break;
	case HAPPENS_RESUMED:
		domain->was_resumed = true;
		domain->suspended = SUSPENDED_BY_NONE;
		domain->is_kept &= domain_is_held(domain);
		break;
	case HAPPENS_PAUSE_FAILED:
		domain->pause_failed = true;
		break;
	case HAPPENS_UNPAUSE_FAILED:
	case HAPPENS_RESUME_FAILED:
		domain->resume_failed = true;
		break;
	case HAPPENS_RETRACT_FAILED:
		domain->retract_failed = true;
		break;
	default:
		break;
	}
}

/* `is_around`: pmcoord has begun to suspend guests in this step. */
static void apply_own(struct domain *domain, const struct happening *happening, bool is_around)
{
	switch (happening->type) {
	case HAPPENS_ACKNOWLEDGED:
		domain->request_stands = false;
		domain->may_suspend = true;
		break;
	case HAPPENS_QUIESCED:
		domain->was_quiesced = true;
		break;
	case HAPPENS_RESTORED:
		domain->was_restored = true;
		break;
	case HAPPENS_SUSPENDED:
		domain->suspended = SUSPENDED_BY_US;
		domain->is_late = !domain->was_requested || domain->was_resumed;
		domain->suspended_us = happening->at_us;
		domain->was_suspended = true;
		domain->request_stands = domain->may_suspend = false;
		break;
	case HAPPENS_SAVED:
		domain->suspended = SUSPENDED_BY_OTHERS;
		break;
	case HAPPENS_DIED:
	case HAPPENS_GONE:
		domain->has_died =
			is_around && !domain->ended && !domain->is_leaving && !domain->is_saved;
		/* Nobody can have seen a domain that ends in the moment in which it appears. */
		if (domain->has_appeared && happening->at_us == domain->appeared_us)
			domain->has_died = domain->has_appeared = false;
		end_domain(domain);
		break;
	case HAPPENS_REBOOTED:
		domain->has_come = true;
		domain->has_appeared = is_around;
		domain->appeared_us = happening->at_us;
		begin_domain(domain);
		break;
	case HAPPENS_APPEARED:
		domain->has_come = domain->exists = true;
		domain->has_appeared = is_around;
		domain->appeared_us = happening->at_us;
		domain->ended = false;
		domain->suspended = SUSPENDED_BY_NONE;
		break;
	case HAPPENS_CREATED:
		domain->has_come = true;
		domain->has_appeared = is_around;
		domain->appeared_us = happening->at_us;
		begin_domain(domain);
		domain->being_built = true;
		break;
	case HAPPENS_BUILT:
		domain->being_built = false;
		break;
	case HAPPENS_USER_PAUSED:
		domain->user_pauses++;
		break;
	case HAPPENS_LEAVES:
		domain->is_leaving = true;
		break;
	case HAPPENS_SAVE_BEGINS:
		domain->is_saved = domain->was_saved = true;
		domain->is_forced = false;
		break;
	case HAPPENS_SAVE_ENDS:
		domain->is_saved = false;
		domain->suspended = SUSPENDED_BY_NONE;
		break;
	default:
		break;
	}
}

static void apply_to_host(struct domains *domains, const struct happening *happening)
{
	if (happening->type == HAPPENS_SLEEP_REFUSED)
		domains->sleep_refused = true;
	if (happening->type != HAPPENS_SLEEP)
		return;
	if (domains->sleep_us == 0)
		domains->sleep_us = happening->at_us;
	domains->slept = true;
	for (size_t i = 0; i < domains->world->n_guests; i++) {
		struct domain *domain = &domains->domains[i];

		domain->ran_through |= domain_runs(domain);
		if (!domain->exists || domain->ended || !domain->being_built)
			continue;
		domain->was_being_built = true;
		domain->slept_unheld |= domain->our_pauses == 0;
	}
}

void domains_apply(struct domains *domains, const struct happening *happening)
{
	struct domain *domain;

	if (happening->guest < 0) {
		apply_to_host(domains, happening);
		return;
	}
	domain = &domains->domains[happening->guest];
	/* Its saver has seen it suspend, and waits for no other suspension. */
	if (happening->type == HAPPENS_RESUMED && domain->suspended == SUSPENDED_BY_OTHERS &&
	    step_has(&domains->world->steps[domains->step], "--force")) {
		domain->is_forced = true;
		domain->is_saved = false;
	}
	apply_verb(domain, happening->type);
	apply_own(domain, happening, domains->first_touch_us > 0 || domains->slept);
	domains->was_undone |= domain->was_resumed && !domains->slept;
	if (happening->type == HAPPENS_RESUMED || happening->type == HAPPENS_UNPAUSED)
		domains->cycle_touch_us = 0;
	if (happening->type != HAPPENS_REQUESTED && happening->type != HAPPENS_PAUSED)
		return;
	domain->touched_in = domains->step;
	/* It ran until now, so nobody keeps it suspended. */
	domain->is_kept = false;
	if (domains->first_touch_us == 0)
		domains->first_touch_us = happening->at_us;
	if (domains->cycle_touch_us == 0)
		domains->cycle_touch_us = happening->at_us;
}
