/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "pmcoord/parse.h"

/*
 * The maximum number of effects in a cycle; a cycle with more effects fails. Each hook,
 * network manager, cgroup, PCI function and module has one effect.
 */
#define EFFECTS_MAX 1024

static const char *const kind_names[] = {
	[EFFECT_HOOK] = "hook",	    [EFFECT_MANAGER] = "network-manager",
	[EFFECT_FREEZE] = "freeze", [EFFECT_DEVICE] = "device",
	[EFFECT_MODULE] = "module", [EFFECT_FREEZE_TIMEOUT] = "freeze-timeout",
};
ENUM_COMPLETE(kind_names, EFFECT_FREEZE_TIMEOUT);

const char *effect_kind_name(enum effect_kind kind)
{
	return ENUM_NAME(kind_names, kind);
}

static int append_effect(struct journal *journal, enum effect_kind kind, const char *text)
{
	struct effect *effects, *effect;

	if (journal->n_effects >= EFFECTS_MAX || strlen(text) >= EFFECT_TEXT_MAX)
		return -E2BIG;
	effects = realloc(journal->effects, (journal->n_effects + 1) * sizeof(*effects));
	if (!effects)
		return -ENOMEM;
	journal->effects = effects;
	effect = &effects[journal->n_effects++];
	*effect = (struct effect){ .kind = kind };
	strcpy(effect->text, text);
	return 0;
}

/*
 * Adds the effect of one record. Another version of the agent may have recorded an unknown
 * kind of effect. This effect is added as undone, so that the effects after it keep the
 * indices that "undone" records contain. Returns 0 or negative errno.
 */
static int parse_effect(struct journal *journal, char *text)
{
	char *space = strchr(text, ' ');
	int kind = -EINVAL, r;

	if (space) {
		*space = '\0';
		kind = ENUM_PARSE(kind_names, text);
	}
	if (kind >= 0)
		return append_effect(journal, (enum effect_kind)kind, space + 1);
	r = append_effect(journal, EFFECT_HOOK, "?");
	if (r == 0)
		journal->effects[journal->n_effects - 1].undone = true;
	return r;
}

/*
 * Loads one record. Unknown records of another version are ignored, because otherwise the
 * agent could not start. Returns 0 or negative errno.
 */
static int parse_record(struct journal *journal, char *line)
{
	uint64_t number;

	if (strncmp(line, "effect ", 7) == 0)
		return parse_effect(journal, line + 7);
	if (strncmp(line, "cycle ", 6) == 0)
		(void)parse_u64(line + 6, UINT64_MAX, &journal->cycle);
	else if (strncmp(line, "undone ", 7) == 0 &&
		 parse_u64(line + 7, EFFECTS_MAX, &number) == 0 && number < journal->n_effects)
		journal->effects[number].undone = true;
	return 0;
}

static void drop_effects(struct journal *journal)
{
	free(journal->effects);
	journal->effects = NULL;
	journal->n_effects = 0;
}

/* Loads <run>/journal, if there is one, and keeps it open for appending. */
static int load_cycle(struct journal *journal, struct error *error)
{
	_cleanup_(freep) char *text = NULL;
	char path[FILE_PATH_MAX];
	size_t length;
	char *end, *line;
	int r = file_path(path, "%s/journal", journal->roots->run);

	if (r == 0)
		r = file_read_all(&text, &length, "%s", path);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set(error, r, "cannot read %s: %s", path, strerror(-r));
	drop_effects(journal);
	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		r = parse_record(journal, line);
		if (r < 0)
			return error_set(error, r, "%s: cannot load record '%s': %s", path, line,
					 strerror(-r));
	}
	closep(&journal->fd);
	journal->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (journal->fd < 0)
		return error_set(error, -errno, "cannot open %s: %s", path, strerror(errno));
	/* The agent died while it wrote a last line without a newline. */
	if (ftruncate(journal->fd, line - text) < 0)
		return error_set(error, -errno, "cannot truncate %s: %s", path, strerror(errno));
	journal->open = true;
	return 0;
}

static void load_done(struct journal *journal)
{
	_cleanup_(freep) char *text = NULL;
	size_t length, first;

	if (file_read_all(&text, &length, "%s/done", journal->roots->run) < 0)
		return;
	first = strcspn(text, "\n");
	if (protocol_parse_state(text, first, &journal->done) < 0)
		return;
	if (text[first] == '\n')
		snprintf(journal->detail, sizeof(journal->detail), "%.*s",
			 (int)strcspn(text + first + 1, "\n"), text + first + 1);
}

int journal_load(struct journal *ret, const struct roots *roots, struct error *error)
{
	assert(ret && roots);
	*ret = (struct journal){ .roots = roots, .lock_fd = -1, .fd = -1 };
	if (mkdir(roots->run, 0755) < 0 && errno != EEXIST)
		return error_set(error, -errno, "cannot create %s: %s", roots->run,
				 strerror(errno));
	load_done(ret);
	return load_cycle(ret, error);
}

