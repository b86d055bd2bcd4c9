/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests quiescing and restoring: the order of the steps, and how each is undone. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
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
#include "engine/journal.h"
#include "tests/unit/guest-agent/engine/engine_run.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

static void stops_sound_first_then_processes_then_the_rest(void **state)
{
	struct run *run = *state;

	add_nic(run);
	tree_add_function(&run->tree, SOUND, "snd_hda_intel", "0x8086 0x2668 0x040300");
	add_script(run, "etc/suspend.d/10-log", "echo $1 >> $log");
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_string_equal(effects(run), "hdfdt");
	assert_string_equal(run->journal.effects[1].text, SOUND " snd_hda_intel");
	go_up(run);
	assert_false(run->degraded);
	assert_true(tree_is_bound(&run->tree, SOUND));
	assert_string_equal(tree_read(&run->tree, "log"), "pre\npost");
}

static void unloads_modules_after_their_devices(void **state)
{
	struct run *run = *state;

	add_nic(run);
	add_script(run, "modprobe", "echo \"$@\" >> $log");
	tree_write(&run->tree, "sys/module/iwl_mvm/refcnt", "0");
	tree_write(&run->tree, "sys/module/e1000e/refcnt", "0");
	tree_link(&run->tree, "sys/bus/pci/drivers/e1000e/module", "sys/module/e1000e");
	run->settings.unload = calloc(2, sizeof(char *));
	run->settings.unload[0] = strdup("iwl-mvm");
	run->settings.unload[1] = strdup("not-loaded");
	run->settings.n_unload = 2;
	run->settings.rules = calloc(1, sizeof(*run->settings.rules));
	run->settings.n_rules = 1;
	run->settings.rules[0].pattern = strdup("e1000e");
	run->settings.rules[0].action = DEVICE_MODULE;
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_string_equal(effects(run), "fdmmt");
	assert_string_equal(tree_read(&run->tree, "log"), "-r -- iwl-mvm\n-r -- e1000e");
	go_up(run);
	assert_false(run->degraded);
	assert_string_equal(tree_read(&run->tree, "log"), "-r -- iwl-mvm\n-r -- e1000e\n-- e1000e\n"
							  "-- iwl-mvm");
	assert_true(tree_is_bound(&run->tree, NIC));
}

static void add_usb_disk(struct run *run)
{
	tree_add_function(&run->tree, USB, "xhci_hcd", "0x1b36 0x000d 0x0c0330");
	tree_add_node(&run->tree, "block", "sda", TREE_DEVICES USB "/usb1/1-1/host2/block/sda",
		      "8:0");
}

#define MOUNTED "25 1 8:0 / /mnt rw - ext4 /dev/sda rw\n"

static void the_driver_of_a_kept_function_stays_loaded(void **state)
{
	struct run *run = *state;

	add_usb_disk(run);
	tree_write(&run->tree, "proc/self/mountinfo", MOUNTED);
	add_script(run, "modprobe", "echo \"$@\" >> $log");
	tree_write(&run->tree, "sys/module/xhci_pci/refcnt", "0");
	tree_link(&run->tree, "sys/bus/pci/drivers/xhci_hcd/module", "sys/module/xhci_pci");
	tree_write(&run->tree, "sys/module/iwlmvm/refcnt", "0");
	run->settings.unload = calloc(2, sizeof(char *));
	run->settings.unload[0] = strdup("xhci-pci");
	run->settings.unload[1] = strdup("iwlmvm");
	run->settings.n_unload = 2;
	for (int devices = 0; devices <= 1; devices++) {
		run->settings.devices = devices == 1;
		go_down(run);
		assert_int_equal(run->r, 0);
		assert_string_equal(effects(run), "fmt");
		assert_string_equal(run->journal.effects[1].text, "iwlmvm");
		go_up(run);
	}
}

static void a_module_in_use_is_reported_and_stays_loaded(void **state)
{
	struct run *run = *state;

	add_nic(run);
	add_script(run, "modprobe", "test $1 != -r");
	tree_write(&run->tree, "sys/module/busy/refcnt", "1");
	run->settings.unload = calloc(1, sizeof(char *));
	run->settings.unload[0] = strdup("busy");
	run->settings.n_unload = 1;
	go_down(run);
	assert_int_equal(run->r, 0);
	go_up(run);
	assert_false(run->degraded);
	assert_non_null(strstr(run->text, "unloading module busy failed with "
					  "status 1; " NIC " e1000e"));
}

