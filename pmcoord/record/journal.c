/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/write.h"
#include "base/directory.h"
#include "base/numbered-files.h"
#include "model/graph.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "host/boot-id.h"

/* Room for the index of a guest that a guest needs: at most 20 digits, and a comma. */
#define NEED_SIZE 21

struct journal {
	int fd;
	int unwritable; /* negative errno: nothing can be appended any more; 0: try */
	bool is_dispensable; /* see journal_create */
	off_t end; /* offset of the end of the last whole line */
	char *path;
	struct cycle cycle;
	journal_observer_fn observer;
	void *observer_data;
};

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	closep(&journal->fd);
	cycle_done(&journal->cycle);
	free(journal->path);
	free(journal);
}

void journal_closep(struct journal **journal)
{
	journal_close(*journal);
	*journal = NULL;
}

const struct cycle *journal_cycle(const struct journal *journal)
{
	assert(journal);
	return &journal->cycle;
}

static int set_aside(const char *path)
{
	_cleanup_(freep) char *to = NULL;

	if (asprintf(&to, "%s" JOURNAL_SET_ASIDE, path) < 0)
		return -ENOMEM;
	return rename(path, to) < 0 ? -errno : 0;
}

int journal_set_aside(const char *directory, uint64_t number)
{
	_cleanup_(freep) char *path = NULL;

	if (asprintf(&path, "%s/%" PRIu64, directory, number) < 0)
		return -ENOMEM;
	return set_aside(path);
}

int journal_remove(struct journal *journal)
{
	assert(journal);
	if (journal->fd < 0)
		return 0; /* it has no file */
	if (journal->cycle.n_damaged > 0)
		return set_aside(journal->path);
	return unlink(journal->path) < 0 ? -errno : 0;
}

static int write_lines(struct journal *journal, const char *lines, size_t length)
{
	int r = journal->unwritable;

	if (r < 0)
		return r;
	r = write_all(journal->fd, lines, length);
	if (r == 0)
		journal->end += (off_t)length;
	/* Half a line would damage the next line, so it is cut off, or stays the last. */
	else if (ftruncate(journal->fd, journal->end) < 0)
		journal->unwritable = r;
	return r;
}

/* Counts a record that could not be written. Returns 0 if that is no error. */
static int count_unwritten(struct journal *journal, int r)
{
	if (journal->cycle.n_unwritten++ == 0)
		journal->cycle.write_error = r;
	return journal->is_dispensable ? 0 : r;
}

/*
 * Writes the record before it is applied to the cycle, and then calls the observer. What
 * has happened is applied even if it cannot be written, because this process must know
 * it: an abort that is not recorded is an abort, and a guest that runs is not resumed
 * again. The next process asks the hypervisor instead.
 */
static int append(struct journal *journal, const struct record *record, char *line, size_t size)
{
	int length = record_format(record, line, size);
	int applied, r = cycle_check(&journal->cycle, record);

	if (r < 0 || length < 0)
		return r < 0 ? r : length;
	r = write_lines(journal, line, (size_t)length);
	if (r < 0 && record_type_is_intent(record->type) && !journal->is_dispensable)
		return r;
	/* Later records name guests by their index, which a lost guest would shift. */
	if (r < 0 && record->type == RECORD_GUEST)
		journal->unwritable = r;
	if (r < 0)
		r = count_unwritten(journal, r);
	applied = cycle_apply(&journal->cycle, record);
	if (applied == 0 && journal->observer)
		journal->observer(journal->observer_data, &journal->cycle, record);
	return r < 0 ? r : applied;
}

void journal_observe(struct journal *journal, journal_observer_fn observer, void *data)
{
	journal->observer = observer;
	journal->observer_data = data;
}

int journal_record(struct journal *journal, enum record_type type, uint64_t at_us, size_t guest,
		   const char *format, ...)
{
	char text[CYCLE_DETAIL_MAX], line[CYCLE_DETAIL_MAX + 64];
	struct record record = {
		.type = type,
		.at_us = at_us,
		.guest = guest,
		.text = text,
	};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return append(journal, &record, line, sizeof(line));
}

static struct journal *journal_new(const char *directory, uint64_t number)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return NULL;
	journal->fd = -EBADF;
	cycle_init(&journal->cycle, number);
	if (asprintf(&journal->path, "%s/%" PRIu64, directory, number) < 0) {
		journal->path = NULL;
		journal_close(journal);
		return NULL;
	}
	return journal;
}

