/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/double-host.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "tests/fakexen/agents.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/fakexen.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/observer.h"
#include "tests/fakexen/store-client.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/toolstacks.h"
#include "tests/fakexen/virtual-time.h"

/* In which guests boot and agents get ready, before a world begins. */
#define BOOT_US 2000000
#define SLEEP_US 3600000000ull
#define LEAVE_US 1000000
#define SAVES_MAX 16

#define PLANNED_MAX (8 * WORLD_GUESTS_MAX)

/* What others do to a guest at a moment of its own. */
struct intervention {
	const char *key;
	void (*make)(size_t guest);
};

/* One of the world, which waits for its moment. */
struct planned {
	size_t guest;
	const struct intervention *intervention;
};

static struct {
	const struct world *world;
	struct history *history;
	bool is_observed; /* the world has begun */
	bool command_runs;
	bool was_touched; /* a request or a pause was made: StoreLostAfter= and others count */
	bool has_failed; /* the log does not fit into memory */
	unsigned int n_devices;
	struct guest {
		struct fake_agent *agent;
		uint32_t agent_port, agent_domid; /* of the agent's domain */
		bool is_requested; /* by pmcoord, and not acknowledged */
		bool is_suspending; /* has acknowledged, and has not suspended yet */
		bool is_saved;
		bool has_been; /* a domain of this name was there before */
		bool being_built; /* its toolstack has not unpaused it yet */
		char sent[40]; /* the request for which the agent was notified */
	} guests[WORLD_GUESTS_MAX];
	struct {
		const struct fake_save *save; /* NULL: it was broken, and that is in the log */
		size_t guest;
	} saves[SAVES_MAX];
	size_t n_saves;
	struct planned planned[PLANNED_MAX];
	size_t n_planned;
	char domid_texts[WORLD_GUESTS_MAX][12];
	char functions[WORLD_GUESTS_MAX + 1][48];
	size_t n_functions;
} host;

static const struct settings *settings_of(size_t guest)
{
	return &host.world->guests[guest].settings;
}

static bool is_set(size_t guest, const char *key, const char *value)
{
	return strcmp(settings_get(settings_of(guest), key), value) == 0;
}

/* Returns the value of a key, or `otherwise` if it is not given. */
static uint64_t duration_of(const struct settings *settings, const char *key, uint64_t otherwise)
{
	world_parse_duration(settings_get(settings, key), &otherwise);
	return otherwise;
}

/* The guest's domain that is there now; NULL: none. */
static struct fake_guest *find(size_t guest)
{
	return toolstack_find(host.world->guests[guest].name);
}

static int index_of(uint32_t domid)
{
	struct fake_guest *guest = fake_guest_find(domid);
	const char *name = guest ? fake_guest_params(guest)->name : "";

	return world_find_guest(host.world, name, strlen(name));
}

/* ---- the log ------------------------------------------------------------ */

static void log_happening(enum happening_type type, int guest)
{
	struct history *history = host.history;

	if (array_grow(&history->happenings, history->n_happenings, sizeof(*history->happenings)) <
	    0) {
		host.has_failed = true;
		return;
	}
	history->happenings[history->n_happenings++] = (struct happening){
		.at_us = virtual_time_now(),
		.type = type,
		.guest = guest,
	};
}

static bool is_ours(void)
{
	return host.command_runs && !virtual_time_is_in_handler();
}

static void begin_interventions(void *data);

/* A save whose guest did not answer was given up, and that changes no domain. */
static void log_failed_saves(int guest)
{
	for (size_t i = 0; i < host.n_saves; i++) {
		if ((int)host.saves[i].guest != guest || !host.saves[i].save ||
		    !host.saves[i].save->has_failed || !host.guests[guest].is_saved)
			continue;
		host.guests[guest].is_saved = false;
		log_happening(HAPPENS_SAVE_ENDS, guest);
	}
}

static void log_touch(enum happening_type type, int guest)
{
	log_failed_saves(guest);
	log_happening(type, guest);
	if (!host.was_touched)
		virtual_time_after(0, begin_interventions, NULL);
	host.was_touched = true;
}

static void log_request(int guest)
{
	host.guests[guest].is_requested = true;
	log_touch(HAPPENS_REQUESTED, guest);
}

