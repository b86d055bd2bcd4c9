/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lets worlds happen, and judges them. See README.md. */

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/worlds/backend.h"
#include "tests/worlds/known.h"
#include "tests/worlds/laws.h"
#include "tests/worlds/search.h"
#include "tests/worlds/world-file.h"

static const char usage[] =
	"usage: worlds [--processes | --random-kills | --double] [--seed=N] [--count=N] [--found=DIRECTORY]\n"
	"       worlds [--processes | --double] --check [--kept=DIRECTORY] [--seed=N] [--count=N]\n"
	"       worlds [--processes | --double] --replay FILE...\n"
	"       worlds [--double] --print --seed=N\n";

static const struct option long_options[] = {
	{ "processes", no_argument, NULL, 'p' },
	{ "random-kills", no_argument, NULL, 'R' },
	{ "double", no_argument, NULL, 'd' },
	{ "seed", required_argument, NULL, 's' },
	{ "count", required_argument, NULL, 'n' },
	{ "found", required_argument, NULL, 'f' },
	{ "kept", required_argument, NULL, 'k' },
	{ "check", no_argument, NULL, 'c' },
	{ "replay", no_argument, NULL, 'r' },
	{ "print", no_argument, NULL, 'P' },
	{ 0 },
};

static int print_world(const struct search *search)
{
	struct world world;

	search->backend->generate(search->seed, &world);
	world_print(&world, stdout);
	return 0;
}

static int parse(int argc, char **argv, struct search *search, int *ret_mode)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'p':
			search->backend = &backend_processes;
			break;
		case 'R':
			search->backend = &backend_random_kills;
			break;
		case 'd':
			search->backend = &backend_double;
			break;
		case 's':
			search->seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			search->count = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			search->found = optarg;
			break;
		case 'k':
			search->kept = optarg;
			break;
		case 'c':
		case 'r':
		case 'P':
			*ret_mode = option;
			break;
		default:
			return -1;
		}
	}
	return 0;
}

static int run(struct search *search, int mode, char **files)
{
	int failures = 0;

	if (mode == 'r')
		return search_replay(search, files);
	if (mode == 'c')
		failures = search_replay_kept(search);
	return failures + search_run(search);
}

int main(int argc, char **argv)
{
	struct search search = {
		.backend = &backend_calls,
		.seed = 1,
		.count = 1000,
	};
	int mode = 0, r;

	if (parse(argc, argv, &search, &mode) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	if (!search.kept)
		search.kept = search.backend->kept;
	if (mode == 'P')
		return print_world(&search);
	if (search_open(&search) < 0)
		return 1;
	r = run(&search, mode, argv + optind);
	search_close(&search);
	return r != 0;
}
