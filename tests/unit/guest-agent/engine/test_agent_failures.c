/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests what quiescing and restoring report, and what they leave, if any of their steps fails:
 * no child process, a full disk, a driver that refuses, a record that cannot be undone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "pmcoord/error.h"
#include "guest/files.h"
#include "guest/log.h"
#include "guest/settings.h"
#include "devices/device.h"
#include "engine/engine.h"
#include "engine/hooks.h"
#include "engine/inhibitors.h"
#include "engine/journal.h"
#include "net/netlink.h"
#include "tests/unit/guest-agent/engine/engine_run.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

/* As at the limit of descriptors. */
static bool has_no_pipe, has_no_inotify;

/* Replaces the C library's function. */
int pipe2(int ends[2], int flags)
{
	if (has_no_pipe) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_pipe2, ends, flags);
}

/* Replaces the C library's function, also for libsystemd. */
int inotify_init1(int flags)
{
	if (has_no_inotify) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_inotify_init1, flags);
}

/* The pauses before the tries of a start, which pass a hundred times faster while it counts. */
static bool counts_pauses;
static uint64_t pauses_us[16];
static size_t n_pauses;

/* Replaces libsystemd's function. Longer times are limits. */
int sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock,
			       uint64_t usec, uint64_t accuracy, sd_event_time_handler_t callback,
			       void *userdata)
{
	int (*real)(sd_event *, sd_event_source **, clockid_t, uint64_t, uint64_t,
		    sd_event_time_handler_t, void *) =
		(__typeof__(&sd_event_add_time_relative))dlsym(RTLD_NEXT,
							       "sd_event_add_time_relative");

	if (counts_pauses && usec < 10000000) {
		if (n_pauses < ELEMENTSOF(pauses_us))
			pauses_us[n_pauses++] = usec;
		usec /= 100;
	}
	return real(event, ret, clock, usec, accuracy, callback, userdata);
}

/* ---- Guests in which one step has something to do ---- */

static void thaw_all(struct run *run)
{
	for (size_t i = 0; i < run->settings.n_freeze; i++)
		free(run->settings.freeze[i]);
	run->settings.n_freeze = 0;
}

static void with_hook(struct run *run)
{
	add_script(run, "etc/suspend.d/10-true", "true");
}

static void with_sync(struct run *run)
{
	run->settings.sync = true;
}

static void with_network_manager(struct run *run)
{
	tree_write(&run->tree, "services/NetworkManager/.keep", "");
}

static void with_networkd(struct run *run)
{
	tree_write(&run->tree, "services/systemd/netif/links/4", "NETWORK_FILE=/etc/a.network\n");
}

static void with_sound(struct run *run)
{
	tree_add_function(&run->tree, SOUND, "snd_hda_intel", "0x8086 0x2668 0x040300");
}

static void with_cgroup(struct run *run)
{
	(void)run;
}

static void with_nic(struct run *run)
{
	thaw_all(run);
	add_nic(run);
}

static void with_module(struct run *run)
{
	thaw_all(run);
	add_script(run, "modprobe", "true");
	tree_write(&run->tree, "sys/module/odd/refcnt", "0");
	run->settings.unload = calloc(1, sizeof(char *));
	run->settings.unload[0] = strdup("odd");
	run->settings.n_unload = 1;
}

static void with_nothing(struct run *run)
{
	thaw_all(run);
}

static struct run *new_run(void (*prepare)(struct run *run))
{
	void *state;

	setup_run(&state);
	prepare(state);
	return state;
}

static void free_run(struct run *run)
{
	void *state = run;

	teardown_run(&state);
}

static void assert_undone(struct run *run)
{
	go_up(run);
	assert_false(run->degraded);
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "0");
	assert_string_equal(tree_read(&run->tree, "sys/power/pm_freeze_timeout"), "20000");
	assert_string_equal(tree_read(&run->tree, "run/journal"), "(none)");
	if (file_exists("%s/bus/pci/devices/" NIC, run->tree.sys))
		assert_true(tree_is_bound(&run->tree, NIC));
	if (file_exists("%s/bus/pci/devices/" SOUND, run->tree.sys))
		assert_true(tree_is_bound(&run->tree, SOUND));
}