static void log_retraction(int guest)
{
	if (host.guests[guest].is_requested)
		log_happening(HAPPENS_RETRACTED, guest);
	host.guests[guest].is_requested = false;
}

static bool is_request(const char *text)
{
	return text && strcmp(text, "suspend") == 0;
}

static void observe_shutdown_node(int guest, const struct observed *observed)
{
	if (is_ours() && is_request(observed->after)) {
		log_request(guest);
	} else if (is_ours() && is_request(observed->before)) {
		log_retraction(guest);
	} else if (is_request(observed->before) && host.guests[guest].is_requested) {
		host.guests[guest].is_requested = false;
		host.guests[guest].is_suspending = true;
		log_happening(HAPPENS_ACKNOWLEDGED, guest);
	}
}

static void observe_agent_state(int guest, const char *state)
{
	if (strncmp(state, "quiesced ", 9) == 0)
		log_happening(HAPPENS_QUIESCED, guest);
	else if (strncmp(state, "ready ", 6) == 0 || strncmp(state, "degraded ", 9) == 0)
		log_happening(HAPPENS_RESTORED, guest);
	else if (strncmp(state, "failed ", 7) == 0)
		log_happening(HAPPENS_REFUSED, guest);
}

static void observe_node(int guest, const struct observed *observed)
{
	if (strcmp(observed->node, "control/shutdown") == 0)
		observe_shutdown_node(guest, observed);
	else if (strcmp(observed->node, "pmcoord/request") == 0 && observed->after &&
		 strncmp(observed->after, "abort ", 6) == 0)
		log_retraction(guest);
	else if (strcmp(observed->node, "data/pmcoord/state") == 0 && observed->after)
		observe_agent_state(guest, observed->after);
}

/* An event makes an agent look. It is a request if the agent finds one that is new. */
static void observe_notification(int guest, const struct observed *observed)
{
	struct guest *self = &host.guests[guest];
	char path[64];
	const char *request;

	if (observed->port != self->agent_port || observed->domid != self->agent_domid) {
		if (is_set((size_t)guest, "KernelEventChannel", "yes"))
			log_request(guest);
		return;
	}
	snprintf(path, sizeof(path), "/local/domain/%u/pmcoord/request", observed->domid);
	request = store_text(path);
	if (!request || strncmp(request, "suspend ", 8) != 0 || strcmp(request, self->sent) == 0)
		return;
	snprintf(self->sent, sizeof(self->sent), "%s", request);
	log_request(guest);
}

static void observe_suspension(int guest)
{
	struct guest *self = &host.guests[guest];

	/* A hypercall of dom0 is a request, too. */
	if (is_ours())
		log_request(guest);
	self->is_suspending = false;
	log_happening(self->is_saved ? HAPPENS_SAVED : HAPPENS_SUSPENDED, guest);
	/* A request of ours that others were faster than is still there. */
	self->is_requested &= self->is_saved;
}

static void observe_failure(int guest, const char *function)
{
	static const struct {
		const char *function;
		enum happening_type type;
	} verbs[] = {
		{ "xencall1", HAPPENS_RESUME_FAILED },
		{ "xc_vcpu_setcontext", HAPPENS_RESUME_FAILED },
		{ "xc_domain_pause", HAPPENS_PAUSE_FAILED },
		{ "xc_domain_unpause", HAPPENS_UNPAUSE_FAILED },
	};

	for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
		if (strcmp(verbs[i].function, function) == 0)
			log_happening(verbs[i].type, guest);
}

static void add_devices(void *data);

/* Its toolstack has unpaused it. If pmcoord holds it, it does not run yet. */
static void observe_built(int guest)
{
	host.guests[guest].being_built = false;
	log_happening(HAPPENS_BUILT, guest);
}

static void observe_begin(int guest)
{
	struct guest *self = &host.guests[guest];

	log_happening(self->has_been ? HAPPENS_REBOOTED : HAPPENS_APPEARED, guest);
	self->has_been = true;
	self->is_saved = self->is_requested = self->is_suspending = false;
	virtual_time_after(0, add_devices, &host.guests[guest]);
}