/*
 * Appends the record of one step to the buffer `lines`, and applies the record
 * to the cycle.
 */
static int record_step(struct journal *journal, const struct plan *plan, const struct step *step,
		       uint64_t now, FILE *lines)
{
	struct graph_nodes needs = graph_needs(plan->graph, step->guest);
	size_t size = needs.n_nodes * NEED_SIZE + GUEST_NAME_MAX + 128;
	_cleanup_(freep) char *text = malloc(size);
	_cleanup_(freep) char *line = malloc(size + 64);
	_cleanup_(freep) size_t *indices = calloc(needs.n_nodes + 1, sizeof(*indices));
	struct record record = {
		.type = RECORD_GUEST,
		.at_us = now,
		.text = text,
	};
	int r;

	if (!text || !line || !indices)
		return -ENOMEM;
	for (size_t i = 0; i < needs.n_nodes; i++)
		indices[i] = plan->step_of_guest[needs.nodes[i]];
	r = cycle_format_guest(&plan->inventory.guests[step->guest], step->mechanism, indices,
			       needs.n_nodes, text, size);
	if (r >= 0)
		r = record_format(&record, line, size + 64);
	if (r < 0)
		return r;
	if (fputs(line, lines) < 0)
		return -ENOMEM;
	return cycle_apply(&journal->cycle, &record);
}

/* Writes a record whose text may be longer than a detail, and applies it. */
static int append_long(struct journal *journal, const struct record *record)
{
	size_t size = strlen(record->text) + 64;
	_cleanup_(freep) char *line = malloc(size);

	return line ? append(journal, record, line, size) : -ENOMEM;
}

/* Returns the steps of the guests that a guest needs. The caller frees them. */
static size_t *find_needs(const struct plan *plan, size_t guest, size_t *ret_n)
{
	struct graph_nodes needs = graph_needs(plan->graph, guest);
	size_t *indices = calloc(needs.n_nodes + 1, sizeof(*indices));

	*ret_n = needs.n_nodes;
	for (size_t i = 0; indices && i < needs.n_nodes; i++)
		indices[i] = plan->step_of_guest[needs.nodes[i]];
	return indices;
}

int journal_add_guest(struct journal *journal, const struct plan *plan, const struct step *step,
		      uint64_t at_us)
{
	size_t n_needs;
	_cleanup_(freep) size_t *needs = find_needs(plan, step->guest, &n_needs);
	size_t size = n_needs * NEED_SIZE + GUEST_NAME_MAX + 128;
	_cleanup_(freep) char *text = malloc(size);
	struct record record = { .type = RECORD_GUEST, .at_us = at_us, .text = text };
	int r = -ENOMEM;

	if (needs && text)
		r = cycle_format_guest(&plan->inventory.guests[step->guest], step->mechanism, needs,
				       n_needs, text, size);
	return r < 0 ? r : append_long(journal, &record);
}

int journal_add_skipped(struct journal *journal, const struct guest *guest, uint64_t at_us)
{
	char text[GUEST_NAME_MAX + 128];
	struct record record = { .type = RECORD_GUEST, .at_us = at_us, .text = text };
	int r = cycle_format_guest(guest, MECHANISM_NONE, NULL, 0, text, sizeof(text));

	return r < 0 ? r : append_long(journal, &record);
}

int journal_record_needs(struct journal *journal, const struct plan *plan, size_t i, uint64_t at_us)
{
	size_t n_needs;
	_cleanup_(freep) size_t *needs = find_needs(plan, plan->steps[i].guest, &n_needs);
	size_t size = n_needs * NEED_SIZE + 2;
	_cleanup_(freep) char *text = malloc(size);
	struct record record = { .type = RECORD_NEEDS, .at_us = at_us, .guest = i, .text = text };
	int r = needs && text ? cycle_format_needs(needs, n_needs, text, size) : -ENOMEM;

	return r < 0 ? r : append_long(journal, &record);
}

/* Records the graph's warnings for the report. */
static int record_warnings(struct journal *journal, const struct plan *plan, uint64_t now)
{
	const char *warning;
	int r = 0;

	for (size_t i = 0;
	     r == 0 && i < CYCLE_WARNINGS_MAX && (warning = graph_warning(plan->graph, i)); i++)
		r = journal_record(journal, RECORD_WARNING, now, 0, "%s", warning);
	return r;
}

/*
 * Writes the records of all steps at once. Separate writes are not needed,
 * because no guest is touched between these records.
 */
