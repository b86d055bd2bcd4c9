/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/world-file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"

static void print_settings(const struct settings *settings, FILE *out)
{
	for (size_t i = 0; i < settings->n; i++)
		fprintf(out, "%s=%s\n", settings->items[i].key, settings->items[i].value);
}

void world_print_scenario(const struct world *world, const char *more, FILE *out)
{
	if (world->host.n > 0 || more[0])
		fprintf(out, "[Host]\n%s", more);
	print_settings(&world->host, out);
	for (size_t i = 0; i < world->n_guests; i++) {
		fprintf(out, "[Guest \"%s\"]\n", world->guests[i].name);
		print_settings(&world->guests[i].settings, out);
	}
}

static void print_duration(uint64_t us, FILE *out)
{
	if (us % 60000000 == 0)
		fprintf(out, "%" PRIu64 "min", us / 60000000);
	else if (us % 1000000 == 0)
		fprintf(out, "%" PRIu64 "s", us / 1000000);
	else
		fprintf(out, "%" PRIu64 "us", us);
}

static void print_step(const struct world_step *step, FILE *out)
{
	switch (step->type) {
	case STEP_RUN:
		fprintf(out, "#$ run %s\n", step->text);
		break;
	case STEP_KILL:
		fprintf(out, "#$ kill %" PRIu64 " %s\n", step->number, step->text);
		break;
	case STEP_PASS:
		fprintf(out, "#$ pass ");
		print_duration(step->number, out);
		fprintf(out, "\n");
		break;
	case STEP_DAMAGE:
		fprintf(out, "#$ damage %s\n", step->text);
		break;
	case STEP_N_TYPES:
		break;
	}
}

void world_print(const struct world *world, FILE *out)
{
	for (size_t i = 0; i < world->n_config; i++)
		fprintf(out, "#$ config %s\n", world->config[i]);
	for (size_t i = 0; i < world->n_steps; i++)
		print_step(&world->steps[i], out);
	world_print_scenario(world, "", out);
}

/* ---- reading ------------------------------------------------------------ */

static int read_directive(struct world *world, const char *line)
{
	char *end;
	uint64_t number = 0;

	if (strncmp(line, "config ", 7) == 0) {
		world_add_config(world, line + 7);
	} else if (strncmp(line, "run ", 4) == 0) {
		world_add_step(world, STEP_RUN, 0, line + 4);
	} else if (strncmp(line, "kill ", 5) == 0) {
		number = strtoull(line + 5, &end, 10);
		world_add_step(world, STEP_KILL, number, end + strspn(end, " "));
	} else if (strncmp(line, "pass ", 5) == 0 && world_parse_duration(line + 5, &number)) {
		world_add_step(world, STEP_PASS, number, "");
	} else if (strncmp(line, "damage ", 7) == 0) {
		world_add_step(world, STEP_DAMAGE, 0, line + 7);
	} else {
		return -1;
	}
	return 0;
}

static int read_key(struct settings *settings, char *line)
{
	char *equals = strchr(line, '=');

	if (!settings || !equals)
		return -1;
	*equals = '\0';
	settings_set(settings, line, equals + 1);
	return 0;
}

static int read_line(struct world *world, struct settings **current, char *line)
{
	struct world_guest *guest = &world->guests[world->n_guests];

	if (strncmp(line, "#$ ", 3) == 0)
		return read_directive(world, line + 3);
	if (line[0] == '#' || line[0] == '\0')
		return 0;
	if (strcmp(line, "[Host]") == 0) {
		*current = &world->host;
		return 0;
	}
	if (line[0] != '[')
		return read_key(*current, line);
	if (world->n_guests == WORLD_GUESTS_MAX ||
	    sscanf(line, "[Guest \"%23[^\"]\"]", guest->name) != 1)
		return -1;
	world->n_guests++;
	*current = &guest->settings;
	return 0;
}

int world_parse(FILE *file, const char *name, struct world *ret_world)
{
	struct settings *current = NULL;
	char line[256];

	*ret_world = (struct world){ 0 };
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (read_line(ret_world, &current, line) == 0)
			continue;
		fprintf(stderr, "%s: '%s' is no line of a world\n", name, line);
		return -1;
	}
	return 0;
}

int world_read(const char *path, struct world *ret_world)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");

	if (!file) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		return -1;
	}
	return world_parse(file, path, ret_world);
}