static void observe_unpause(int guest, enum observed_type type)
{
	if (is_ours() || (type == OBSERVED_UNPAUSED && !host.guests[guest].being_built))
		log_happening(HAPPENS_UNPAUSED, guest);
	else if (host.guests[guest].being_built)
		observe_built(guest);
	else
		observe_begin(guest);
}

static void observe_resume(int guest)
{
	/* A guest whose save was given up is nobody's. */
	log_failed_saves(guest);
	/* What suspends it next is not this save: that has seen it suspend. */
	host.guests[guest].is_saved = false;
	log_happening(is_ours() ? HAPPENS_RESUMED : HAPPENS_SAVE_ENDS, guest);
}

static void observe(const struct observed *observed)
{
	int guest = index_of(observed->domid);

	if (guest < 0 || !host.is_observed)
		return;
	switch (observed->type) {
	case OBSERVED_BEGAN:
	case OBSERVED_UNPAUSED:
		observe_unpause(guest, observed->type);
		break;
	case OBSERVED_PAUSED:
		if (is_ours())
			log_touch(HAPPENS_PAUSED, guest);
		else
			log_happening(HAPPENS_USER_PAUSED, guest);
		break;
	case OBSERVED_SUSPENDED:
		observe_suspension(guest);
		break;
	case OBSERVED_SHUT_DOWN:
		log_happening(HAPPENS_DIED, guest);
		break;
	case OBSERVED_RESUMED:
		observe_resume(guest);
		break;
	case OBSERVED_ENDED:
		log_happening(HAPPENS_GONE, guest);
		break;
	case OBSERVED_NOTIFIED:
		if (is_ours())
			observe_notification(guest, observed);
		break;
	case OBSERVED_NODE:
		observe_node(guest, observed);
		break;
	case OBSERVED_CALL_FAILED:
		observe_failure(guest, observed->function);
		break;
	}
}

/* ---- guests ------------------------------------------------------------- */

static enum guest_answer answer_of(size_t guest)
{
	static const struct {
		const char *word;
		enum guest_answer answer;
	} answers[] = {
		{ "removes", ANSWER_REMOVES }, { "only-clears", ANSWER_ONLY_CLEARS },
		{ "never", ANSWER_NEVER },     { "nonsense", ANSWER_NONSENSE },
		{ "refuses", ANSWER_REFUSES },
	};

	for (size_t i = 0; i < ELEMENTSOF(answers); i++)
		if (is_set(guest, "Answer", answers[i].word))
			return answers[i].answer;
	return ANSWER_CLEARS;
}

static enum agent_conduct conduct_of(size_t guest)
{
	static const struct {
		const char *word;
		enum agent_conduct conduct;
	} conducts[] = {
		{ "refuses", AGENT_FAILS },
		{ "agent-hangs", AGENT_HANGS },
		{ "agent-is-dead", AGENT_IS_DEAD },
		{ "agent-lies", AGENT_LIES },
		{ "comes-back-degraded", AGENT_LOSES_DEVICES },
	};

	for (size_t i = 0; i < ELEMENTSOF(conducts); i++)
		if (is_set(guest, "Behaviour", conducts[i].word))
			return conducts[i].conduct;
	return AGENT_WORKS;
}

static const char *feature_of(size_t guest)
{
	if (is_set(guest, "FeatureSuspend", "no"))
		return "0";
	return is_set(guest, "FeatureSuspend", "unknown") ? "" : NULL;
}

static struct fake_guest_params params_of(size_t guest)
{
	const struct settings *settings = settings_of(guest);

	return (struct fake_guest_params){
		.name = host.world->guests[guest].name,
		.kind = is_set(guest, "Type", "hvm")   ? DOMAIN_HVM
			: is_set(guest, "Type", "pvh") ? DOMAIN_PVH
						       : DOMAIN_PV,
		.answer = answer_of(guest),
		.boot_us = is_set(guest, "State", "booting")
				   ? BOOT_US + duration_of(settings, "BootTime", BOOT_US)
				   : 0,
		.acknowledge_us = duration_of(settings, "AcknowledgeTime", 0),
		.suspend_us = duration_of(settings, "SuspendTime", 0),
		.shut_down_us = duration_of(settings, "LeaveTime", LEAVE_US),
		.feature = feature_of(guest),
		.without_record = is_set(guest, "ToolstackRecord", "no"),
		.has_channel = is_set(guest, "KernelEventChannel", "yes"),
		.without_drivers = is_set(guest, "PVDrivers", "no"),
		.still_built = is_set(guest, "State", "being-built"),
	};
}