static int record_plan(struct journal *journal, const struct plan *plan, uint64_t now)
{
	_cleanup_(freep) char *text = NULL;
	size_t length = 0;
	FILE *lines = open_memstream(&text, &length);
	int r = lines ? 0 : -ENOMEM;

	for (size_t i = 0; i < plan->n_steps && r == 0; i++)
		r = record_step(journal, plan, &plan->steps[i], now, lines);
	if (lines && fclose(lines) != 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	r = write_lines(journal, text, length);
	return r < 0 ? count_unwritten(journal, r) : 0;
}

static int record_head(struct journal *journal, const struct cycle_head *head)
{
	char text[160], line[256];
	struct record record = {
		.type = RECORD_CYCLE,
		.at_us = head->base_us,
		.text = text,
	};
	int r = cycle_format_head(head, text, sizeof(text));

	return r < 0 ? r : append(journal, &record, line, sizeof(line));
}

static int create_file(struct journal *journal, const char *directory, struct error *error)
{
	int r = directory_make(directory);

	if (r < 0)
		return error_set(error, r, "cannot create the directory %s: %s", directory,
				 strerror(-r));
	journal->fd = open(journal->path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	return journal->fd < 0 ? error_set(error, -errno, "cannot create the journal %s: %s",
					   journal->path, strerror(errno))
			       : 0;
}

static int record_begin(struct journal *journal, const struct cycle_head *head,
			const struct plan *plan)
{
	int r = record_head(journal, head);

	if (r >= 0)
		r = record_plan(journal, plan, head->base_us);
	return r < 0 ? r : record_warnings(journal, plan, head->base_us);
}

/* ---- renewing ------------------------------------------------------------ */

static int print_record(enum record_type type, uint64_t at_us, size_t guest, const char *text,
			FILE *lines)
{
	struct record record = { .type = type, .at_us = at_us, .guest = guest, .text = text };
	size_t size = strlen(text) + 64;
	_cleanup_(freep) char *line = malloc(size);
	int r = line ? record_format(&record, line, size) : -ENOMEM;

	if (r < 0)
		return r;
	return fputs(line, lines) < 0 ? -ENOMEM : 0;
}

static int print_guest(const struct cycle_guest *guest, uint64_t at_us, FILE *lines)
{
	size_t size = guest->n_needs * NEED_SIZE + GUEST_NAME_MAX + 128;
	_cleanup_(freep) char *text = malloc(size);
	struct guest named = { .domid = guest->domid };
	int r;

	if (!text)
		return -ENOMEM;
	memcpy(named.uuid, guest->uuid, sizeof(named.uuid));
	snprintf(named.name, sizeof(named.name), "%s", guest->name);
	r = cycle_format_guest(&named, guest->mechanism, guest->needs, guest->n_needs, text, size);
	return r < 0 ? r : print_record(RECORD_GUEST, at_us, 0, text, lines);
}

static int print_state(const struct cycle *cycle, uint64_t at_us, FILE *lines)
{
	char text[256];
	int r = cycle_format_head(&cycle->head, text, sizeof(text));

	if (r >= 0)
		r = print_record(RECORD_CYCLE, cycle->head.base_us, 0, text, lines);
	for (size_t i = 0; i < cycle->n_guests && r >= 0; i++)
		r = print_guest(&cycle->guests[i], at_us, lines);
	for (size_t i = 0; i < cycle->n_guests && r >= 0; i++) {
		cycle_format_take_over(&cycle->guests[i], text, sizeof(text));
		r = print_record(RECORD_TAKE_OVER, at_us, i, text, lines);
	}
	if (r >= 0 && cycle->ended)
		r = print_record(RECORD_END, at_us, 0, "", lines);
	return r;
}

static int replace_file(struct journal *journal, const char *text, size_t length)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int fd = -EBADF;
	int r;

	if (asprintf(&path, "%s.new", journal->path) < 0)
		return -ENOMEM;
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, length);
	if (r == 0 && rename(path, journal->path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(path);
		return r;
	}
	closep(&journal->fd);
	journal->fd = fd;
	fd = -EBADF;
	journal->end = (off_t)length;
	journal->unwritable = 0;
	return 0;
}

int journal_renew(struct journal *journal, uint64_t at_us)
{
	_cleanup_(freep) char *text = NULL;
	size_t length = 0;
	FILE *lines = open_memstream(&text, &length);
	int r = lines ? print_state(&journal->cycle, at_us, lines) : -ENOMEM;

	if (lines && fclose(lines) != 0)
		r = -ENOMEM;
	return r < 0 ? r : replace_file(journal, text, length);
}

/* ---- creating ------------------------------------------------------------ */

/* Without its beginning the file is of no use. */
static void drop_file(struct journal *journal)
{
	unlink(journal->path);
	closep(&journal->fd);
	journal->fd = -EBADF;
	journal->unwritable = journal->cycle.write_error;
}

int journal_create(const char *directory, const struct cycle_head *head, const struct plan *plan,
		   bool is_dispensable, struct journal **ret_journal, struct error *error)
{
	_cleanup_(journal_closep) struct journal *journal = journal_new(directory, head->number);
	struct error ignored = { 0 };
	int r;

	if (!journal)
		return error_set(error, -ENOMEM, "cannot create a journal: out of memory");
	journal->is_dispensable = is_dispensable;
	r = create_file(journal, directory, is_dispensable ? &ignored : error);
	if (r < 0 && !is_dispensable)
		return r;
	journal->unwritable = r;
	r = record_begin(journal, head, plan);
	if (journal->fd >= 0 && (r < 0 || journal->cycle.n_unwritten > 0))
		drop_file(journal);
	if (r < 0)
		return error_set(error, r, "cannot write the journal %s: %s", journal->path,
				 strerror(-r));
	*ret_journal = TAKE_PTR(journal);
	return 0;
}

/*
 * Applies one line, given without its newline. The first line must be the head, and
 * there must be no second head. Returns 0 if *ret was applied, RECORD_UNKNOWN,
 * -EBADMSG or -ENOMEM.
 */
static int replay_line(struct cycle *cycle, char *line, size_t length, bool first,
		       struct record *ret)
{
	int r = strlen(line) == length ? record_parse(line, ret) : -EBADMSG;

	if (r == 0 && !first && ret->type == RECORD_CYCLE)
		return -EBADMSG;
	if (r == 0 && first && ret->type != RECORD_CYCLE) {
		/* The head is missing. The moments count from the first record. */
		cycle->n_damaged++;
		cycle->head.base_us = ret->at_us;
	}
	return r == 0 ? cycle_apply(cycle, ret) : r;
}

/*
 * Counts a line that replay_line() has not accepted. A record of a guest has already
 * been replaced by a lost guest.
 */
static int skip_line(struct cycle *cycle, const struct record *record, bool first)
{
	if (!first && record->type != RECORD_GUEST)
		return cycle_apply_damaged(cycle);
	cycle->n_damaged++;
	return 0;
}

/*
 * Applies all whole lines after `*end`, and moves `*end` past them. A last line
 * without a newline is not applied. Either the line is still being written, or a
 * crash tore the line before its record took effect.
 */
static int replay(struct cycle *cycle, FILE *file, off_t *end, journal_observer_fn observer,
		  void *data)
{
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while ((length = getline(&line, &size, file)) > 0) {
		struct record record = { 0 };
		bool first = *end == 0;
		int r;

		if (line[length - 1] != '\n')
			break;
		line[length - 1] = '\0';
		r = replay_line(cycle, line, (size_t)length - 1, first, &record);
		if (r == -EBADMSG)
			r = skip_line(cycle, &record, first);
		else if (r == 0 && observer)
			observer(data, cycle, &record);
		if (r < 0)
			return r;
		*end += length;
	}
	if (ferror(file))
		return -EIO;
	/* Without memory, getline(3) fails before the end, and sets no flag. */
	return feof(file) ? 0 : -ENOMEM;
}

/* Removes the needs of guests that the journal does not have. */
static void drop_wrong_needs(struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_guests; i++) {
		struct cycle_guest *guest = &cycle->guests[i];
		size_t n = 0;

		for (size_t j = 0; j < guest->n_needs; j++)
			if (guest->needs[j] < cycle->n_guests)
				guest->needs[n++] = guest->needs[j];
		cycle->n_damaged += n < guest->n_needs;
		guest->n_needs = n;
	}
}

