/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sleep-conf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/write.h"
#include "host/systemd-config.h"

#define DIRECTORY "run/systemd/sleep.conf.d"
/* In ASCII "~" is after each letter and digit, so that this drop-in is the last. */
#define DROP_IN "~pmcoord.conf"

/* systemd's default of SuspendState=, see systemd-sleep.conf(5). */
#define DEFAULT_STATES "mem standby freeze"

/* Appends the words of `value` to the list `text`, as systemd does over all files. */
static void append_words(const char *value, char *text, size_t size)
{
	static const char spaces[] = " \t";
	size_t used = strlen(text), length;

	for (value += strspn(value, spaces); value[0]; value += strspn(value, spaces)) {
		length = strcspn(value, spaces);
		if (used + length + 2 > size) {
			snprintf(text, size, "%s", "(a longer list)");
			return;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%.*s", used ? " " : "",
					 (int)length, value);
		value += length;
	}
}

/* An empty value empties the list. */
static void take_list(const char *value, char *text, size_t size)
{
	if (value[strspn(value, " \t")] == '\0')
		text[0] = '\0';
	else
		append_words(value, text, size);
}

/* Whether the file is a drop-in that systemd reads after that of pmcoord. */
static bool is_late(const char *path)
{
	const char *name = strrchr(path, '/');

	return strstr(path, ".conf.d/") && name && strcmp(name + 1, DROP_IN) > 0;
}

static void take_key(void *data, const char *path, const char *key, const char *value)
{
	struct sleep_conf *conf = data;

	if (strcmp(key, "AllowSuspend") == 0) {
		snprintf(conf->allow_suspend, sizeof(conf->allow_suspend), "%s", value);
		return;
	}
	if (strcmp(key, "SuspendState") == 0)
		take_list(value, conf->states, sizeof(conf->states));
	else if (strcmp(key, "MemorySleepMode") == 0)
		snprintf(conf->memory_modes, sizeof(conf->memory_modes), "%s", value);
	else
		return;
	if (is_late(path))
		snprintf(conf->late_file, sizeof(conf->late_file), "%s", path);
}

int sleep_conf_read(const char *root, struct sleep_conf *ret_conf)
{
	int r;

	assert(root && ret_conf);
	*ret_conf = (struct sleep_conf){ 0 };
	r = systemd_config_read(root, "sleep.conf", "Sleep", take_key, ret_conf);
	if (ret_conf->states[0] == '\0')
		snprintf(ret_conf->states, sizeof(ret_conf->states), "%s", DEFAULT_STATES);
	return r;
}

/* Whether each word of the list is `word`. */
static bool has_only(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (strncmp(list, word, length) == 0 && (list[length] == ' ' || list[length] == '\0')) {
		if (list[length] == '\0')
			return true;
		list += length + 1;
	}
	return false;
}

bool sleep_conf_allows_only_s3(const struct sleep_conf *conf)
{
	assert(conf);
	return has_only(conf->states, "mem") &&
	       (conf->memory_modes[0] == '\0' || has_only(conf->memory_modes, "deep"));
}

/* Writes a file with a new name, and then gives it its own: systemd never reads half of it. */
static int write_drop_in(const char *path, const char *new_path, const char *text)
{
	_cleanup_(closep) int fd = -EBADF;
	int r;

	fd = open(new_path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	if (r == 0 && rename(new_path, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(new_path);
	return r;
}

static int make_drop_in(const char *root, const struct sleep_conf *conf)
{
	char directory[PATH_MAX], path[PATH_MAX], new_path[PATH_MAX], text[256];

	snprintf(text, sizeof(text),
		 "# Written by pmcoord for the time of one sleep: S3, or none.\n"
		 "[Sleep]\nSuspendState=\nSuspendState=mem\n%s",
		 /* An older systemd would warn of it. */
		 conf->memory_modes[0] ? "MemorySleepMode=deep\n" : "");
	snprintf(directory, sizeof(directory), "%s/" DIRECTORY, root);
	snprintf(path, sizeof(path), "%s/" DIRECTORY "/" DROP_IN, root);
	snprintf(new_path, sizeof(new_path), "%s/" DIRECTORY "/." DROP_IN ".new", root);
	/* systemd has made the directories above it. */
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	return write_drop_in(path, new_path, text);
}

int sleep_conf_restrict(const char *root, struct error *error)
{
	struct sleep_conf conf;
	int r = sleep_conf_read(root, &conf), written;

	if (r < 0)
		return error_set(error, r, "cannot read systemd's sleep.conf: %s", strerror(-r));
	written = make_drop_in(root, &conf);
	r = sleep_conf_read(root, &conf);
	if (r == 0 && sleep_conf_allows_only_s3(&conf))
		return 0;
	sleep_conf_release(root);
	if (written < 0)
		return error_set(
			error, written,
			"cannot write %s/" DIRECTORY "/" DROP_IN
			": %s; without it systemd tries another sleep state if the kernel refuses S3",
			root, strerror(-written));
	return error_refuse(
		error, OUTCOME_UNSUPPORTED,
		"if the kernel refuses S3, systemd would try another sleep state (SuspendState=%s%s%s): remove these keys from %s",
		conf.states, conf.memory_modes[0] ? ", MemorySleepMode=" : "", conf.memory_modes,
		conf.late_file[0] ? conf.late_file : "the drop-ins of sleep.conf");
}

void sleep_conf_release(const char *root)
{
	char path[PATH_MAX];

	assert(root);
	snprintf(path, sizeof(path), "%s/" DIRECTORY "/" DROP_IN, root);
	unlink(path);
}
