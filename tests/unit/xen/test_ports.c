/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/domain-id.h"
#include "xen/ports.h"

#define UUID_A "00000000-0000-0000-0000-00000000000a"

struct taken {
	struct remembered_port ports[8];
	size_t n;
};

static void take(void *data, const struct remembered_port *port)
{
	struct taken *taken = data;

	assert_in_range(taken->n, 0, 7);
	taken->ports[taken->n++] = *port;
}

static int set_up(void **state)
{
	char *path = strdup("/tmp/pmcoord-ports-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	*state = path;
	return 0;
}

static int tear_down(void **state)
{
	unlink(*state);
	free(*state);
	return 0;
}

static void loads_what_it_saved(void **state)
{
	struct remembered_port ports[] = {
		{ .id.domid = 3, .guest_port = 17 },
		{ .id.domid = 3, .guest_port = 9, .local_port = 44, .is_published = true },
	};
	struct taken taken = { .n = 0 };

	assert_int_equal(guest_uuid_parse(UUID_A, ports[0].id.uuid), 0);
	assert_int_equal(guest_uuid_parse(UUID_A, ports[1].id.uuid), 0);
	assert_int_equal(ports_save(*state, ports, 2), 0);
	ports_load(*state, take, &taken);
	assert_int_equal(taken.n, 2);
	assert_memory_equal(taken.ports[0].id.uuid, ports[0].id.uuid, GUEST_UUID_SIZE);
	assert_int_equal(taken.ports[0].guest_port, 17);
	assert_int_equal(taken.ports[0].local_port, 0);
	assert_false(taken.ports[0].is_published);
	assert_int_equal(taken.ports[1].guest_port, 9);
	assert_int_equal(taken.ports[1].local_port, 44);
	assert_true(taken.ports[1].is_published);
}

static void saving_replaces_earlier_ports(void **state)
{
	struct remembered_port port = { .id.domid = 3, .guest_port = 17 };
	struct taken taken = { .n = 0 };

	assert_int_equal(ports_save(*state, &port, 1), 0);
	assert_int_equal(ports_save(*state, NULL, 0), 0);
	ports_load(*state, take, &taken);
	assert_int_equal(taken.n, 0);
}

static void ignores_malformed_lines(void **state)
{
	static const char *const broken[] = {
		"",
		"nonsense",
		"3 " UUID_A " own 17",
		"3 " UUID_A " stolen 17 0",
		"3 not-a-uuid own 17 0",
		"x " UUID_A " own 17 0",
	};
	FILE *file = fopen(*state, "we");
	struct taken taken = { .n = 0 };

	assert_non_null(file);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		fprintf(file, "%s\n", broken[i]);
	fprintf(file, "5 " UUID_A " own 8 0\n");
	fclose(file);
	ports_load(*state, take, &taken);
	assert_int_equal(taken.n, 1);
	assert_int_equal(taken.ports[0].id.domid, 5);
}

static void a_missing_file_is_empty(void **state)
{
	struct taken taken = { .n = 0 };

	unlink(*state);
	ports_load(*state, take, &taken);
	assert_int_equal(taken.n, 0);
}

static void tells_what_cannot_be_saved(void **state)
{
	struct remembered_port port = { .guest_port = 17 };
	char path[128];

	assert_int_equal(ports_save("/dev/null/ports", &port, 1), -ENOTDIR);
	snprintf(path, sizeof(path), "%s.new", (const char *)*state);
	assert_int_equal(symlink("/dev/full", path), 0);
	assert_int_equal(ports_save(*state, &port, 1), -ENOSPC);
	unlink(path);
	/* A directory cannot be replaced by a file. */
	unlink(*state);
	assert_int_equal(mkdir(*state, 0700), 0);
	assert_int_equal(ports_save(*state, &port, 1), -EISDIR);
	unlink(path);
	rmdir(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(loads_what_it_saved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(saving_replaces_earlier_ports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ignores_malformed_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_missing_file_is_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_what_cannot_be_saved, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("ports", tests, NULL, NULL);
}