static void syncs_before_the_freeze_if_configured(void **state)
{
	static const char *const order[] = { "sync", "freezing", "devices" };
	const struct engine_step *steps;
	struct run *run = *state;
	size_t n, found = 0;

	run->settings.sync = true;
	go_down(run);
	assert_int_equal(run->r, 0);
	n = engine_get_steps(run->engine, &steps);
	for (size_t i = 0; i < n && found < ELEMENTSOF(order); i++)
		found += strcmp(steps[i].what, order[found]) == 0;
	assert_int_equal(found, ELEMENTSOF(order));
	go_up(run);
	assert_false(run->degraded);
}

static void returns_the_duration_of_each_step(void **state)
{
	const struct engine_step *steps;
	struct run *run = *state;
	size_t n;

	add_script(run, "etc/suspend.d/10-slow", "test $1 = post || sleep 0.2");
	go_down(run);
	n = engine_get_steps(run->engine, &steps);
	for (size_t i = 0; i < n; i++) {
		bool hooks = strcmp(steps[i].what, "pre hooks") == 0;

		assert_true(hooks == (steps[i].duration_us >= 200000));
	}
	go_up(run);
	/* After a failure only the completed steps are returned. */
	add_script(run, "etc/suspend.d/20-veto", "test $1 = post");
	go_down(run);
	assert_int_equal(run->r, -ECANCELED);
	assert_true(engine_get_steps(run->engine, &steps) < n);
	go_up(run);
}

static void reports_a_module_that_does_not_load_again(void **state)
{
	struct run *run = *state;

	add_script(run, "modprobe", "test $1 = -r");
	tree_write(&run->tree, "sys/module/odd/refcnt", "0");
	run->settings.unload = calloc(1, sizeof(char *));
	run->settings.unload[0] = strdup("odd");
	run->settings.n_unload = 1;
	go_down(run);
	assert_int_equal(run->r, 0);
	go_up(run);
	assert_true(run->degraded);
	assert_string_equal(run->text, "loading module odd failed with status 1");
}

static void respects_a_program_that_blocks_sleep(void **state)
{
	struct run *run = *state;

	tree_write(&run->tree, "services/systemd/inhibit/4",
		   "# This is private data. Do not parse.\n"
		   "WHAT=handle-lid-switch\nMODE=block\nWHO=a\nWHY=b\n");
	tree_write(&run->tree, "services/systemd/inhibit/5",
		   "WHAT=sleep\nMODE=delay\nWHO=a\nWHY=b\n");
	go_down(run);
	assert_int_equal(run->r, 0);
	go_up(run);
	tree_write(&run->tree, "services/systemd/inhibit/7",
		   "WHAT=shutdown:sleep\nMODE=block\nIS_ORPHAN=0\nUID=0\n"
		   "WHO=rsync\nWHY=nightly backup\n");
	go_down(run);
	assert_int_equal(run->r, -ECANCELED);
	assert_string_equal(run->text, "'rsync' blocks sleep in this guest: nightly backup");
	assert_string_equal(effects(run), "");
	go_up(run);
	run->settings.honour_inhibitors = false;
	go_down(run);
	assert_int_equal(run->r, 0);
	go_up(run);
}

static void lists_functions_kept_at_a_risk(void **state)
{
	struct run *run = *state;

	add_nic(run);
	tree_add_function(&run->tree, "0000:00:06.0", "ahci", "0x8086 0x2922 0x010601");
	tree_add_disk(&run->tree, "0000:00:06.0", "sda", "8:0");
	tree_write(&run->tree, "proc/self/mountinfo", "25 1 8:0 / / rw - ext4 /dev/root rw\n");
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_true(tree_is_bound(&run->tree, "0000:00:06.0"));
	go_up(run);
	assert_false(run->degraded);
	assert_non_null(strstr(run->text, "; 0000:00:06.0 ahci kept: sda mounted on /"));
}

