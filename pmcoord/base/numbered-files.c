/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/numbered-files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

/* Size of the digits of UINT64_MAX, with a NUL. */
#define DIGITS_SIZE 21

static bool parse_name(const char *name, const char *suffix, uint64_t max, uint64_t *ret_number)
{
	size_t length = strspn(name, "0123456789");
	char digits[DIGITS_SIZE];

	if (length >= sizeof(digits) || name[0] == '0' || strcmp(name + length, suffix) != 0)
		return false;
	memcpy(digits, name, length);
	digits[length] = '\0';
	return parse_u64(digits, max, ret_number) == 0;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static int read_numbers(DIR *directory, const char *suffix, uint64_t max, uint64_t **ret_numbers)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	struct dirent *entry;
	uint64_t number;
	size_t n = 0;

	while ((entry = readdir(directory))) {
		if (!parse_name(entry->d_name, suffix, max, &number))
			continue;
		if (array_grow(&numbers, n, sizeof(*numbers)) < 0)
			return -ENOMEM;
		numbers[n++] = number;
	}
	if (n > 0)
		qsort(numbers, n, sizeof(*numbers), compare_numbers);
	*ret_numbers = TAKE_PTR(numbers);
	return (int)n;
}

int numbered_files_list(const char *directory, const char *suffix, uint64_t max,
			uint64_t **ret_numbers)
{
	_cleanup_(closedirp) DIR *dir = opendir(directory);

	assert(suffix && ret_numbers);
	if (!dir && errno == ENOENT) {
		*ret_numbers = NULL;
		return 0;
	}
	if (!dir)
		return -errno;
	return read_numbers(dir, suffix, max, ret_numbers);
}