/* ---- Quiescing ---- */

static void without_a_child_process_the_cycle_fails(void **state)
{
	static const struct {
		void (*prepare)(struct run *run);
		const char *text;
	} cases[] = {
		{ with_hook, "cannot run hook 10-true: Too many open files" },
		{ with_sync,
		  "cannot start a child process to sync file systems: Too many open files" },
		{ with_sound, "cannot stop device " SOUND " snd_hda_intel: Too many open files" },
		{ with_nic, "cannot stop device " NIC " e1000e: Too many open files" },
		{ with_module, "cannot unload module odd: Too many open files" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct run *run = new_run(cases[i].prepare);

		has_no_pipe = true;
		go_down(run);
		has_no_pipe = false;
		assert_int_equal(run->r, -EMFILE);
		assert_string_equal(run->text, cases[i].text);
		assert_undone(run);
		free_run(run);
	}
}

static void a_cgroup_that_cannot_be_watched_fails_the_cycle(void **state)
{
	struct run *run = *state;

	thaw_all(run);
	/* This cgroup does not freeze by itself. */
	tree_add_cgroup(&run->tree, "a.slice", NULL);
	run->settings.freeze[0] = strdup("a.slice");
	run->settings.n_freeze = 1;
	/* Another loop, which has no inotify yet. */
	sd_event_unref(run->event);
	assert_int_equal(sd_event_new(&run->event), 0);
	has_no_inotify = true;
	go_down(run);
	has_no_inotify = false;
	assert_int_equal(run->r, -EMFILE);
	assert_string_equal(run->text,
			    "cannot wait until the cgroups are frozen: Too many open files");
	go_up(run);
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/a.slice/cgroup.freeze"), "0");
}

/* /run is full after the first record. */
static void what_cannot_be_recorded_is_not_done(void **state)
{
	static const struct {
		void (*prepare)(struct run *run);
		const char *effect;
	} cases[] = {
		{ with_hook, "hook 10-true" },
		{ with_networkd, "network-manager systemd-networkd" },
		{ with_network_manager, "network-manager NetworkManager" },
		{ with_sound, "device " SOUND " snd_hda_intel" },
		{ with_cgroup, "freeze user.slice" },
		{ with_nic, "device " NIC " e1000e" },
		{ with_module, "module odd" },
		{ with_nothing, "freeze-timeout 20000" },
	};

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct run *run = new_run(cases[i].prepare);
		struct rlimit before, limit;
		char text[200];

		assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
		limit = before;
		limit.rlim_cur = strlen("cycle 7\n");
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		go_down(run);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_int_equal(run->r, -EFBIG);
		snprintf(text, sizeof(text), "cannot record the effect '%s': File too large",
			 cases[i].effect);
		assert_string_equal(run->text, text);
		assert_string_equal(effects(run), "");
		assert_string_equal(run->log.text, "");
		assert_undone(run);
		assert_string_equal(run->text, "");
		free_run(run);
	}
}