/* A device_ops.write() that mounts the USB stick while the sound card is unbound. */
static int mount_by_the_way(const char *path, const char *text)
{
	char base[FILE_PATH_MAX];
	char *sys;

	strcpy(base, path);
	sys = strstr(base, "/sys/");
	if (strstr(path, SOUND "/driver/unbind") && sys) {
		*sys = '\0';
		file_write_at(MOUNTED, "%s/proc/self/mountinfo", base);
	}
	return tree_kernel_write(path, text);
}

static void does_not_unbind_a_disk_mounted_while_quiescing(void **state)
{
	struct run *run = *state;

	tree_add_function(&run->tree, SOUND, "snd_hda_intel", "0x8086 0x2668 0x040300");
	add_usb_disk(run);
	run->ops.write = mount_by_the_way;
	go_down(run);
	assert_int_equal(run->r, -EBUSY);
	assert_string_equal(run->text, "device " USB " xhci_hcd is in use now: "
				       "sda mounted on /mnt");
	assert_true(tree_is_bound(&run->tree, USB));
	assert_false(tree_is_bound(&run->tree, SOUND));
	go_up(run);
	assert_true(tree_is_bound(&run->tree, SOUND));
}

static void does_not_unbind_a_disk_mounted_while_restoring(void **state)
{
	struct run *run = *state;

	add_usb_disk(run);
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_false(tree_is_bound(&run->tree, USB));
	/* The interfaces do not appear, and the disk was mounted meanwhile. */
	tree_teach(&run->tree, USB, "refuse-links", "");
	tree_teach(&run->tree, USB, "hang-unbind", "");
	tree_write(&run->tree, "proc/self/mountinfo", MOUNTED);
	run->settings.restore_timeout_us = 2000000;
	go_up(run);
	assert_true(run->degraded);
	assert_non_null(strstr(run->text, USB " xhci_hcd lost: No such device"));
	assert_true(tree_is_bound(&run->tree, USB));
	assert_string_equal(tree_read(&run->tree, TREE_DEVICES USB "/was-reset"), "(none)");
}

static void a_device_restored_with_differences_is_degraded(void **state)
{
	struct run *run = *state;

	add_nic(run);
	tree_teach(&run->tree, NIC, "links-complaint",
		   "enp0s4: cannot restore master: No such device");
	go_down(run);
	go_up(run);
	assert_true(run->degraded);
	assert_non_null(strstr(run->text, NIC " e1000e enp0s4 ok "));
	assert_non_null(strstr(run->text, "ms (enp0s4: cannot restore master: No such device)"));
}

static void radios_stay_switched_off(void **state)
{
	struct run *run = *state;

	add_nic(run);
	tree_write(&run->tree, TREE_DEVICES NIC "/rfkill3/type", "wlan\n");
	tree_write(&run->tree, TREE_DEVICES NIC "/rfkill3/soft", "1\n");
	tree_link(&run->tree, "sys/class/rfkill/rfkill3", TREE_DEVICES NIC "/rfkill3");
	go_down(run);
	/* The driver creates a new radio, which is switched on. */
	tree_write(&run->tree, TREE_DEVICES NIC "/rfkill3/soft", "0\n");
	go_up(run);
	assert_string_equal(tree_read(&run->tree, TREE_DEVICES NIC "/rfkill3/soft"), "1");
}

static void names_a_driver_that_is_not_loaded(void **state)
{
	struct run *run = *state;
	char path[FILE_PATH_MAX];

	add_nic(run);
	go_down(run);
	tree_path(&run->tree, path, "sys/bus/pci/drivers/e1000e/bind");
	assert_int_equal(unlink(path), 0);
	go_up(run);
	assert_true(run->degraded);
	assert_non_null(strstr(run->text, "lost: cannot bind e1000e: the driver is not loaded"));
}

static void a_stop_that_ends_late_is_still_undone(void **state)
{
	struct run *run = *state;
	char path[FILE_PATH_MAX];

	add_nic(run);
	tree_teach(&run->tree, NIC, "hang-unbind", "");
	go_down(run);
	assert_int_equal(run->r, -ETIMEDOUT);
	assert_non_null(strstr(run->text, "cannot be unbound: the driver hangs"));
	tree_path(&run->tree, path, TREE_DEVICES NIC "/hang-unbind");
	unlink(path);
	go_up(run);
	assert_true(tree_is_bound(&run->tree, NIC));
}

