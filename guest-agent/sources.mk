# SPDX-License-Identifier: LGPL-2.1-or-later
# The agent's modules, in the order in which they may include each other.
AGENT_SRC := \
	guest-agent/files.c \
	guest-agent/class.c \
	guest-agent/log.c \
	guest-agent/machine.c \
	guest-agent/settings.c \
	guest-agent/journal.c \
	guest-agent/task.c \
	guest-agent/memory.c \
	guest-agent/freezer.c \
	guest-agent/hooks.c \
	guest-agent/inhibitors.c \
	guest-agent/manager.c \
	guest-agent/usage.c \
	guest-agent/inventory.c \
	guest-agent/modules.c \
	guest-agent/netlink.c \
	guest-agent/links-saved.c \
	guest-agent/links-vlans.c \
	guest-agent/links-save.c \
	guest-agent/links-restore.c \
	guest-agent/rfkill.c \
	guest-agent/device.c \
	guest-agent/engine-state.c \
	guest-agent/engine-down.c \
	guest-agent/engine-up.c \
	guest-agent/wake-clock.c \
	guest-agent/kernel-log.c \
	guest-agent/channel-xen.c \
	guest-agent/agent.c \
	guest-agent/rehearse.c \
	guest-agent/report.c
AGENT_MAIN := guest-agent/main.c
AGENT_PKGS := xenevtchn xenstore libsystemd json-c inih