static void what_cannot_be_listed_fails_the_cycle(void **state)
{
	static const struct {
		const char *file, *text;
	} cases[] = {
		{ "etc/suspend.d", "cannot list the hooks in suspend.d: Not a directory" },
		{ "sys/bus/pci/devices", "cannot list PCI functions: Not a directory" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct run *run = new_run(with_cgroup);

		tree_write(&run->tree, cases[i].file, "");
		go_down(run);
		assert_int_equal(run->r, -ENOTDIR);
		assert_string_equal(run->text, cases[i].text);
		assert_undone(run);
		free_run(run);
	}
}

static void with_slow_hook(struct run *run)
{
	add_script(run, "etc/suspend.d/10-slow", "test $1 = post || exec sleep 60");
	run->settings.hook_timeout_us = 60000000;
}

static void with_slow_module(struct run *run)
{
	with_module(run);
	add_script(run, "modprobe", "test $1 != -r || exec sleep 60");
	run->settings.unbind_timeout_us = 60000000;
}

static void with_slow_device(struct run *run)
{
	with_nic(run);
	tree_teach(&run->tree, NIC, "hang-unbind", "");
	run->settings.unbind_timeout_us = 60000000;
}

/* Three quarters of the limit are for the steps, so that the kernel has the rest. */
static void the_step_that_takes_too_long_is_named(void **state)
{
	static const struct {
		void (*prepare)(struct run *run);
		const char *text;
	} cases[] = {
		{ with_slow_hook, "timed out in step 'pre hooks' (10-slow)" },
		{ with_slow_device, "timed out in step 'devices'" },
		{ with_slow_module, "timed out in step 'modules' (odd)" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct run *run = new_run(cases[i].prepare);
		const struct engine_step *steps;
		uint64_t start_us = clock_now_us();

		make_engine(run);
		engine_quiesce(run->engine, 7, 800000, on_down, run);
		wait_done(run);
		assert_in_range(clock_now_us() - start_us, 600000, 2600000);
		assert_int_equal(run->r, -ETIMEDOUT);
		/* An unbind that cannot use the time that is left is named itself. */
		assert_string_equal(run->text, cases[i].text);
		for (size_t n = engine_get_steps(run->engine, &steps); n > 0; n--)
			assert_non_null(steps[n - 1].what);
		go_up(run);
		free_run(run);
	}
}

/* ---- Devices ---- */

/* What the device's children have done, in <tree>/calls. */
static void record_call(const char *any_path, const char *call)
{
	char path[FILE_PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%.25s/calls", any_path);
	file = fopen(path, "ae");
	if (!file || fprintf(file, "%s\n", call) < 0 || fclose(file) != 0)
		_exit(9);
}

static int save_and_record(const struct roots *roots, const char *address)
{
	assert_string_equal(address, NIC);
	record_call(roots->sys, "save");
	return 1;
}

static void down_and_record(const struct roots *roots, const char *address)
{
	assert_string_equal(address, NIC);
	record_call(roots->sys, "down");
}

static int write_and_record(const char *path, const char *text)
{
	record_call(path, strrchr(path, '/') + 1);
	return tree_kernel_write(path, text);
}

static int restore_and_record(const struct roots *roots, const char *address,
			      struct netlink *monitor, uint64_t deadline_us, char *ret_text,
			      size_t size)
{
	uint64_t left_us = deadline_us - clock_now_us();
	char call[40];

	(void)ret_text;
	(void)size;
	assert_string_equal(address, NIC);
	snprintf(call, sizeof(call), "restore %d %d", monitor->fd >= 0,
		 (int)((left_us + 200000) / 1000000));
	record_call(roots->sys, call);
	return 0;
}

/* The wait for interfaces ends before the start's own limit, and after six seconds at most. */
static void a_device_is_saved_stopped_started_and_restored(void **state)
{
	static const struct {
		uint64_t timeout_us;
		const char *restore;
	} cases[] = { { 30000000, "restore 1 6" }, { 4000000, "restore 1 3" } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct run *run = new_run(with_nic);
		char calls[100];

		run->ops.links_save = save_and_record;
		run->ops.links_down = down_and_record;
		run->ops.links_restore = restore_and_record;
		run->ops.write = write_and_record;
		run->settings.restore_timeout_us = cases[i].timeout_us;
		assert_int_equal(strlen(run->tree.base), 25);
		go_down(run);
		assert_int_equal(run->r, 0);
		go_up(run);
		assert_false(run->degraded);
		snprintf(calls, sizeof(calls), "save\ndown\nunbind\nbind\n%s", cases[i].restore);
		assert_string_equal(tree_read(&run->tree, "calls"), calls);
		free_run(run);
	}
}

static int save_refuses(const struct roots *roots, const char *address)
{
	(void)roots;
	(void)address;
	return -EIO;
}

static int save_dies(const struct roots *roots, const char *address)
{
	(void)roots;
	(void)address;
	kill(getpid(), SIGKILL);
	return 0;
}

static int unbind_refuses(const char *path, const char *text)
{
	return strstr(path, "unbind") ? -EPERM : tree_kernel_write(path, text);
}

/* Another program was faster. */
static int unbind_is_late(const char *path, const char *text)
{
	int r = tree_kernel_write(path, text);

	return strstr(path, "unbind") ? -ENODEV : r;
}

static void a_device_that_cannot_be_stopped_fails_the_cycle(void **state)
{
	static const struct {
		int (*save)(const struct roots *roots, const char *address);
		int (*write)(const char *path, const char *text);
		int r;
		const char *text;
	} cases[] = {
		{ save_refuses, tree_kernel_write, -EIO,
		  "device " NIC
		  " e1000e cannot be unbound, because its interfaces cannot be saved: Input/output error" },
		{ save_dies, tree_kernel_write, -EIO,
		  "device " NIC " e1000e cannot be unbound: the child process died" },
		{ tree_links_save, unbind_refuses, -EPERM,
		  "device " NIC " e1000e cannot be unbound: Operation not permitted" },
		{ tree_links_save, unbind_is_late, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct run *run = new_run(with_nic);

		run->ops.links_save = cases[i].save;
		run->ops.write = cases[i].write;
		go_down(run);
		assert_int_equal(run->r, cases[i].r);
		assert_string_equal(run->text, cases[i].text);
		assert_int_equal(tree_is_bound(&run->tree, NIC), cases[i].r < 0);
		assert_undone(run);
		free_run(run);
	}
}

static int bind_refuses(const char *path, const char *text)
{
	return strstr(path, "/bind") ? -EPERM : tree_kernel_write(path, text);
}

static int bind_forgets(const char *path, const char *text)
{
	return strstr(path, "/bind") ? 0 : tree_kernel_write(path, text);
}

static int bind_dies(const char *path, const char *text)
{
	if (strstr(path, "/bind"))
		kill(getpid(), SIGKILL);
	return tree_kernel_write(path, text);
}

/* udev was faster. */
static int bind_is_late(const char *path, const char *text)
{
	int r = tree_kernel_write(path, text);

	return strstr(path, "/bind") ? -EBUSY : r;
}

static int restore_refuses(const struct roots *roots, const char *address, struct netlink *monitor,
			   uint64_t deadline_us, char *ret_text, size_t size)
{
	(void)roots;
	(void)address;
	(void)monitor;
	(void)deadline_us;
	(void)ret_text;
	(void)size;
	return -EIO;
}

static int restore_explains(const struct roots *roots, const char *address, struct netlink *monitor,
			    uint64_t deadline_us, char *ret_text, size_t size)
{
	(void)roots;
	(void)address;
	(void)monitor;
	(void)deadline_us;
	snprintf(ret_text, size, "enp0s4: missing after the bind");
	return -ENODEV;
}

static void a_device_that_cannot_be_started_is_lost(void **state)
{
	static const struct {
		__typeof__(tree_device_ops.links_restore) restore;
		int (*write)(const char *path, const char *text);
		const char *text; /* "": the device is restored */
	} cases[] = {
		{ tree_links_restore, bind_refuses, "cannot bind e1000e: Operation not permitted" },
		{ tree_links_restore, bind_forgets, "the driver e1000e has unbound itself" },
		{ tree_links_restore, bind_dies, "cannot be bound: the child process died" },
		{ tree_links_restore, bind_is_late, "" },
		{ restore_refuses, tree_kernel_write, "Input/output error" },
		{ restore_explains, tree_kernel_write, "enp0s4: missing after the bind" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct run *run = new_run(with_nic);
		char text[200], log[600];

		go_down(run);
		assert_int_equal(run->r, 0);
		run->ops.links_restore = cases[i].restore;
		run->ops.write = cases[i].write;
		run->log = (struct log){ .held = true, .prefix = true };
		go_up(run);
		assert_int_equal(run->degraded, cases[i].text[0] != '\0');
		if (run->degraded) {
			snprintf(text, sizeof(text), NIC " e1000e enp0s4 lost: %s", cases[i].text);
			assert_string_equal(run->text, text);
			/* The pause after the third try would be as long as the whole limit. */
			snprintf(log, sizeof(log),
				 "<5>device " NIC ": %s; trying again\n"
				 "<5>device " NIC ": %s; trying again\n"
				 "<3>device " NIC " e1000e: lost: %s\n",
				 cases[i].text, cases[i].text, cases[i].text);
			assert_string_equal(run->log.text, log);
		} else {
			assert_string_equal(run->log.text, "<6>device " NIC " e1000e: restored\n");
			assert_true(tree_is_bound(&run->tree, NIC));
		}
		free_run(run);
	}
}

static int restore_fails(const struct roots *roots, const char *address, struct netlink *monitor,
			 uint64_t deadline_us, char *ret_text, size_t size)
{
	(void)address;
	(void)monitor;
	(void)deadline_us;
	(void)ret_text;
	(void)size;
	record_call(roots->sys, "restore");
	return -EIO;
}

static void each_try_does_more_than_the_last_one(void **state)
{
	struct run *run = *state;

	with_nic(run);
	tree_write(&run->tree, "proc/sys/vm/compact_memory", "");
	go_down(run);
	assert_int_equal(run->r, 0);
	run->ops.links_restore = restore_fails;
	run->ops.write = write_and_record;
	go_up(run);
	assert_true(run->degraded);
	assert_string_equal(tree_read(&run->tree, "calls"),
			    "bind\nrestore\n"
			    "unbind\ncompact_memory\nbind\nrestore\n"
			    "unbind\ncompact_memory\nreset\nbind\nrestore");
}

static void tries_again_after_longer_and_longer_pauses(void **state)
{
	static const uint64_t expected_us[] = { 100000, 400000, 1000000, 3000000, 6000000 };
	struct run *run = *state;

	with_nic(run);
	go_down(run);
	assert_int_equal(run->r, 0);
	run->settings.restore_timeout_us = 60000000;
	run->settings.thaw_after_us = 60000000;
	engine_free(run->engine);
	make_engine(run);
	run->ops.write = bind_refuses;
	counts_pauses = true;
	n_pauses = 0;
	go_up(run);
	counts_pauses = false;
	assert_true(run->degraded);
	assert_int_equal(n_pauses, ELEMENTSOF(expected_us));
	for (size_t i = 0; i < n_pauses; i++)
		assert_int_equal(pauses_us[i], expected_us[i]);
}

/* ---- Hooks ---- */

static void runs_only_hooks_and_tells_them_the_cycle(void **state)
{
	static const char *const others[] = { "30-x.bak", "30-x~", "#30-x#" };
	struct run *run = *state;
	char long_name[128], name[160];

	setenv("PMCOORD_CYCLE", "99", 1);
	setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
	setenv("LISTEN_FDS", "1", 1);
	add_script(run, "etc/suspend.d/20-b",
		   "echo b $1 $PMCOORD_CYCLE [$NOTIFY_SOCKET$LISTEN_FDS] $# >> $log");
	add_script(run, "etc/suspend.d/10-a", "echo a $1 >> $log");
	for (size_t i = 0; i < ELEMENTSOF(others); i++) {
		snprintf(name, sizeof(name), "etc/suspend.d/%s", others[i]);
		add_script(run, name, "echo other >> $log");
	}
	tree_write(&run->tree, "etc/suspend.d/40-not-executable", "#!/bin/sh\n");
	memset(long_name, '5', sizeof(long_name));
	snprintf(name, sizeof(name), "etc/suspend.d/%.99s", long_name);
	add_script(run, name, "echo long $1 >> $log");
	snprintf(name, sizeof(name), "etc/suspend.d/%.100s", long_name);
	add_script(run, name, "echo longer >> $log");
	go_down(run);
	assert_int_equal(run->r, 0);
	go_up(run);
	assert_string_equal(tree_read(&run->tree, "log"),
			    "a pre\nb pre 7 [] 1\nlong pre\nlong post\nb post 7 [] 1\na post");
	unsetenv("PMCOORD_CYCLE");
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_FDS");
}

static void a_hook_that_fails_is_logged_where_it_does_not_count(void **state)
{
	struct run *run = *state;

	thaw_all(run);
	run->settings.hook_failure_counts = false;
	add_script(run, "etc/suspend.d/10-x", "exit 3");
	/* A script without its interpreter cannot be executed. */
	tree_write(&run->tree, "etc/suspend.d/20-y", "#!/nonexistent\n");
	add_script(run, "etc/suspend.d/20-z", "kill -9 $$");
	{
		char path[FILE_PATH_MAX];

		tree_path(&run->tree, path, "etc/suspend.d/20-y");
		assert_int_equal(chmod(path, 0755), 0);
	}
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_string_equal(
		run->log.text,
		"<4>hook 10-x pre failed with status 3, ignoring\n"
		"<4>hook 20-y pre cannot be executed: No such file or directory, ignoring\n"
		"<4>hook 20-z pre was killed by signal 9, ignoring\n");
	go_up(run);
	assert_true(run->degraded);
	assert_string_equal(run->text,
			    "hook 20-z post was killed by signal 9; "
			    "hook 20-y post cannot be executed: No such file or directory; "
			    "hook 10-x post failed with status 3");
}

static void a_list_of_hooks_that_cannot_be_read_is_an_error(void **state)
{
	struct run *run = *state;
	char slashes[FILE_PATH_MAX];
	struct hook_list list;

	assert_int_equal(hook_list_read(&list, &run->tree.roots), 0);
	assert_int_equal(list.n_names, 0);
	memset(slashes, '/', sizeof(slashes) - 1);
	slashes[sizeof(slashes) - 1] = '\0';
	run->tree.roots.etc = slashes;
	assert_int_equal(hook_list_read(&list, &run->tree.roots), -ENAMETOOLONG);
	assert_int_equal(list.n_names, 0);
	hook_list_done(&list);
	hook_list_done(NULL);
}

/* ---- Programs that block sleep ---- */

static void finds_only_what_blocks_sleep(void **state)
{
	static const struct {
		const char *text, *blocks; /* "": it does not */
	} cases[] = {
		{ "WHAT=sleep\nMODE=block\nWHO=a b\nWHY=c d\n",
		  "'a b' blocks sleep in this guest: c d" },
		{ "WHY=c\nWHO=a\nMODE=block\nWHAT=idle:sleep",
		  "'a' blocks sleep in this guest: c" },
		{ "WHAT=sleep:idle\nMODE=block\n", "'' blocks sleep in this guest: " },
		{ "WHAT=a:sleep:b\nMODE=block\nWHO==\nWHY=x=y\n",
		  "'=' blocks sleep in this guest: x=y" },
		{ "WHAT=sleepy\nMODE=block\n", "" },
		{ "WHAT=asleep\nMODE=block\n", "" },
		{ "WHAT=idle\nMODE=block\n", "" },
		{ "WHATEVER=sleep\nMODE=block\n", "" },
		{ "WHAT=sleep\nMODE=block-weak\n", "" },
		{ "WHAT=sleep\nMODE=\n", "" },
		{ "WHAT=sleep\n", "" },
		{ "MODE=block\n", "" },
		{ "", "" },
	};
	struct run *run = *state;
	char text[300], path[FILE_PATH_MAX];

	assert_false(inhibitors_find(&run->tree.roots, text, sizeof(text)));
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		bool blocks = cases[i].blocks[0] != '\0';

		tree_write(&run->tree, "services/systemd/inhibit/7", cases[i].text);
		/* A read of this FIFO would not end. */
		tree_path(&run->tree, path, "services/systemd/inhibit/7.ref");
		if (i == 0)
			assert_int_equal(mkfifo(path, 0600), 0);
		text[0] = '\0';
		assert_int_equal(inhibitors_find(&run->tree.roots, text, sizeof(text)), blocks);
		assert_string_equal(text, cases[i].blocks);
	}
}

/* ---- Records ---- */

static void undoes_what_it_can_and_reports_the_rest(void **state)
{
	static const struct {
		const char *effect;
		const char *file, *directory; /* what the guest has, or NULL */
		const char *problem; /* "": the effect is undone */
		bool no_pipe;
	} cases[] = {
		/* What is gone needs no undoing. */
		{ "freeze gone.slice", NULL, NULL, "", false },
		{ "freeze-timeout 20000", NULL, NULL, "", false },
		{ "swallow whale", NULL, NULL, "", false },
		{ "freeze odd.slice", NULL, "sys/fs/cgroup/odd.slice/cgroup.freeze",
		  "cannot undo freeze odd.slice: Is a directory", false },
		{ "freeze-timeout 20000", NULL, "sys/power/pm_freeze_timeout",
		  "cannot undo freeze-timeout 20000: Is a directory", false },
		{ "network-manager NetworkManager", NULL, NULL,
		  "cannot undo network-manager NetworkManager: No such file or directory", false },
		{ "network-manager systemd-networkd", NULL, NULL,
		  "cannot undo network-manager systemd-networkd: No such file or directory",
		  false },
		{ "hook 10-x", NULL, NULL, "cannot undo hook 10-x: Too many open files", true },
		{ "hook 10-x", NULL, NULL,
		  "hook 10-x post cannot be executed: No such file or directory", false },
		{ "module odd", NULL, NULL, "cannot undo module odd: Too many open files", true },
		{ "device x", NULL, NULL, "cannot undo device x: Bad message", false },
	};

	(void)state;
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct run *run = new_run(with_nothing);
		struct error error = { 0 };
		char path[FILE_PATH_MAX], text[200], expected[300];

		tree_path(&run->tree, path, "sys/power/pm_freeze_timeout");
		assert_int_equal(unlink(path), 0);
		if (cases[i].directory) {
			snprintf(text, sizeof(text), "%s/x", cases[i].directory);
			tree_write(&run->tree, text, "");
		}
		tree_write(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze", "1");
		snprintf(text, sizeof(text), "cycle 4\neffect freeze user.slice\neffect %s\n",
			 cases[i].effect);
		tree_write(&run->tree, "run/journal", text);
		assert_int_equal(journal_load(&run->journal, &run->tree.roots, &error), 0);
		make_engine(run);
		has_no_pipe = cases[i].no_pipe;
		engine_restore(run->engine, on_up, run);
		has_no_pipe = false;
		wait_done(run);
		assert_string_equal(run->text, cases[i].problem);
		assert_int_equal(run->degraded, cases[i].problem[0] != '\0');
		snprintf(expected, sizeof(expected), cases[i].problem[0] ? "<4>%s\n" : "%s",
			 cases[i].problem);
		assert_string_equal(run->log.text, expected);
		/* The other effect is undone, and both are recorded as undone. */
		assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"),
				    "0");
		assert_true(run->journal.effects[0].undone);
		assert_true(run->journal.effects[1].undone);
		assert_non_null(strstr(tree_read(&run->tree, "run/journal"), "undone 0"));
		assert_int_equal(journal_finish(&run->journal, NULL, NULL), 0);
		free_run(run);
	}
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

static void a_network_manager_that_cannot_be_reached_is_no_failure(void **state)
{
	struct run *run = *state;

	thaw_all(run);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	with_network_manager(run);
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_string_equal(run->log.text, "<4>NetworkManager did not prepare for sleep: "
					   "No such file or directory, ignoring\n");
	assert_string_equal(effects(run), "nt");
	assert_true(run->journal.effects[0].undone);
	assert_undone(run);
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

int main(void)
{
#define TEST(name) cmocka_unit_test(name)
#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, setup_run, teardown_run)
	const struct CMUnitTest tests[] = {
		TEST(without_a_child_process_the_cycle_fails),
		RUN_TEST(a_cgroup_that_cannot_be_watched_fails_the_cycle),
		TEST(what_cannot_be_recorded_is_not_done),
		TEST(what_cannot_be_listed_fails_the_cycle),
		TEST(the_step_that_takes_too_long_is_named),
		TEST(a_device_is_saved_stopped_started_and_restored),
		TEST(a_device_that_cannot_be_stopped_fails_the_cycle),
		TEST(a_device_that_cannot_be_started_is_lost),
		RUN_TEST(tries_again_after_longer_and_longer_pauses),
		RUN_TEST(each_try_does_more_than_the_last_one),
		RUN_TEST(runs_only_hooks_and_tells_them_the_cycle),
		RUN_TEST(a_hook_that_fails_is_logged_where_it_does_not_count),
		RUN_TEST(a_list_of_hooks_that_cannot_be_read_is_an_error),
		RUN_TEST(finds_only_what_blocks_sleep),
		TEST(undoes_what_it_can_and_reports_the_rest),
		RUN_TEST(a_network_manager_that_cannot_be_reached_is_no_failure),
	};

	return cmocka_run_group_tests_name("agent-failures", tests, NULL, NULL);
}