static bool is_recorded(const struct run *run, enum effect_kind kind)
{
	for (size_t i = 0; i < run->journal.n_effects; i++)
		if (run->journal.effects[i].kind == kind)
			return true;
	return false;
}

/* Removes what makes the NIC hang, and waits until its driver is bound, or unbound. */
static void end_hang(struct run *run, const char *name, bool bound)
{
	uint64_t end = clock_now_us() + 30000000;
	char path[FILE_PATH_MAX];

	tree_path(&run->tree, path, name);
	assert_int_equal(unlink(path), 0);
	while (tree_is_bound(&run->tree, NIC) != bound && clock_now_us() < end)
		sd_event_run(run->event, 10000);
	assert_int_equal(tree_is_bound(&run->tree, NIC), bound);
}

static void an_unbind_that_outlasts_the_restore_is_still_undone(void **state)
{
	struct run *run = *state;

	add_nic(run);
	tree_teach(&run->tree, NIC, "hang-unbind", "");
	tree_teach(&run->tree, NIC, "hang-bind", "");
	run->settings.unbind_timeout_us = 60000000;
	run->settings.restore_timeout_us = 60000000;
	make_engine(run);
	engine_quiesce(run->engine, 7, 60000000, on_down, run);
	while (!is_recorded(run, EFFECT_DEVICE))
		sd_event_run(run->event, 100000);
	/* dom0 aborts. The wait for the unbind ends long before the unbind's own limit. */
	go_up(run);
	assert_true(run->degraded);
	assert_non_null(
		strstr(run->text, NIC " e1000e enp0s4 lost: cannot be unbound: the driver hangs"));
	assert_int_equal(journal_finish(&run->journal, NULL, NULL), 0);
	end_hang(run, TREE_DEVICES NIC "/hang-unbind", false);
	end_hang(run, TREE_DEVICES NIC "/hang-bind", true);
	/* The cycle has ended: its end is not reported again. */
	while (sd_event_run(run->event, 300000) > 0)
		;
	assert_false(run->done);
	assert_non_null(strstr(run->log.text,
			       "<5>device " NIC " e1000e was restored after its time limit\n"));
	assert_null(strstr(run->log.text, "remains lost"));
}

static void a_hook_that_hangs_is_killed_and_named(void **state)
{
	struct run *run = *state;

	add_script(run, "etc/suspend.d/10-slow", "test $1 = post || sleep 60");
	for (int i = 0; i < 2; i++) {
		run->settings.hook_failure_counts = i == 0;
		run->settings.hook_timeout_us = 100000;
		go_down(run);
		assert_int_equal(run->r, i == 0 ? -ECANCELED : 0);
		if (i == 0)
			assert_string_equal(run->text,
					    "hook 10-slow pre took too long and was killed");
		/* Long enough to start a shell on a busy machine. */
		run->settings.hook_timeout_us = 60000000;
		go_up(run);
		assert_false(run->degraded && i == 0);
	}
}

static void never_freezes_what_it_needs(void **state)
{
	static const char *const names[] = { "system.slice", "", "/", "machine.slice", "../x" };
	struct run *run = *state;

	tree_add_cgroup(&run->tree, "system.slice", NULL);
	tree_add_cgroup(&run->tree, "machine.slice", NULL);
	tree_add_cgroup(&run->tree, "machine.slice/a/dbus.service", NULL);
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		free(run->settings.freeze[0]);
		run->settings.freeze[0] = strdup(names[i]);
		go_down(run);
		assert_int_equal(run->r, 0);
		assert_string_equal(effects(run), "t");
		go_up(run);
	}
	/* The slice that contains an agent that was started by hand is not frozen either. */
	tree_write(&run->tree, "proc/self/cgroup", "0::/user.slice/user-0.slice/session-1.scope\n");
	free(run->settings.freeze[0]);
	run->settings.freeze[0] = strdup("user.slice");
	go_down(run);
	assert_string_equal(effects(run), "t");
	go_up(run);
}

