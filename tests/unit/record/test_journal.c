/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/graph.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/journal.h"
#include "tests/unit/tree.h"

#define BASE_US 5000000
#define N_GUESTS 5

/* A directory for journals, and the plan of a small host. */
struct world {
	char directory[64];
	struct inventory inventory;
	struct config config;
	struct plan plan;
	struct error error;
};

static void add_link(struct world *world, uint32_t frontend, uint32_t backend)
{
	struct link link = {
		.frontend = frontend,
		.backend = backend,
		.recorded_by_toolstack = true,
	};

	assert_int_equal(inventory_add_link(&world->inventory, &link), 0);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	strcpy(world->directory, "/tmp/pmcoord-journal-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	config_init(&world->config);
	for (uint32_t domid = 1; domid <= N_GUESTS; domid++) {
		struct guest guest = { .domid = domid, .uuid = { domid } };

		snprintf(guest.name, sizeof(guest.name), "guest %u", domid);
		assert_int_equal(inventory_add_guest(&world->inventory, &guest), 0);
	}
	for (uint32_t domid = 2; domid <= N_GUESTS; domid++)
		add_link(world, domid, 1);
	add_link(world, 4, 3);
	assert_int_equal(inventory_finish(&world->inventory), 0);
	assert_int_equal(plan_make(&world->inventory, &world->config, NULL, false, &world->plan),
			 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	plan_done(&world->plan);
	inventory_done(&world->inventory);
	config_done(&world->config);
	assert_int_equal(tree_remove_all(world->directory), 0);
	free(world);
	return 0;
}

static struct cycle_head head_of(uint64_t number)
{
	return (struct cycle_head){
		.number = number,
		.boot_id = "boot",
		.base_us = BASE_US,
		.started_us = 1700000000000000,
		.trigger = "lid",
		.wants_sleep = true,
	};
}

static struct journal *create(struct world *world, uint64_t number)
{
	struct cycle_head head = head_of(number);
	struct journal *journal;

	assert_int_equal(journal_create(world->directory, &head, &world->plan, false, &journal,
					&world->error),
			 0);
	return journal;
}

static char *path_of(const struct world *world, uint64_t number, char *ret)
{
	sprintf(ret, "%s/%llu", world->directory, (unsigned long long)number);
	return ret;
}

static size_t read_file(const char *path, char *ret, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length;

	assert_non_null(file);
	length = fread(ret, 1, size, file);
	fclose(file);
	assert_true(length < size);
	return length;
}

static void write_file(const char *path, const char *data, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static void assert_same_guest(const struct cycle_guest *a, const struct cycle_guest *b)
{
	assert_int_equal(a->domid, b->domid);
	assert_memory_equal(a->uuid, b->uuid, sizeof(a->uuid));
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->mechanism, b->mechanism);
	assert_int_equal(a->n_needs, b->n_needs);
	for (size_t i = 0; i < a->n_needs; i++)
		assert_int_equal(a->needs[i], b->needs[i]);
	assert_int_equal(a->outcome, b->outcome);
	assert_int_equal(a->hold, b->hold);
	assert_int_equal(a->may_suspend_late, b->may_suspend_late);
	assert_int_equal(a->gone, b->gone);
	assert_int_equal(a->needs_xenstore_resume, b->needs_xenstore_resume);
	assert_int_equal(a->degraded, b->degraded);
	assert_int_equal(a->stranded, b->stranded);
	assert_string_equal(a->detail, b->detail);
	assert_int_equal(a->requested_us, b->requested_us);
	assert_int_equal(a->quiesced_us, b->quiesced_us);
	assert_int_equal(a->down_us, b->down_us);
	assert_int_equal(a->resume_us, b->resume_us);
	assert_int_equal(a->running_us, b->running_us);
	assert_int_equal(a->ready_us, b->ready_us);
}

static void assert_same_cycle(const struct cycle *a, const struct cycle *b)
{
	assert_int_equal(a->head.number, b->head.number);
	assert_string_equal(a->head.boot_id, b->head.boot_id);
	assert_int_equal(a->head.base_us, b->head.base_us);
	assert_int_equal(a->head.started_us, b->head.started_us);
	assert_string_equal(a->head.trigger, b->head.trigger);
	assert_int_equal(a->n_guests, b->n_guests);
	for (size_t i = 0; i < a->n_guests; i++)
		assert_same_guest(&a->guests[i], &b->guests[i]);
	assert_int_equal(a->n_phases, b->n_phases);
	for (size_t i = 0; i < a->n_phases; i++) {
		assert_string_equal(a->phases[i].name, b->phases[i].name);
		assert_int_equal(a->phases[i].start_us, b->phases[i].start_us);
		assert_int_equal(a->phases[i].duration_us, b->phases[i].duration_us);
	}
	assert_int_equal(a->kept_suspended, b->kept_suspended);
	assert_int_equal(a->head.wants_sleep, b->head.wants_sleep);
	assert_int_equal(a->slept_us, b->slept_us);
	assert_int_equal(a->written_bytes, b->written_bytes);
	assert_int_equal(a->aborted, b->aborted);
	assert_string_equal(a->detail, b->detail);
	assert_int_equal(a->ended, b->ended);
}

/* A valid text for this type of record. */
static const char *text_for(enum record_type type)
{
	switch (type) {
	case RECORD_PHASE:
		return "suspend";
	case RECORD_MECHANISM:
		return "xenstore";
	case RECORD_MAY_SLEEP:
	case RECORD_SLEPT:
	case RECORD_WRITTEN:
		return "123456";
	case RECORD_FAIL:
	case RECORD_ABORT:
	case RECORD_AWAKE:
	case RECORD_DEGRADED:
		return "for a reason: 7 % of it";
	default:
		return "";
	}
}

static void record_random(struct journal *journal, int n)
{
	uint64_t now = BASE_US;

	while (n-- > 0) {
		enum record_type type =
			RECORD_PHASE +
			(enum record_type)(random() % (RECORD_END - RECORD_PHASE + 1));

		/* A cycle has few phases. */
		if (type == RECORD_PHASE && random() % 8)
			continue;
		now += (uint64_t)random() % 1000;
		assert_int_equal(journal_record(journal, type, now, (size_t)random() % N_GUESTS,
						"%s", text_for(type)),
				 0);
	}
}

static void records_the_plan_in_suspend_order(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 12);
	const struct cycle *cycle = journal_cycle(journal);

	assert_int_equal(cycle->head.number, 12);
	assert_int_equal(cycle->n_guests, N_GUESTS);
	for (size_t i = 0; i < N_GUESTS; i++) {
		const struct step *step = &world->plan.steps[i];
		const struct guest *guest = &world->plan.inventory.guests[step->guest];

		assert_int_equal(cycle->guests[i].domid, guest->domid);
		assert_string_equal(cycle->guests[i].name, guest->name);
		assert_int_equal(cycle->guests[i].mechanism, step->mechanism);
		/* The guests that it needs come later. */
		for (size_t j = 0; j < cycle->guests[i].n_needs; j++)
			assert_true(cycle->guests[i].needs[j] > i);
	}
	assert_int_equal(cycle->guests[N_GUESTS - 1].domid, 1);
	journal_close(journal);
}

static void replaying_gives_the_same_cycle(void **state)
{
	struct world *world = *state;

	srandom(3);
	for (uint64_t number = 1; number <= 50; number++) {
		struct journal *tty = create(world, number), *replayed;

		record_random(tty, 60);
		assert_int_equal(journal_open(world->directory, number, &replayed, &world->error),
				 0);
		assert_same_cycle(journal_cycle(tty), journal_cycle(replayed));
		journal_close(replayed);
		journal_close(tty);
	}
}

static void continues_after_the_last_record(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1), *next;

	assert_int_equal(journal_record(journal, RECORD_REQUEST, BASE_US + 1, 0, "%s", ""), 0);
	journal_close(journal);
	assert_int_equal(journal_open(world->directory, 1, &journal, NULL), 0);
	assert_int_equal(journal_cycle(journal)->guests[0].hold, HOLD_REQUESTED);
	assert_int_equal(journal_record(journal, RECORD_SUSPENDED, BASE_US + 2, 0, "%s", ""), 0);
	assert_int_equal(journal_open(world->directory, 1, &next, NULL), 0);
	assert_same_cycle(journal_cycle(journal), journal_cycle(next));
	assert_int_equal(journal_cycle(next)->guests[0].hold, HOLD_SUSPENDED);
	journal_close(next);
	journal_close(journal);
}