static void start_agent(size_t guest, struct fake_guest *fake)
{
	const struct settings *settings = settings_of(guest);
	struct guest *self = &host.guests[guest];

	if (!is_set(guest, "Agent", "yes"))
		return;
	self->agent = fake_agent_start(fake, conduct_of(guest));
	fake_agent_set_times(self->agent, duration_of(settings, "QuiesceTime", 20000),
			     duration_of(settings, "ReadyTime", 2000000));
	self->agent_port = fake_agent_port(self->agent);
	self->agent_domid = fake_guest_domid(fake);
}

static void spoil_shutdown_node(size_t guest, const struct fake_guest *fake)
{
	const char *path = fake_guest_path(fake, "control/shutdown");

	/* A node that dom0 has written anew has its parent's permissions. */
	if (is_set(guest, "ShutdownNode", "unwritable"))
		store_own(path, 0, XS_PERM_NONE, fake_guest_domid(fake));
	else if (is_set(guest, "ShutdownNode", "missing"))
		store_remove_as(0, path);
}

/* An observer sees a domain only when it begins to run. */
static void observe_creation(size_t guest)
{
	struct guest *self = &host.guests[guest];

	log_happening(HAPPENS_CREATED, (int)guest);
	self->is_saved = self->is_requested = false;
	virtual_time_after(0, add_devices, self);
}

static void build(size_t guest)
{
	struct fake_guest_params params = params_of(guest);
	struct fake_guest *fake = fake_guest_build(&params);

	for (uint64_t n = strtoull(settings_get(settings_of(guest), "PCIFunctions"), NULL, 10);
	     n > 0; n--)
		fake_guest_add_pci(fake, "0000:03:00.0");
	start_agent(guest, fake);
	spoil_shutdown_node(guest, fake);
	host.guests[guest].being_built = params.still_built;
	if (params.still_built && host.is_observed)
		observe_creation(guest);
	host.guests[guest].has_been = true;
}

/* Adds the devices of `from` whose backends run in `to`, if both are there. */
static void connect_guests(size_t from, size_t to)
{
	const char *rest = settings_get(settings_of(from), "Needs"), *word;
	struct fake_guest *frontend = find(from), *backend = find(to);
	size_t length;

	while (frontend && backend && (length = world_next_word(&rest, &word))) {
		const char *colon = memchr(word, ':', length);
		const char *name = colon ? colon + 1 : word;

		if (world_find_guest(host.world, name, length - (size_t)(name - word)) == (int)to)
			fake_guest_add_device(frontend, fake_guest_domid(backend),
					      strncmp(word, "vbd:", 4) == 0 ? "vbd" : "vif",
					      host.n_devices++);
	}
}

/* Connects a guest with all others, in both directions. */
static void add_devices(void *data)
{
	size_t guest = (size_t)((struct guest *)data - host.guests);

	for (size_t i = 0; i < host.world->n_guests; i++) {
		connect_guests(guest, i);
		connect_guests(i, guest);
	}
}

/* ---- what others do ----------------------------------------------------- */

static void keep_save(size_t guest, const struct fake_save *save)
{
	if (host.n_saves == SAVES_MAX)
		return;
	host.saves[host.n_saves].guest = guest;
	host.saves[host.n_saves++].save = save;
}

static bool begins_to_save(size_t guest)
{
	struct fake_guest *fake = find(guest);
	struct fake_domain *domain = fake ? fake_guest_domain(fake) : NULL;

	/* If both have requested it, a suspension has no owner. A paused one is not saved. */
	if (!domain || !domains_is_running(domain) || host.guests[guest].is_requested ||
	    host.guests[guest].is_suspending || host.guests[guest].is_saved)
		return false;
	host.guests[guest].is_saved = true;
	if (host.is_observed)
		log_happening(HAPPENS_SAVE_BEGINS, (int)guest);
	return true;
}

