# SPDX-License-Identifier: LGPL-2.1-or-later
# The agent's modules, folder after folder, in the order in which they may include
# each other.
AGENT_SRC := \
	guest-agent/guest/files.c \
	guest-agent/guest/class.c \
	guest-agent/guest/freezer.c \
	guest-agent/guest/kernel-log.c \
	guest-agent/guest/log.c \
	guest-agent/guest/settings.c \
	guest-agent/guest/task.c \
	guest-agent/guest/memory.c \
	guest-agent/guest/wake-clock.c \
	guest-agent/net/manager.c \
	guest-agent/net/netlink.c \
	guest-agent/net/links-saved.c \
	guest-agent/net/links-vlans.c \
	guest-agent/net/links-restore.c \
	guest-agent/net/links-save.c \
	guest-agent/net/rfkill.c \
	guest-agent/devices/disks.c \
	guest-agent/devices/open-files.c \
	guest-agent/devices/storage.c \
	guest-agent/devices/usage.c \
	guest-agent/devices/device.c \
	guest-agent/devices/inventory.c \
	guest-agent/devices/modules.c \
	guest-agent/engine/hooks.c \
	guest-agent/engine/inhibitors.c \
	guest-agent/engine/journal.c \
	guest-agent/engine/engine-state.c \
	guest-agent/engine/machine.c \
	guest-agent/engine/quiesce.c \
	guest-agent/engine/restore.c \
	guest-agent/engine/self-test.c \
	guest-agent/agent.c \
	guest-agent/channel-xen.c \
	guest-agent/report.c
AGENT_MAIN := \
	guest-agent/main.c
AGENT_PKGS := xenevtchn xenstore libsystemd json-c inih