int journal_lock(struct journal *journal, struct error *error)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_(closep) int fd = -1;
	char path[FILE_PATH_MAX];
	int r = file_path(path, "%s/lock", journal->roots->run);

	if (journal->lock_fd >= 0)
		return 0;
	if (r == 0) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		r = fd < 0 ? -errno : 0;
	}
	if (r < 0)
		return error_set(error, r, "cannot open %s: %s", path, strerror(-r));
	/* A child that hangs does not keep the lock, because fcntl locks are not inherited. */
	if (fcntl(fd, F_SETLK, &lock) < 0) {
		r = errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
		return error_set(error, r,
				 r == -EBUSY ? "another pmcoord-agent is running a cycle or a test"
					     : "cannot lock %s",
				 path);
	}
	journal->lock_fd = fd;
	fd = -1;
	return 0;
}

static bool has_effects(const struct journal *journal)
{
	for (size_t i = 0; i < journal->n_effects; i++)
		if (!journal->effects[i].undone)
			return true;
	return false;
}

/*
 * Appends a record. Returns 0 or negative errno; -ENOSPC if only a part could be written. The
 * part is removed again, because the next record would continue its line.
 */
static int append_line(struct journal *journal, const char *line)
{
	size_t length = strlen(line);
	ssize_t n = write(journal->fd, line, length);

	if (n < 0)
		return -errno;
	if ((size_t)n == length)
		return 0;
	return ftruncate(journal->fd, lseek(journal->fd, 0, SEEK_END) - n) < 0 ? -errno : -ENOSPC;
}

int journal_begin(struct journal *journal, uint64_t cycle, struct error *error)
{
	char path[FILE_PATH_MAX], line[64];
	int r = journal_lock(journal, error);

	if (r < 0)
		return r;
	if (!journal->open)
		r = load_cycle(journal, error);
	if (r < 0)
		return r;
	if (journal->open && has_effects(journal))
		return error_set(error, -EBUSY,
				 "cycle %" PRIu64
				 " has not been undone: run 'pmcoord-agent --restore'",
				 journal->cycle);
	closep(&journal->fd);
	drop_effects(journal);
	journal->open = false;
	r = file_path(path, "%s/journal", journal->roots->run);
	if (r == 0) {
		journal->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
		r = journal->fd < 0 ? -errno : 0;
	}
	snprintf(line, sizeof(line), "cycle %" PRIu64 "\n", cycle);
	if (r == 0)
		r = append_line(journal, line);
	if (r < 0)
		return error_set(error, r, "cannot write %s: %s", path, strerror(-r));
	journal->open = true;
	journal->cycle = cycle;
	return 0;
}

int journal_add(struct journal *journal, enum effect_kind kind, const char *text,
		struct error *error)
{
	char line[EFFECT_TEXT_MAX + 64];
	int r;

	assert(journal->open);
	r = append_effect(journal, kind, text);
	if (r == 0) {
		snprintf(line, sizeof(line), "effect %s %s\n", effect_kind_name(kind), text);
		r = append_line(journal, line);
		/* The effect was not recorded, so the caller does not make the change. */
		if (r < 0)
			journal->n_effects--;
	}
	if (r < 0)
		return error_set(error, r, "cannot record the effect '%s %s': %s",
				 effect_kind_name(kind), text, strerror(-r));
	return 0;
}

void journal_undone(struct journal *journal, size_t index)
{
	char line[64];

	assert(index < journal->n_effects);
	if (journal->effects[index].undone)
		return;
	journal->effects[index].undone = true;
	snprintf(line, sizeof(line), "undone %zu\n", index);
	/* If the record is lost, the next agent undoes the effect again, which is harmless. */
	(void)append_line(journal, line);
}

int journal_finish(struct journal *journal, const struct protocol_state *done, const char *detail)
{
	char path[FILE_PATH_MAX], text[PROTOCOL_DETAIL_MAX + 64];
	int r = 0;

	assert(!done || detail);
	if (done) {
		char state[PROTOCOL_TEXT_MAX];

		journal->done = *done;
		snprintf(journal->detail, sizeof(journal->detail), "%s", detail);
		protocol_format_state(done, state);
		snprintf(text, sizeof(text), "%s\n%s\n", state, journal->detail);
		r = file_path(path, "%s/done", journal->roots->run);
		if (r == 0)
			r = file_replace(path, text, strlen(text));
	}
	if (journal->open && file_path(path, "%s/journal", journal->roots->run) == 0)
		unlink(path);
	drop_effects(journal);
	journal->open = false;
	closep(&journal->fd);
	closep(&journal->lock_fd);
	return r;
}

void journal_done(struct journal *journal)
{
	if (!journal)
		return;
	drop_effects(journal);
	journal->open = false;
	closep(&journal->fd);
	closep(&journal->lock_fd);
}
