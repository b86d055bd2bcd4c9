# SPDX-License-Identifier: LGPL-2.1-or-later
# The coordinator's modules, folder after folder, in the order in which they may
# include each other.

# Shared with the agent; their headers are in include/pmcoord.
SHARED_SRC := \
	pmcoord/base/array.c \
	pmcoord/base/cleanup.c \
	pmcoord/base/clock.c \
	pmcoord/base/descriptor-store.c \
	pmcoord/base/enum-name.c \
	pmcoord/base/error.c \
	pmcoord/base/hash.c \
	pmcoord/base/ini-file.c \
	pmcoord/base/json.c \
	pmcoord/base/parse.c \
	pmcoord/base/protocol.c \
	pmcoord/base/segments.c \
	pmcoord/base/stop-signals.c \
	pmcoord/base/write.c
COORDINATOR_SRC := \
	pmcoord/base/directory.c \
	pmcoord/base/domid-index.c \
	pmcoord/base/moment.c \
	pmcoord/base/numbered-files.c \
	pmcoord/base/string-list.c \
	pmcoord/base/svg.c \
	pmcoord/base/table.c \
	pmcoord/model/config.c \
	pmcoord/model/domain-id.c \
	pmcoord/model/inventory.c \
	pmcoord/model/graph.c \
	pmcoord/model/loop.c \
	pmcoord/model/plan.c \
	pmcoord/model/cycle.c \
	pmcoord/model/hypervisor.c \
	pmcoord/model/selection.c \
	pmcoord/model/sleep-manager.c \
	pmcoord/model/sleeper.c \
	pmcoord/host/battery.c \
	pmcoord/host/boot-id.c \
	pmcoord/host/deferred.c \
	pmcoord/host/lid.c \
	pmcoord/host/lock.c \
	pmcoord/host/loop-event.c \
	pmcoord/host/memory.c \
	pmcoord/host/roots.c \
	pmcoord/host/host.c \
	pmcoord/host/systemd.c \
	pmcoord/host/host-systemd.c \
	pmcoord/host/logind.c \
	pmcoord/host/sleep-manager-systemd.c \
	pmcoord/host/sleep-jobs.c \
	pmcoord/host/sleeper-host.c \
	pmcoord/host/sleeper-alarm.c \
	pmcoord/xen/ports.c \
	pmcoord/xen/xen-control.c \
	pmcoord/xen/xen-domains.c \
	pmcoord/xen/xen-channels.c \
	pmcoord/xen/xen-store.c \
	pmcoord/xen/xen-examine.c \
	pmcoord/xen/xen-guest-tree.c \
	pmcoord/xen/xen-resume.c \
	pmcoord/xen/xen-watches.c \
	pmcoord/xen/xen-inventory.c \
	pmcoord/xen/xen-requests.c \
	pmcoord/xen/hypervisor-xen.c \
	pmcoord/record/config-file.c \
	pmcoord/record/journal.c \
	pmcoord/record/followers.c \
	pmcoord/record/report.c \
	pmcoord/record/report-json.c \
	pmcoord/record/report-file.c \
	pmcoord/record/cycle-id.c \
	pmcoord/record/statistics.c \
	pmcoord/record/series.c \
	pmcoord/record/status.c \
	pmcoord/sim/simulator-machine.c \
	pmcoord/sim/simulator-scenario.c \
	pmcoord/sim/simulator-state.c \
	pmcoord/sim/simulator.c \
	pmcoord/engine/backoff.c \
	pmcoord/engine/context.c \
	pmcoord/engine/deadlines.c \
	pmcoord/engine/executor.c \
	pmcoord/engine/host-env.c \
	pmcoord/engine/resume.c \
	pmcoord/engine/coordinator.c \
	pmcoord/engine/recover.c \
	pmcoord/engine/suspend.c \
	pmcoord/engine/job.c \
	pmcoord/engine/prearm.c \
	pmcoord/view/findings.c \
	pmcoord/view/monitor.c \
	pmcoord/view/plan-picture.c \
	pmcoord/view/report-text.c \
	pmcoord/view/show.c \
	pmcoord/view/timeline.c \
	pmcoord/view/tty.c \
	pmcoord/view/progress.c \
	pmcoord/check/check.c \
	pmcoord/check/check-config.c \
	pmcoord/check/check-cycles.c \
	pmcoord/check/check-guests.c \
	pmcoord/check/check-host.c \
	pmcoord/check/check-order.c \
	pmcoord/daemon/desktop.c \
	pmcoord/daemon/guest-tracker.c \
	pmcoord/daemon/daemon.c \
	pmcoord/daemon/lease.c \
	pmcoord/daemon/service.c \
	pmcoord/daemon/client.c
COORDINATOR_MAIN := \
	pmcoord/cli/host-env-sim.c \
	pmcoord/cli/host-env-xen.c \
	pmcoord/cli/cli.c \
	pmcoord/cli/command-check.c \
	pmcoord/cli/command-daemon.c \
	pmcoord/cli/command-notify.c \
	pmcoord/cli/command-show.c \
	pmcoord/cli/command-status.c \
	pmcoord/cli/command-suspend.c \
	pmcoord/cli/commands.c \
	pmcoord/cli/main.c \
	pmcoord/cli/repeat.c \
	pmcoord/cli/command-bench.c \
	pmcoord/cli/command-cycle.c
COORDINATOR_PKGS := xencall xencontrol xenevtchn xenstore xentoollog libsystemd json-c smartcols inih