static void does_not_thaw_what_another_program_has_frozen(void **state)
{
	struct run *run = *state;

	tree_write(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze", "1");
	go_down(run);
	assert_string_equal(effects(run), "t");
	go_up(run);
	assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"), "1");
}

/* Quiesces in a child process, which the test kills. */
static void go_down_forever(struct run *run)
{
	sd_event_unref(run->event);
	run->engine = NULL;
	if (sd_event_new(&run->event) < 0)
		_exit(1);
	tree_watch_cgroup(&run->tree, "user.slice", run->event);
	go_down(run);
	for (;;)
		pause();
}

static void restores_after_a_kill_at_any_moment(void **state)
{
	struct run *run = *state;

	add_nic(run);
	tree_add_function(&run->tree, SOUND, "snd_hda_intel", "0x8086 0x2668 0x040300");
	add_script(run, "etc/suspend.d/10-true", "true");
	for (int i = 0; i < 60; i++) {
		struct timespec wait = { .tv_nsec = i * 200000 };
		struct error error = { 0 };
		struct journal *journal = &run->journal;
		pid_t pid = fork();

		if (pid == 0)
			go_down_forever(run);
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		journal_done(journal);
		assert_int_equal(journal_load(journal, &run->tree.roots, &error), 0);
		assert_int_equal(journal_lock(journal, &error), 0);
		make_engine(run);
		go_up(run);
		assert_false(run->degraded);
		assert_true(tree_is_bound(&run->tree, NIC));
		assert_true(tree_is_bound(&run->tree, SOUND));
		assert_string_equal(tree_read(&run->tree, "sys/fs/cgroup/user.slice/cgroup.freeze"),
				    "0");
		assert_string_equal(tree_read(&run->tree, "sys/power/pm_freeze_timeout"), "20000");
		engine_free(run->engine);
		run->engine = NULL;
	}
}

/* ---- Network managers, on a private bus ---- */

/* How NetworkManager answers when it is notified of a suspend, or of the resume. */
static struct answer {
	const char *name, *message; /* of an error; NULL: success */
	bool hangs;
} sleep_answer, wake_answer;

static int on_sleep(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *path = userdata;
	FILE *log = fopen(path, "ae");
	const struct answer *answer;
	int asleep;

	sd_bus_message_read(message, "b", &asleep);
	answer = asleep ? &sleep_answer : &wake_answer;
	fprintf(log, "%s\n", asleep ? "sleep" : "wake");
	fclose(log);
	if (answer->hangs)
		return 1;
	if (answer->name)
		return sd_bus_error_set(error, answer->name, answer->message);
	return sd_bus_reply_method_return(message, "");
}

static int on_renew(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *path = userdata;
	FILE *log = fopen(path, "ae");
	int ifindex;

	sd_bus_message_read(message, "i", &ifindex);
	fprintf(log, "renew %d\n", ifindex);
	fclose(log);
	/* Link 4 has no lease. */
	if (ifindex == 4)
		return sd_bus_error_set_errno(error, -EOPNOTSUPP);
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable networkd_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("RenewLink", "i", "", on_renew, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Sleep", "b", "", on_sleep, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

/* Serves both managers until it is killed. Writes a byte to `fd` when it is ready. */
static void serve_manager(char *log, int fd)
{
	sd_bus *bus;

	if (sd_bus_open_system(&bus) < 0 ||
	    sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/NetworkManager",
				     "org.freedesktop.NetworkManager", manager_vtable, log) < 0 ||
	    sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/network1",
				     "org.freedesktop.network1.Manager", networkd_vtable,
				     log) < 0 ||
	    sd_bus_request_name(bus, "org.freedesktop.NetworkManager", 0) < 0 ||
	    sd_bus_request_name(bus, "org.freedesktop.network1", 0) < 0)
		_exit(1);
	if (write(fd, "x", 1) != 1)
		_exit(1);
	while (sd_bus_process(bus, NULL) >= 0)
		sd_bus_wait(bus, UINT64_MAX);
	_exit(0);
}

/* Starts a D-Bus daemon as the system bus of this process. Returns the daemon's pid. */
static pid_t start_bus(struct run *run)
{
	char command[256], address[256] = "", *end;
	long pid = 0;
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "dbus-daemon --session --fork --print-address=1 --print-pid=1 "
		 "--address=unix:path=%s/bus 2>/dev/null",
		 run->tree.base);
	pipe = popen(command, "r");
	if (fgets(address, sizeof(address), pipe) && fscanf(pipe, "%ld", &pid))
		setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	pclose(pipe);
	end = strchr(address, '\n');
	if (end) {
		*end = '\0';
		setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	}
	return (pid_t)pid;
}