/* A crash can come in the middle of a write, at any byte. */
static void drops_a_torn_last_line(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1);
	char path[96], whole[8192], text[8192];
	size_t plan, length;

	path_of(world, 1, path);
	plan = read_file(path, whole, sizeof(whole));
	assert_int_equal(journal_record(journal, RECORD_REQUEST, BASE_US + 1, 0, "%s", ""), 0);
	assert_int_equal(journal_record(journal, RECORD_FAIL, BASE_US + 2, 0, "%s", "too late"), 0);
	journal_close(journal);
	length = read_file(path, whole, sizeof(whole));
	for (size_t cut = plan; cut < length; cut++) {
		size_t rest;

		write_file(path, whole, cut);
		assert_int_equal(journal_open(world->directory, 1, &journal, NULL), 0);
		assert_int_equal(journal_cycle(journal)->guests[0].outcome, OUTCOME_PENDING);
		/* The next record is on a line of its own. */
		assert_int_equal(journal_record(journal, RECORD_END, BASE_US + 3, 0, "%s", ""), 0);
		journal_close(journal);
		rest = read_file(path, text, sizeof(text));
		text[rest] = '\0';
		assert_non_null(strstr(text, "\n5000003 end\n"));
		assert_int_equal(journal_open(world->directory, 1, &journal, NULL), 0);
		assert_true(journal_cycle(journal)->ended);
		journal_close(journal);
	}
}

