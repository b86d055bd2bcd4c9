# SPDX-License-Identifier: LGPL-2.1-or-later
# The coordinator's modules, in the order in which they may include each other.
COORDINATOR_SRC := \
	pmcoord/config.c \
	pmcoord/inventory.c \
	pmcoord/graph.c \
	pmcoord/plan.c \
	pmcoord/cycle.c \
	pmcoord/journal.c \
	pmcoord/hypervisor.c \
	pmcoord/hypervisor-xen.c \
	pmcoord/loop.c \
	pmcoord/executor.c \
	pmcoord/restore.c
COORDINATOR_MAIN := pmcoord/main.c
COORDINATOR_PKGS := xencontrol xenguest xenevtchn xenstore libsystemd json-c smartcols inih