/* Starts both managers, which log the calls that they receive. */
static pid_t start_managers(struct run *run)
{
	static char log[FILE_PATH_MAX];
	pid_t pid;
	int ends[2];
	char byte;

	tree_path(&run->tree, log, "log");
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0)
		serve_manager(log, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void has_networkd_renew_leases_after_the_wake(void **state)
{
	static const char managed[] = "ADMIN_STATE=configured\n"
				      "NETWORK_FILE=/etc/a.network\n";
	struct run *run = *state;
	pid_t bus = start_bus(run), manager = start_managers(run);

	tree_write(&run->tree, "services/systemd/netif/links/1", "ADMIN_STATE=unmanaged\n");
	tree_write(&run->tree, "services/systemd/netif/links/4", managed);
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_string_equal(effects(run), "nft");
	assert_string_equal(tree_read(&run->tree, "log"), "(none)");
	go_up(run);
	assert_false(run->degraded);
	assert_string_equal(tree_read(&run->tree, "log"), "renew 4");
	run->settings.network_manager = NETWORK_MANAGER_NO;
	go_down(run);
	assert_string_equal(effects(run), "ft");
	go_up(run);
	kill(manager, SIGKILL);
	waitpid(manager, NULL, 0);
	kill(bus, SIGTERM);
}

static void notifies_network_manager_of_suspend_and_resume(void **state)
{
	struct run *run = *state;
	pid_t bus = start_bus(run), manager;

	assert_true(bus > 0); /* dbus-daemon is in tests/packages */
	tree_write(&run->tree, "services/NetworkManager/.keep", "");
	manager = start_managers(run);
	go_down(run);
	assert_int_equal(run->r, 0);
	assert_string_equal(effects(run), "nft");
	assert_string_equal(tree_read(&run->tree, "log"), "sleep");
	go_up(run);
	assert_false(run->degraded);
	assert_string_equal(tree_read(&run->tree, "log"), "sleep\nwake");
	kill(manager, SIGKILL);
	waitpid(manager, NULL, 0);
	/* A cycle also succeeds if the network manager has ended. */
	go_down(run);
	assert_int_equal(run->r, 0);
	go_up(run);
	assert_false(run->degraded);
	kill(bus, SIGTERM);
}

/* "Already awake" is what was wanted; any other error is reported. */
static void reports_a_network_manager_that_does_not_resume(void **state)
{
	static const struct {
		const char *name, *message, *problem;
	} cases[] = {
		{ NULL, NULL, "" },
		{ "org.freedesktop.NetworkManager.AlreadyAsleepOrAwake", "Already awake", "" },
		{ "org.freedesktop.NetworkManager.PermissionDenied", "no authorization",
		  "NetworkManager did not resume: no authorization" },
	};
	struct run *run = *state;
	pid_t bus = start_bus(run);

	assert_true(bus > 0); /* dbus-daemon is in tests/packages */
	tree_write(&run->tree, "services/NetworkManager/.keep", "");
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		pid_t manager;

		wake_answer.name = cases[i].name;
		wake_answer.message = cases[i].message;
		manager = start_managers(run);
		go_down(run);
		assert_int_equal(run->r, 0);
		assert_string_equal(effects(run), "nft");
		go_up(run);
		assert_string_equal(run->text, cases[i].problem);
		assert_int_equal(run->degraded, cases[i].problem[0] != '\0');
		kill(manager, SIGKILL);
		waitpid(manager, NULL, 0);
	}
	wake_answer = (struct answer){ 0 };
	kill(bus, SIGTERM);
}

/*
 * If NetworkManager has refused, it is not asleep. If it has not answered in time, it may still go
 * to sleep, and is notified of the resume.
 */