#define HEAD "5 cycle 1 boot 17 sleep lid\n"
#define GUEST(n, needs)                                                                            \
	"5 guest " #n " 00000000-0000-0000-0000-00000000000" #n " agent " needs " guest " #n "\n"

struct text {
	const char *text;
	size_t length;
};
#define TEXT(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static int open_text(struct world *world, const struct text *text, struct journal **ret_journal)
{
	char path[96];

	write_file(path_of(world, 1, path), text->text, text->length);
	world->error = (struct error){ 0 };
	return journal_open(world->directory, 1, ret_journal, &world->error);
}

static void rejects_what_has_no_guest(void **state)
{
	static const struct text cases[] = {
		TEXT("\n"),
		TEXT("garbage\n"),
		TEXT(HEAD "6 cycle 2 b 17 sleep lid\n"),
		TEXT(HEAD "garbage\n6 end\n"),
		TEXT(HEAD "6 end\0\n"),
		TEXT(HEAD "6 down 0\n"),
		TEXT(HEAD "5 guest 1 x agent - web\n"),
		TEXT("\x7f"
		     "ELF\0\0\0\0\n"),
	};
	struct world *world = *state;
	struct journal *journal;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		assert_int_equal(open_text(world, &cases[i], &journal), -EBADMSG);
		assert_non_null(strstr(world->error.text, world->directory));
	}
}

/* The coordinator died while it wrote the plan: before it touched a guest. */
static void a_journal_without_a_record_is_obsolete(void **state)
{
	static const struct text cases[] = {
		TEXT(""),
		TEXT("5 cycle 1 boot 17 sleep lid"),
	};
	struct world *world = *state;
	struct journal *journal;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		assert_int_equal(open_text(world, &cases[i], &journal), 0);
		assert_true(journal_is_obsolete(journal_cycle(journal), "boot"));
		assert_int_equal(journal_remove(journal), 0);
		journal_close(journal);
	}
}

/* Whatever is wrong beside it, guest 2 must be found suspended. */
static void finds_its_guests_beside_lines_that_cannot_be_read(void **state)
{
	static const struct {
		struct text text;
		size_t n_damaged;
		size_t guest;
	} cases[] = {
		{ TEXT(HEAD GUEST(1, "-") GUEST(2, "0") "6 down 1\n"), 0, 1 },
		{ TEXT(HEAD GUEST(1, "-") GUEST(2, "0") "6 invented 3 things\n6 down 1\n"), 0, 1 },
		{ TEXT(HEAD "5 invented\n" GUEST(1, "-") GUEST(2, "0") "6 down 1\n"), 0, 1 },
		{ TEXT(GUEST(1, "-") GUEST(2, "0") "6 down 1\n"), 1, 1 },
		{ TEXT("garbage\n" GUEST(1, "-") GUEST(2, "0") "6 down 1\n"), 1, 1 },
		{ TEXT(HEAD "garbage\n" GUEST(2, "0") "6 down 1\n"), 1, 1 },
		{ TEXT(HEAD "5 guest 1\n" GUEST(2, "0") "6 down 1\n"), 1, 1 },
		{ TEXT(HEAD GUEST(2, "7") "6 down 0\n"), 1, 0 },
		{ TEXT(HEAD GUEST(1, "-") GUEST(2, "0") "6 phase suspend\ngarbage\n6 down 1\n"), 1,
		  1 },
		{ TEXT(HEAD GUEST(2, "-") "6 down 0\n6 down 9\n6 cycle 2 b 17 sleep lid\n"), 2, 0 },
		{ TEXT(HEAD GUEST(2, "-") "6 down 0\n6 en\0d\n"), 1, 0 },
		{ TEXT(HEAD GUEST(2, "-") "6 down 0\n7 slept long\n"), 1, 0 },
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct cycle *cycle;
		struct journal *journal;
		char kept[96];

		assert_int_equal(open_text(world, &cases[i].text, &journal), 0);
		cycle = journal_cycle(journal);
		assert_int_equal(cycle->n_damaged, cases[i].n_damaged);
		assert_false(journal_is_obsolete(cycle, "boot"));
		assert_string_equal(cycle->guests[cases[i].guest].name, "guest 2");
		for (size_t j = 0; j < cycle->n_guests; j++)
			assert_int_equal(cycle->guests[j].hold,
					 j == cases[i].guest ? HOLD_SUSPENDED : HOLD_NONE);
		assert_int_equal(journal_remove(journal), 0);
		snprintf(kept, sizeof(kept), "%s/1" JOURNAL_SET_ASIDE, world->directory);
		assert_int_equal(unlink(kept) == 0, cases[i].n_damaged > 0);
		journal_close(journal);
	}
}

