# SPDX-License-Identifier: LGPL-2.1-or-later
# The double of Xen, in the order in which its files may include each other.
FAKEXEN_SRC := \
	tests/fakexen/observer.c \
	tests/fakexen/wakeup-fd.c \
	tests/fakexen/virtual-time.c \
	tests/fakexen/faults.c \
	tests/fakexen/store-tree.c \
	tests/fakexen/store.c \
	tests/fakexen/store-client.c \
	tests/fakexen/event-channels.c \
	tests/fakexen/process.c \
	tests/fakexen/domains.c \
	tests/fakexen/guests.c \
	tests/fakexen/toolstacks.c \
	tests/fakexen/agents.c \
	guest-agent/engine/machine.c \
	guest-agent/channel-xen.c \
	tests/fakexen/fakexen.c
# The libraries that it replaces. libxentoollog is left, which only prints messages.
FAKEXEN_LIBRARIES = xencall xencontrol xenevtchn xenstore
FAKEXEN_LDFLAGS := -Wl,--wrap=fopen64
CONTRACT_PKGS := xencontrol xenguest xenevtchn xenstore
