/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/report-file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "base/directory.h"
#include "base/numbered-files.h"
#include "record/report-json.h"

static char *report_path(const char *directory, uint64_t number)
{
	char *path;

	return asprintf(&path, "%s/%" PRIu64 ".json", directory, number) < 0 ? NULL : path;
}

int report_list(const char *directory, uint64_t **ret_numbers)
{
	return numbered_files_list(directory, ".json", INT64_MAX, ret_numbers);
}

int report_remove(const char *directory, uint64_t number)
{
	_cleanup_(freep) char *path = report_path(directory, number);

	if (!path)
		return -ENOMEM;
	return unlink(path) < 0 ? -errno : 0;
}

uint64_t report_last_number(const char *directory)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = report_list(directory, &numbers);

	return n > 0 ? numbers[n - 1] : 0;
}

/*
 * Creates the directory if it does not exist. All users may read it, whatever
 * the umask of this process is.
 */
static int make_directory(const char *directory)
{
	int r;

	if (access(directory, F_OK) == 0)
		return 0;
	r = directory_make(directory);
	if (r == 0 && chmod(directory, 0755) < 0)
		r = -errno;
	return r;
}

static int write_file(const char *path, const struct report *report)
{
	_cleanup_(closep) int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	_cleanup_(fclosep) FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int r;

	if (!file)
		return -errno;
	fd = -EBADF; /* closed with the stream */
	r = report_print_json(report, file);
	if (r < 0)
		return r;
	/*
	 * The data must be on disk before the rename, so that a power cut
	 * leaves the old file or the new one.
	 */
	if (fflush(file) != 0 || fchmod(fileno(file), 0644) < 0 || fdatasync(fileno(file)) < 0)
		return -errno;
	return 0;
}

/*
 * Keeps the newest `keep` reports and the report of cycle `newest`, and removes
 * all others. If a report cannot be removed, the next call tries again.
 */
static void prune(const char *directory, uint64_t newest, uint64_t keep)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = report_list(directory, &numbers);

	if (!numbers)
		return;
	for (int i = 0; i < n && (uint64_t)(n - i) > keep; i++)
		if (numbers[i] != newest)
			report_remove(directory, numbers[i]);
}

int report_save(const char *directory, const struct report *report, uint64_t keep,
		struct error *error)
{
	_cleanup_(freep) char *path = report_path(directory, report->cycle);
	_cleanup_(freep) char *temporary = NULL;
	int r;

	/*
	 * All reports use the same temporary file, so that the next report
	 * overwrites a file that a crash has left.
	 */
	if (!path || asprintf(&temporary, "%s/.new", directory) < 0)
		return error_set(error, -ENOMEM, "cannot write a report to %s: out of memory",
				 directory);
	r = make_directory(directory);
	if (r == 0)
		r = write_file(temporary, report);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return error_set(error, r, "cannot write the report %s: %s", path, strerror(-r));
	}
	prune(directory, report->cycle, keep);
	return 0;
}

static int load_file(const char *path, struct report **ret_report, struct error *error)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : report_read(fd, ret_report);

	if (r == -EBADMSG)
		return error_set(
			error, r,
			"the report %s is damaged, or was written by another version of pmcoord; it can be removed",
			path);
	if (r < 0)
		error_set(error, r, "cannot read the report %s: %s", path, strerror(-r));
	return r;
}

int report_load(const char *directory, uint64_t number, struct report **ret_report,
		struct error *error)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	_cleanup_(freep) char *path = NULL;
	int n = report_list(directory, &numbers);

	if (n < 0)
		return error_set(error, n, "cannot read the reports in %s: %s", directory,
				 strerror(-n));
	if (n == 0)
		return error_set(
			error, -ENOENT,
			"there is no report in %s yet: 'pmcoord suspend-all' or 'pmcoord cycle' makes one",
			directory);
	path = report_path(directory, number ? number : numbers[n - 1]);
	if (!path)
		return error_set(error, -ENOMEM, "cannot read a report in %s: out of memory",
				 directory);
	if (number && access(path, F_OK) < 0 && errno == ENOENT)
		return error_set(error, -ENOENT,
				 "there is no report of cycle %" PRIu64
				 ": the oldest report is of cycle %" PRIu64
				 ", the newest of cycle %" PRIu64,
				 number, numbers[0], numbers[n - 1]);
	return load_file(path, ret_report, error);
}