static void notifies_network_manager_of_the_resume_if_it_may_be_asleep(void **state)
{
	static const struct {
		struct answer answer;
		const char *calls, *log;
	} cases[] = {
		{ { "org.freedesktop.NetworkManager.PermissionDenied", "no authorization", false },
		  "sleep",
		  "<4>NetworkManager did not prepare for sleep: no authorization, ignoring\n" },
		{ { NULL, NULL, true },
		  "sleep\nwake",
		  "<4>NetworkManager did not prepare for sleep: Method call timed out, ignoring\n" },
	};
	struct run *run = *state;
	pid_t bus = start_bus(run);

	assert_true(bus > 0); /* dbus-daemon is in tests/packages */
	tree_write(&run->tree, "services/NetworkManager/.keep", "");
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		pid_t manager;

		tree_write(&run->tree, "log", "");
		run->log = (struct log){ .held = true, .prefix = true };
		sleep_answer = cases[i].answer;
		manager = start_managers(run);
		go_down(run);
		assert_int_equal(run->r, 0);
		assert_string_equal(effects(run), "nft");
		assert_string_equal(run->log.text, cases[i].log);
		go_up(run);
		assert_false(run->degraded);
		assert_string_equal(tree_read(&run->tree, "log"), cases[i].calls);
		kill(manager, SIGKILL);
		waitpid(manager, NULL, 0);
	}
	sleep_answer = (struct answer){ 0 };
	kill(bus, SIGTERM);
}

static void has_networkd_renew_the_leases_of_all_its_links(void **state)
{
	static const char managed[] = "NETWORK_FILE=/etc/a.network\n";
	struct run *run = *state;
	pid_t bus = start_bus(run), manager = start_managers(run);
	const char *calls;

	tree_write(&run->tree, "services/systemd/netif/links/4", managed);
	tree_write(&run->tree, "services/systemd/netif/links/5", managed);
	tree_write(&run->tree, "services/systemd/netif/links/17", managed);
	tree_write(&run->tree, "services/systemd/netif/links/x", managed);
	go_down(run);
	go_up(run);
	assert_false(run->degraded);
	calls = tree_read(&run->tree, "log");
	assert_int_equal(strlen(calls), strlen("renew 4\nrenew 5\nrenew 17"));
	assert_non_null(strstr(calls, "renew 4"));
	assert_non_null(strstr(calls, "renew 5"));
	assert_non_null(strstr(calls, "renew 17"));
	assert_string_equal(run->log.text, "<5>systemd-networkd did not renew all leases: "
					   "Operation not supported, ignoring\n");
	kill(manager, SIGKILL);
	waitpid(manager, NULL, 0);
	kill(bus, SIGTERM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_run, teardown_run)
	const struct CMUnitTest tests[] = {
		TEST(stops_sound_first_then_processes_then_the_rest),
		TEST(unloads_modules_after_their_devices),
		TEST(the_driver_of_a_kept_function_stays_loaded),
		TEST(a_module_in_use_is_reported_and_stays_loaded),
		TEST(syncs_before_the_freeze_if_configured),
		TEST(returns_the_duration_of_each_step),
		TEST(reports_a_module_that_does_not_load_again),
		TEST(respects_a_program_that_blocks_sleep),
		TEST(lists_functions_kept_at_a_risk),
		TEST(does_not_unbind_a_disk_mounted_while_quiescing),
		TEST(does_not_unbind_a_disk_mounted_while_restoring),
		TEST(a_device_restored_with_differences_is_degraded),
		TEST(radios_stay_switched_off),
		TEST(names_a_driver_that_is_not_loaded),
		TEST(a_stop_that_ends_late_is_still_undone),
		TEST(an_unbind_that_outlasts_the_restore_is_still_undone),
		TEST(a_hook_that_hangs_is_killed_and_named),
		TEST(never_freezes_what_it_needs),
		TEST(does_not_thaw_what_another_program_has_frozen),
		TEST(restores_after_a_kill_at_any_moment),
		TEST(notifies_network_manager_of_suspend_and_resume),
		TEST(reports_a_network_manager_that_does_not_resume),
		TEST(has_networkd_renew_leases_after_the_wake),
		TEST(notifies_network_manager_of_the_resume_if_it_may_be_asleep),
		TEST(has_networkd_renew_the_leases_of_all_its_links),
	};

	return cmocka_run_group_tests_name("agent-engine", tests, NULL, NULL);
}