static void does_not_write_what_it_would_not_read(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1), *replayed;

	assert_int_equal(journal_record(journal, RECORD_SUSPENDED, BASE_US + 1, N_GUESTS, "%s", ""),
			 -EBADMSG);
	assert_int_equal(journal_record(journal, RECORD_SLEPT, BASE_US + 1, 0, "%s", "long"),
			 -EBADMSG);
	assert_int_equal(journal_open(world->directory, 1, &replayed, NULL), 0);
	assert_int_equal(journal_cycle(replayed)->n_damaged, 0);
	assert_same_cycle(journal_cycle(journal), journal_cycle(replayed));
	journal_close(replayed);
	journal_close(journal);
}

static void a_missing_journal_is_reported(void **state)
{
	struct world *world = *state;
	struct journal *journal;

	assert_int_equal(journal_open(world->directory, 7, &journal, NULL), -ENOENT);
}

static void opens_each_damaged_journal_with_a_guest(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1);
	char path[96], whole[16384], text[16384];
	size_t length;

	srandom(4);
	record_random(journal, 80);
	journal_close(journal);
	length = read_file(path_of(world, 1, path), whole, sizeof(whole));
	for (int round = 0; round < 3000; round++) {
		memcpy(text, whole, length);
		for (long n = 1 + random() % 4; n > 0; n--)
			text[random() % (long)length] =
				random() % 2 ? (char)random() : whole[random() % (long)length];
		write_file(path, text, length);
		assert_int_equal(journal_open(world->directory, 1, &journal, NULL), 0);
		cycle_result(journal_cycle(journal));
		journal_close(journal);
	}
}

static void lists_only_cycles_in_their_order(void **state)
{
	struct world *world = *state;
	char path[128];
	uint64_t *numbers;

	for (uint64_t number = 9; number <= 11; number++)
		journal_close(create(world, number));
	snprintf(path, sizeof(path), "%s/12.tmp", world->directory);
	write_file(path, "", 0);
	assert_int_equal(journal_list(world->directory, &numbers), 3);
	assert_int_equal(numbers[0], 9);
	assert_int_equal(numbers[1], 10);
	assert_int_equal(numbers[2], 11);
	free(numbers);
	assert_int_equal(journal_list("/nonexistent/x", &numbers), 0);
	assert_null(numbers);
}

static void does_not_overwrite_another_cycle(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1), *other;
	struct cycle_head head = head_of(1);

	assert_int_equal(
		journal_create(world->directory, &head, &world->plan, false, &other, &world->error),
		-EEXIST);
	assert_int_equal(journal_remove(journal), 0);
	journal_close(journal);
	assert_int_equal(journal_open(world->directory, 1, &journal, NULL), -ENOENT);
}

/* /run is full: earlier and later records stay complete. */
static void leaves_no_incomplete_line_on_a_full_disk(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1), *replayed;
	struct rlimit unlimited, limit;
	char path[96], text[8192];

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	limit = unlimited;
	limit.rlim_cur = read_file(path_of(world, 1, path), text, sizeof(text)) + 5;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(journal_record(journal, RECORD_REQUEST, BASE_US + 1, 0, "%s", ""), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_int_equal(journal_record(journal, RECORD_END, BASE_US + 2, 0, "%s", ""), 0);
	assert_int_equal(journal_open(world->directory, 1, &replayed, NULL), 0);
	assert_same_cycle(journal_cycle(journal), journal_cycle(replayed));
	journal_close(replayed);
	journal_close(journal);
}

