# SPDX-License-Identifier: LGPL-2.1-or-later
# The coordinator's modules, in the order in which they may include each other.
COORDINATOR_SRC := \
	pmcoord/config.c \
	pmcoord/inventory.c \
	pmcoord/graph.c \
	pmcoord/plan.c \
	pmcoord/cycle.c \
	pmcoord/journal.c \
	pmcoord/json.c \
	pmcoord/report.c \
	pmcoord/table.c \
	pmcoord/report-text.c \
	pmcoord/statistics.c \
	pmcoord/series.c \
	pmcoord/svg.c \
	pmcoord/timeline.c \
	pmcoord/plan-picture.c \
	pmcoord/show.c \
	pmcoord/hypervisor.c \
	pmcoord/ports.c \
	pmcoord/hypervisor-xen.c \
	pmcoord/xen-inventory.c \
	pmcoord/xen-examine.c \
	pmcoord/lid.c \
	pmcoord/loop.c \
	pmcoord/sleep-jobs.c \
	pmcoord/sleeper.c \
	pmcoord/sleeper-alarm.c \
	pmcoord/simulator-machine.c \
	pmcoord/simulator-scenario.c \
	pmcoord/simulator-state.c \
	pmcoord/simulator.c \
	pmcoord/executor.c \
	pmcoord/restore.c \
	pmcoord/roots.c \
	pmcoord/boot-id.c \
	pmcoord/lock.c \
	pmcoord/status.c \
	pmcoord/findings.c \
	pmcoord/string-list.c \
	pmcoord/host.c \
	pmcoord/host-systemd.c \
	pmcoord/check.c \
	pmcoord/check-config.c \
	pmcoord/check-cycles.c \
	pmcoord/check-guests.c \
	pmcoord/check-host.c \
	pmcoord/check-order.c \
	pmcoord/monitor.c \
	pmcoord/number.c \
	pmcoord/battery.c \
	pmcoord/coordinator.c \
	pmcoord/keeper.c \
	pmcoord/exit-code.c \
	pmcoord/backoff.c \
	pmcoord/job.c \
	pmcoord/memory.c \
	pmcoord/live.c \
	pmcoord/progress.c \
	pmcoord/daemon.c \
	pmcoord/service.c \
	pmcoord/client.c \
	pmcoord/lease.c \
	pmcoord/logind.c
COORDINATOR_MAIN := \
	pmcoord/cli.c \
	pmcoord/commands.c \
	pmcoord/rehearsal.c \
	pmcoord/command-bench.c \
	pmcoord/command-cycle.c \
	pmcoord/command-check.c \
	pmcoord/command-show.c \
	pmcoord/command-status.c \
	pmcoord/command-daemon.c \
	pmcoord/command-suspend.c \
	pmcoord/main.c
COORDINATOR_PKGS := xencall xencontrol xenevtchn xenstore xentoollog libsystemd json-c smartcols inih