static bool has_readable_guest(const struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_guests; i++)
		if (!cycle->guests[i].lost)
			return true;
	return false;
}

/* Reads and replays the file at journal->path. */
static int load(struct journal *journal, off_t *ret_end, struct error *error)
{
	_cleanup_(fclosep) FILE *file = fopen(journal->path, "re");
	int r;

	if (!file)
		return error_set(error, -errno, "cannot read the journal %s: %s", journal->path,
				 strerror(errno));
	r = replay(&journal->cycle, file, ret_end, NULL, NULL);
	drop_wrong_needs(&journal->cycle);
	if (r == 0 && journal->cycle.n_damaged > 0 && !has_readable_guest(&journal->cycle))
		r = -EBADMSG;
	if (r == -EBADMSG)
		return error_set(error, r, "the journal %s is damaged: no guest can be read",
				 journal->path);
	return r < 0 ? error_set(error, r, "cannot read the journal %s: %s", journal->path,
				 strerror(-r))
		     : 0;
}

int journal_open(const char *directory, uint64_t number, struct journal **ret_journal,
		 struct error *error)
{
	_cleanup_(journal_closep) struct journal *journal = journal_new(directory, number);
	off_t end = 0;
	int r = journal ? load(journal, &end, error)
			: error_set(error, -ENOMEM, "cannot read the journals in %s: out of memory",
				    directory);