static void creates_a_directory_for_its_user_only(void **state)
{
	struct world *world = *state;
	struct cycle_head head = head_of(1);
	struct journal *journal;
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "%s/run/cycles", world->directory);
	assert_int_equal(journal_create(path, &head, &world->plan, false, &journal, NULL), 0);
	journal_close(journal);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void note_type(void *data, const struct cycle *cycle, const struct record *record)
{
	/* The observer is called after the write. */
	assert_int_equal(cycle->guests[record->guest].hold, HOLD_REQUESTED);
	*(enum record_type *)data = record->type;
}

static void passes_each_record_to_its_observer(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1);
	enum record_type seen = RECORD_END;

	journal_observe(journal, note_type, &seen);
	assert_int_equal(journal_record(journal, RECORD_REQUEST, BASE_US + 1, 2, "%s", ""), 0);
	assert_int_equal(seen, RECORD_REQUEST);
	journal_close(journal);
}

static void count_record(void *data, const struct cycle *cycle, const struct record *record)
{
	(void)cycle;
	(void)record;
	++*(unsigned int *)data;
}

static void a_follower_reads_each_complete_record_once(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1);
	struct journal_follower *follower;
	unsigned int n = 0;
	char path[96];
	FILE *file;

	assert_int_equal(journal_follow(world->directory, 1, &follower, NULL), 0);
	assert_int_equal(journal_follower_read(follower, count_record, &n), 0);
	assert_int_equal(n, 1 + N_GUESTS);
	assert_int_equal(journal_record(journal, RECORD_REQUEST, BASE_US + 1, 2, "%s", ""), 0);
	assert_int_equal(journal_follower_read(follower, count_record, &n), 0);
	assert_int_equal(journal_follower_read(follower, count_record, &n), 0);
	assert_int_equal(n, 2 + N_GUESTS);

	file = fopen(path_of(world, 1, path), "ae");
	assert_non_null(file);
	fprintf(file, "%d down", BASE_US + 2);
	fflush(file);
	assert_int_equal(journal_follower_read(follower, count_record, &n), 0);
	assert_int_equal(n, 2 + N_GUESTS);
	fprintf(file, " 2\n");
	fclose(file);
	/* A removed file is read to its end. */
	assert_int_equal(journal_remove(journal), 0);
	assert_int_equal(journal_follower_read(follower, count_record, &n), 0);
	assert_int_equal(n, 3 + N_GUESTS);
	assert_int_equal(journal_follower_cycle(follower)->guests[2].hold, HOLD_SUSPENDED);
	journal_follower_free(follower);
	journal_close(journal);
}

static void a_follower_skips_what_is_no_record(void **state)
{
	struct world *world = *state;
	struct journal_follower *follower;
	unsigned int n = 0;
	char path[96];

	write_file(path_of(world, 7, path), "nonsense\n5 end\n", strlen("nonsense\n5 end\n"));
	assert_int_equal(journal_follow(world->directory, 7, &follower, NULL), 0);
	assert_int_equal(journal_follower_read(follower, count_record, &n), 0);
	assert_int_equal(n, 1);
	assert_true(journal_follower_cycle(follower)->ended);
	journal_follower_free(follower);
	assert_int_equal(journal_follow(world->directory, 8, &follower, NULL), -ENOENT);
}

/* ---- every byte ------------------------------------------------------------ */

/* Appends the line that a step's guest has in the journal. */
static void add_guest_line(const struct plan *plan, size_t i, char *text)
{
	const struct step *step = &plan->steps[i];
	const struct guest *guest = &plan->inventory.guests[step->guest];
	struct graph_nodes needs = graph_needs(plan->graph, step->guest);
	char uuid[GUEST_UUID_TEXT_SIZE];

	sprintf(text + strlen(text), "%d guest %u %s %s ", BASE_US, guest->domid,
		guest_uuid_format(guest->uuid, uuid), mechanism_name(step->mechanism));
	for (size_t j = 0; j < needs.n_nodes; j++)
		sprintf(text + strlen(text), "%s%zu", j ? "," : "",
			plan->step_of_guest[needs.nodes[j]]);
	sprintf(text + strlen(text), "%s %s\n", needs.n_nodes ? "" : "-", guest->name);
}

static void assert_text(const struct world *world, uint64_t number, const char *expected)
{
	static char text[32768];
	char path[96];

	text[read_file(path_of(world, number, path), text, sizeof(text) - 1)] = '\0';
	assert_string_equal(text, expected);
}