static void save(size_t guest)
{
	uint64_t save_us = duration_of(settings_of(guest), "LeaveTime", LEAVE_US);

	if (begins_to_save(guest))
		keep_save(guest, toolstack_save(fake_guest_domid(find(guest)), save_us, guest % 2));
}

static void migrate(size_t guest)
{
	uint64_t save_us = duration_of(settings_of(guest), "LeaveTime", LEAVE_US);

	if (begins_to_save(guest))
		keep_save(guest, toolstack_migrate(fake_guest_domid(find(guest)), save_us));
}

static void leave(size_t guest, bool reboots)
{
	if (!find(guest) || host.guests[guest].is_requested)
		return;
	toolstack_shut_down(fake_guest_domid(find(guest)), reboots);
	if (host.is_observed)
		log_happening(HAPPENS_LEAVES, (int)guest);
}

static void shut_down(size_t guest)
{
	leave(guest, false);
}

static void reboot(size_t guest)
{
	leave(guest, true);
}

static void destroy(size_t guest)
{
	if (find(guest))
		toolstack_destroy(fake_guest_domid(find(guest)));
}

static void pause_guest(size_t guest)
{
	if (find(guest))
		toolstack_pause(fake_guest_domid(find(guest)));
}

static void finish_building(size_t guest)
{
	if (find(guest) && host.guests[guest].being_built)
		toolstack_unpause(fake_guest_domid(find(guest)));
}

static void storm(size_t guest)
{
	struct fake_guest *fake = find(guest);
	uint32_t port = fake ? fake_guest_domain(fake)->subscription : 0;

	if (port)
		event_channels_storm(fake_guest_domid(fake), port,
				     virtual_time_now() + DOUBLE_STORM_US);
}

static const struct intervention interventions[] = {
	{ "AppearsAfter", build },	    { "DestroyedAfter", destroy },
	{ "UserPausesAfter", pause_guest }, { "SavedAfter", save },
	{ "MigratedAfter", migrate },	    { "ShutDownAfter", shut_down },
	{ "RebootedAfter", reboot },	    { "StormAfter", storm },
	{ "BuiltAfter", finish_building },
};

static void intervene(void *data)
{
	struct planned *planned = data;
	uint64_t silent_us = store_client_silence_left();

	/* A toolstack writes the nodes of a domain before it runs. */
	if (planned->intervention->make == build && silent_us > 0)
		virtual_time_after(silent_us, intervene, planned);
	else
		planned->intervention->make(planned->guest);
}

static void plan(size_t guest, const struct intervention *intervention)
{
	struct planned *planned = &host.planned[host.n_planned];
	uint64_t after_us;

	if (host.n_planned == PLANNED_MAX ||
	    !world_parse_duration(settings_get(settings_of(guest), intervention->key), &after_us))
		return;
	host.n_planned++;
	*planned = (struct planned){ guest, intervention };
	virtual_time_after(after_us, intervene, planned);
}

static void silence_store(void *data)
{
	(void)data;
	store_client_be_silent(DOUBLE_SILENCE_US);
}

static void lose_store(void *data)
{
	(void)data;
	if (host.command_runs)
		store_client_lose();
}

static void begin_interventions(void *data)
{
	const struct settings *settings = &host.world->host;
	uint64_t after_us;

	(void)data;
	for (size_t i = 0; i < host.world->n_guests; i++)
		for (size_t j = 0; j < ELEMENTSOF(interventions); j++)
			plan(i, &interventions[j]);
	if (world_parse_duration(settings_get(settings, "StoreSilentAfter"), &after_us))
		virtual_time_after(after_us, silence_store, NULL);
	if (world_parse_duration(settings_get(settings, "StoreLostAfter"), &after_us))
		virtual_time_after(after_us, lose_store, NULL);
}

/* ---- what fails --------------------------------------------------------- */

/* "function", "function:n" or "function:n+". `what`: see faults_add. */
static void add_failure(const char *text, const char *what)
{
	char *function = host.functions[host.n_functions++];
	size_t length = strcspn(text, ":");
	unsigned long n = text[length] ? strtoul(text + length + 1, NULL, 10) : 1;
	bool goes_on = !text[length] || strchr(text, '+');

	snprintf(function, sizeof(host.functions[0]), "%.*s", (int)length, text);
	if (length > 0)
		faults_add(function, what, EIO, (unsigned int)(n > 0 ? n - 1 : 0),
			   goes_on ? UINT_MAX : 1);
}