	if (r < 0)
		return r;
	/*
	 * If this fails, each record fails later. The guests are resumed all the same: a
	 * file system that has become read-only is no reason to leave them suspended.
	 */
	journal->fd = open(journal->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (journal->fd < 0 || ftruncate(journal->fd, end) < 0)
		journal->unwritable = -errno;
	journal->end = end;
	*ret_journal = TAKE_PTR(journal);
	return 0;
}

bool journal_is_obsolete(const struct cycle *cycle, const char *boot_id)
{
	if (cycle->head.boot_id[0] == '\0')
		return cycle->n_guests == 0;
	return strcmp(cycle->head.boot_id, boot_id) != 0;
}

int journal_read(const char *directory, uint64_t number, struct cycle *ret_cycle,
		 struct error *error)
{
	_cleanup_(journal_closep) struct journal *journal = journal_new(directory, number);
	off_t end = 0;
	int r = journal ? load(journal, &end, error)
			: error_set(error, -ENOMEM, "cannot read the journals in %s: out of memory",
				    directory);

	if (r < 0)
		return r;
	*ret_cycle = journal->cycle;
	journal->cycle = (struct cycle){ 0 };
	return 0;
}

/* ---- following ---------------------------------------------------------- */

struct journal_follower {
	FILE *file;
	off_t end; /* offset of the end of the last line that was read */
	struct cycle cycle;
};

int journal_follow(const char *directory, uint64_t number, struct journal_follower **ret_follower,
		   struct error *error)
{
	struct journal_follower *follower = calloc(1, sizeof(*follower));
	_cleanup_(freep) char *path = NULL;

	if (!follower || asprintf(&path, "%s/%" PRIu64, directory, number) < 0) {
		free(follower);
		return error_set(error, -ENOMEM, "cannot read the journals in %s: out of memory",
				 directory);
	}
	cycle_init(&follower->cycle, number);
	follower->file = fopen(path, "re");
	if (!follower->file) {
		free(follower);
		return error_set(error, -errno, "cannot read the journal %s: %s", path,
				 strerror(errno));
	}
	*ret_follower = follower;
	return 0;
}

void journal_follower_free(struct journal_follower *follower)
{
	if (!follower)
		return;
	fclose(follower->file);
	cycle_done(&follower->cycle);
	free(follower);
}

int journal_follower_read(struct journal_follower *follower, journal_observer_fn observer,
			  void *data)
{
	/*
	 * A seek drops the stream's buffer and end-of-file flag, even if the
	 * position stays the same.
	 */
	if (fseeko(follower->file, follower->end, SEEK_SET) < 0)
		return -errno;
	return replay(&follower->cycle, follower->file, &follower->end, observer, data);
}

const struct cycle *journal_follower_cycle(const struct journal_follower *follower)
{
	return &follower->cycle;
}

/* ---- the directory ------------------------------------------------------ */

int journal_list(const char *directory, uint64_t **ret_numbers)
{
	return numbered_files_list(directory, "", UINT64_MAX, ret_numbers);
}

int journal_for_each_cycle(const char *directory, journal_cycle_fn handle, void *data)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = journal_list(directory, &numbers), r = 0;
	char boot_id[BOOT_ID_SIZE];

	assert(handle);
	if (n <= 0 || boot_id_read(boot_id) < 0)
		return 0;
	for (int i = 0; i < n && r == 0; i++) {
		struct cycle cycle;

		if (journal_read(directory, numbers[i], &cycle, NULL) < 0)
			continue;
		if (!journal_is_obsolete(&cycle, boot_id))
			r = handle(data, &cycle);
		cycle_done(&cycle);
	}
	return r;
}