/* Guests 2 and 3 need each other, as do 4 and 5, and so on. */
static void make_loops(struct world *world, uint32_t n_loops)
{
	plan_done(&world->plan);
	for (uint32_t i = 1; i <= 2 * n_loops; i++) {
		struct guest guest = { .domid = i + 1, .uuid = { (uint8_t)(i + 1) } };

		snprintf(guest.name, sizeof(guest.name), "guest %u", i + 1);
		assert_int_equal(inventory_add_guest(&world->inventory, &guest), 0);
		add_link(world, i + 1, i % 2 ? i + 2 : i);
	}
	assert_int_equal(inventory_finish(&world->inventory), 0);
	assert_int_equal(plan_make(&world->inventory, &world->config, NULL, false, &world->plan),
			 0);
}

static void writes_the_head_the_plan_and_the_warnings(void **state)
{
	static const uint32_t loops[] = { 0, 1, 40 };
	static char expected[32768];
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(loops); i++) {
		uint64_t number = 7 + i;
		size_t n_warnings = 0;

		if (loops[i] > 0)
			make_loops(world, loops[i]);
		journal_close(create(world, number));
		sprintf(expected, "%d cycle %llu boot 1700000000000000 sleep lid\n", BASE_US,
			(unsigned long long)number);
		for (size_t j = 0; j < world->plan.n_steps; j++)
			add_guest_line(&world->plan, j, expected);
		while (n_warnings < CYCLE_WARNINGS_MAX &&
		       graph_warning(world->plan.graph, n_warnings))
			sprintf(expected + strlen(expected), "%d warning %s\n", BASE_US,
				graph_warning(world->plan.graph, n_warnings++));
		assert_int_equal(n_warnings,
				 loops[i] < CYCLE_WARNINGS_MAX ? loops[i] : CYCLE_WARNINGS_MAX);
		assert_text(world, number, expected);
	}
}

static void adds_guests_and_what_they_need(void **state)
{
	static char expected[8192];
	struct world *world = *state;
	struct journal *journal = create(world, 1), *replayed;
	struct guest skipped = { .domid = 9, .uuid = { 9 }, .name = "guest 9" };
	const struct cycle *cycle = journal_cycle(journal);
	char path[96];

	expected[read_file(path_of(world, 1, path), expected, sizeof(expected) - 1)] = '\0';
	for (size_t i = 0; i < N_GUESTS; i++) {
		size_t n_needs = cycle->guests[i].n_needs;

		assert_int_equal(journal_record_needs(journal, &world->plan, i, BASE_US), 0);
		sprintf(expected + strlen(expected), "%d needs %zu ", BASE_US, i);
		for (size_t j = 0; j < n_needs; j++)
			sprintf(expected + strlen(expected), "%s%zu", j ? "," : "",
				cycle->guests[i].needs[j]);
		strcat(expected, n_needs ? "\n" : "-\n");
		assert_int_equal(
			journal_add_guest(journal, &world->plan, &world->plan.steps[i], BASE_US),
			0);
		add_guest_line(&world->plan, i, expected);
	}
	assert_int_equal(journal_add_skipped(journal, &skipped, BASE_US + 1), 0);
	strcat(expected, "5000001 guest 9 09000000-0000-0000-0000-000000000000 none - guest 9\n");
	assert_text(world, 1, expected);
	assert_int_equal(cycle->n_guests, 2 * N_GUESTS + 1);
	assert_int_equal(journal_open(world->directory, 1, &replayed, NULL), 0);
	assert_same_cycle(cycle, journal_cycle(replayed));
	journal_close(replayed);
	journal_close(journal);
}

/* The first record tells when a cycle without a head began. */
static void counts_from_the_first_record_without_a_head(void **state)
{
	static const struct text text = TEXT(GUEST(2, "-") "6 request 0\n9 down 0\n");
	struct world *world = *state;
	struct journal *journal;

	assert_int_equal(open_text(world, &text, &journal), 0);
	assert_int_equal(journal_cycle(journal)->head.base_us, 5);
	assert_int_equal(journal_cycle(journal)->guests[0].requested_us, 1);
	assert_int_equal(journal_cycle(journal)->guests[0].down_us, 4);
	assert_int_equal(journal_cycle(journal)->head.number, 1);
	journal_close(journal);
}

/* ---- errors ---------------------------------------------------------------- */