static void add_failures(void)
{
	const char *conflicts = settings_get(&host.world->host, "StoreConflicts");

	add_failure(settings_get(&host.world->host, "Fail"), NULL);
	for (size_t i = 0; i < host.world->n_guests; i++) {
		const char *fail = settings_get(settings_of(i), "Fail");

		if (!fail[0] || !find(i))
			continue;
		snprintf(host.domid_texts[i], sizeof(host.domid_texts[i]), "%u",
			 fake_guest_domid(find(i)));
		add_failure(fail, host.domid_texts[i]);
	}
	if (conflicts[0])
		faults_add("xs_transaction_end", NULL, EAGAIN, 0,
			   (unsigned int)strtoul(conflicts, NULL, 10));
}

/* ---- the host's sleep --------------------------------------------------- */

static void sleeper_do_nothing(struct sleeper *sleeper)
{
	(void)sleeper;
}

static int sleeper_prepare(struct sleeper *sleeper, struct error *error)
{
	(void)sleeper;
	(void)error;
	return 0;
}

static int sleeper_enter(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
			 struct error *error)
{
	uint64_t sleep_us = duration_of(&host.world->host, "SleepTime", SLEEP_US);

	(void)loop;
	if (strcmp(settings_get(&host.world->host, "S3"), "refuse") == 0) {
		log_happening(HAPPENS_SLEEP_REFUSED, -1);
		return error_set(error, -EBUSY, "the kernel refuses to sleep");
	}
	log_happening(HAPPENS_SLEEP, -1);
	virtual_time_sleep(sleep_us);
	log_happening(HAPPENS_WAKE, -1);
	*ret_slept_us = sleep_us;
	snprintf(sleeper->state, sizeof(sleeper->state), "%s", SLEEP_STATE_S3);
	return 0;
}

static const struct sleeper_ops sleeper_ops = {
	.free = sleeper_do_nothing,
	.prepare = sleeper_prepare,
	.enter = sleeper_enter,
	.finish = sleeper_do_nothing,
};

struct sleeper *double_host_sleeper(void)
{
	static struct sleeper sleeper = { .ops = &sleeper_ops };

	return &sleeper;
}

/* ---- beginning and end -------------------------------------------------- */

static void apply_state(size_t guest)
{
	if (is_set(guest, "State", "paused"))
		pause_guest(guest);
	else if (is_set(guest, "State", "suspended") && find(guest))
		domains_shut_down(fake_guest_domain(find(guest)), REASON_SUSPEND);
	else if (is_set(guest, "State", "shutting-down"))
		shut_down(guest);
	else if (is_set(guest, "State", "rebooting"))
		reboot(guest);
	else if (is_set(guest, "State", "saving"))
		save(guest);
	else if (is_set(guest, "State", "migrating"))
		migrate(guest);
}

void double_host_start(const struct world *world, struct history *history)
{
	host = (typeof(host)){ .world = world, .history = history };
	fakexen_start();
	for (size_t i = 0; i < world->n_guests; i++)
		if (!settings_get(settings_of(i), "AppearsAfter")[0])
			build(i);
	for (size_t i = 0; i < world->n_guests; i++)
		for (size_t j = 0; j < world->n_guests; j++)
			connect_guests(i, j);
	virtual_time_pass(BOOT_US);
	for (size_t i = 0; i < world->n_guests; i++)
		apply_state(i);
	add_failures();
	observer_set(observe);
	host.is_observed = true;
}

bool double_host_has_failed(void)
{
	return host.has_failed;
}

void double_host_stop(void)
{
	observer_set(NULL);
	fakexen_stop();
}

void double_host_set_command(bool runs)
{
	host.command_runs = runs;
}

void double_host_check_saves(void)
{
	for (size_t i = 0; i < host.n_saves; i++) {
		if (!host.saves[i].save || !host.saves[i].save->is_broken)
			continue;
		log_happening(HAPPENS_SAVE_BROKEN, (int)host.saves[i].guest);
		host.saves[i].save = NULL;
	}
}