static void says_why_a_journal_cannot_be_created(void **state)
{
	struct world *world = *state;
	struct cycle_head head = head_of(1);
	struct journal *journal;
	char path[96], expected[256];

	write_file(path_of(world, 7, path), "", 0);
	strcat(path, "/cycles");
	assert_int_equal(journal_create(path, &head, &world->plan, false, &journal, &world->error),
			 -ENOTDIR);
	snprintf(expected, sizeof(expected), "cannot create the directory %s: Not a directory",
		 path);
	assert_string_equal(error_text(&world->error), expected);
	world->error = (struct error){ 0 };
	write_file(path_of(world, 1, path), "", 0);
	assert_int_equal(journal_create(world->directory, &head, &world->plan, false, &journal,
					&world->error),
			 -EEXIST);
	snprintf(expected, sizeof(expected), "cannot create the journal %s: File exists", path);
	assert_string_equal(error_text(&world->error), expected);
}

static void says_why_a_journal_cannot_be_read(void **state)
{
	struct world *world = *state;
	struct journal_follower *follower;
	struct journal *journal;
	struct cycle cycle;
	char path[96], expected[256];

	path_of(world, 1, path);
	snprintf(expected, sizeof(expected),
		 "cannot read the journal %s: No such file or directory", path);
	assert_int_equal(journal_open(world->directory, 1, &journal, &world->error), -ENOENT);
	assert_string_equal(error_text(&world->error), expected);
	world->error = (struct error){ 0 };
	assert_int_equal(journal_read(world->directory, 1, &cycle, &world->error), -ENOENT);
	assert_string_equal(error_text(&world->error), expected);
	world->error = (struct error){ 0 };
	assert_int_equal(journal_follow(world->directory, 1, &follower, &world->error), -ENOENT);
	assert_string_equal(error_text(&world->error), expected);
	/* A directory can be opened, but not read. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(journal_open(world->directory, 1, &journal, NULL), -EIO);
	assert_int_equal(journal_read(world->directory, 1, &cycle, NULL), -EIO);
	assert_int_equal(journal_follow(world->directory, 1, &follower, NULL), 0);
	assert_int_equal(journal_follower_read(follower, NULL, NULL), -EIO);
	journal_follower_free(follower);
}

static void reads_a_cycle_without_changing_its_journal(void **state)
{
	static const char torn[] = "5000002 dow";
	struct world *world = *state;
	struct journal *journal = create(world, 1);
	struct cycle cycle;
	char path[96], text[8192];
	size_t length;

	assert_int_equal(journal_record(journal, RECORD_REQUEST, BASE_US + 1, 2, "%s", ""), 0);
	length = read_file(path_of(world, 1, path), text, sizeof(text));
	memcpy(text + length, torn, sizeof(torn));
	write_file(path, text, strlen(text));
	assert_int_equal(journal_read(world->directory, 1, &cycle, NULL), 0);
	assert_same_cycle(&cycle, journal_cycle(journal));
	assert_text(world, 1, text);
	cycle_done(&cycle);
	journal_close(journal);
}

static void says_that_a_journal_cannot_be_removed_or_set_aside(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1);
	char path[96], aside[128];

	assert_int_equal(journal_remove(journal), 0);
	assert_int_equal(journal_remove(journal), -ENOENT);
	journal_close(journal);
	assert_int_equal(journal_set_aside(world->directory, 1), -ENOENT);
	write_file(path_of(world, 1, path), "x", 1);
	assert_int_equal(journal_set_aside(world->directory, 1), 0);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(aside, sizeof(aside), "%s" JOURNAL_SET_ASIDE, path);
	assert_int_equal(access(aside, F_OK), 0);
}

/*
 * A journal that cannot be changed, as on a file system that has become read-only: a file in
 * memory with these seals. Returns its descriptor.
 */
static int make_sealed_journal(struct world *world, const char *text, int seals)
{
	int fd = memfd_create("journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char path[96], target[64];

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	assert_int_equal(symlink(target, path_of(world, 1, path)), 0);
	return fd;
}

/* The guests are resumed all the same, and what was not written is counted. */
static void a_journal_that_cannot_be_written_is_opened(void **state)
{
	static const char whole[] = HEAD GUEST(1, "-") GUEST(2, "0") "6 request 1\n6 down 1\n";
	static const char torn[] = HEAD GUEST(1, "-") GUEST(2, "0") "6 request 1\n6 down 1\n7 e";
	static const struct {
		const char *text;
		int seals;
	} cases[] = {
		{ whole, F_SEAL_WRITE },
		{ torn, F_SEAL_SHRINK },
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		int fd = make_sealed_journal(world, cases[i].text, cases[i].seals);
		const struct cycle *cycle;
		struct journal *journal;
		char path[96];

		assert_int_equal(journal_open(world->directory, 1, &journal, NULL), 0);
		cycle = journal_cycle(journal);
		assert_int_equal(cycle->guests[1].hold, HOLD_SUSPENDED);
		assert_int_equal(journal_record(journal, RECORD_RESUME, 8, 1, "%s", ""), -EPERM);
		assert_int_equal(journal_record(journal, RECORD_RUNNING, 9, 1, "%s", ""), -EPERM);
		assert_int_equal(cycle->guests[1].hold, HOLD_NONE);
		assert_int_equal(cycle->n_unwritten, 2);
		assert_int_equal(cycle->write_error, -EPERM);
		/* An effect that cannot be recorded must not be caused. */
		assert_int_equal(journal_record(journal, RECORD_PAUSE, 9, 0, "%s", ""), -EPERM);
		assert_int_equal(cycle->guests[0].hold, HOLD_NONE);
		assert_int_equal(cycle->n_unwritten, 2);
		assert_text(world, 1, cases[i].text);
		journal_close(journal);
		close(fd);
		assert_int_equal(unlink(path_of(world, 1, path)), 0);
	}
}

/* Half a line that cannot be cut off stays the last one. */
static void writes_nothing_after_an_incomplete_line(void **state)
{
	static const char text[] = HEAD GUEST(1, "-");
	int fd = make_sealed_journal(*state, text, F_SEAL_SHRINK);
	struct world *world = *state;
	struct rlimit unlimited, limit;
	struct journal *journal;
	char expected[sizeof(text) + 8];

	assert_int_equal(journal_open(world->directory, 1, &journal, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	limit = unlimited;
	limit.rlim_cur = strlen(text) + 5;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(journal_record(journal, RECORD_REQUEST, 6, 0, "%s", ""), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_int_equal(journal_record(journal, RECORD_END, 7, 0, "%s", ""), -EFBIG);
	assert_true(journal_cycle(journal)->ended);
	snprintf(expected, sizeof(expected), "%s6 req", text);
	assert_text(world, 1, expected);
	journal_close(journal);
	close(fd);
}

/* Nobody is told of what was not applied. */
static void an_observer_does_not_see_what_was_refused(void **state)
{
	struct world *world = *state;
	struct journal *journal = create(world, 1);
	unsigned int n = 0;

	journal_observe(journal, count_record, &n);
	assert_int_equal(journal_record(journal, RECORD_SUSPENDED, BASE_US + 1, N_GUESTS, "%s", ""),
			 -EBADMSG);
	assert_int_equal(n, 0);
	assert_int_equal(journal_record(journal, RECORD_PHASE, BASE_US + 1, 0, "%s", "suspend"), 0);
	assert_int_equal(n, 1);
	journal_observe(journal, NULL, NULL);
	assert_int_equal(journal_record(journal, RECORD_END, BASE_US + 2, 0, "%s", ""), 0);
	assert_int_equal(n, 1);
	journal_close(journal);
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(records_the_plan_in_suspend_order),
		world_test(replaying_gives_the_same_cycle),
		world_test(continues_after_the_last_record),
		world_test(drops_a_torn_last_line),
		world_test(rejects_what_has_no_guest),
		world_test(a_journal_without_a_record_is_obsolete),
		world_test(finds_its_guests_beside_lines_that_cannot_be_read),
		world_test(does_not_write_what_it_would_not_read),
		world_test(a_missing_journal_is_reported),
		world_test(opens_each_damaged_journal_with_a_guest),
		world_test(lists_only_cycles_in_their_order),
		world_test(does_not_overwrite_another_cycle),
		world_test(leaves_no_incomplete_line_on_a_full_disk),
		world_test(creates_a_directory_for_its_user_only),
		world_test(passes_each_record_to_its_observer),
		world_test(a_follower_reads_each_complete_record_once),
		world_test(a_follower_skips_what_is_no_record),
		world_test(writes_the_head_the_plan_and_the_warnings),
		world_test(adds_guests_and_what_they_need),
		world_test(counts_from_the_first_record_without_a_head),
		world_test(says_why_a_journal_cannot_be_created),
		world_test(says_why_a_journal_cannot_be_read),
		world_test(reads_a_cycle_without_changing_its_journal),
		world_test(says_that_a_journal_cannot_be_removed_or_set_aside),
		world_test(a_journal_that_cannot_be_written_is_opened),
		world_test(writes_nothing_after_an_incomplete_line),
		world_test(an_observer_does_not_see_what_was_refused),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
