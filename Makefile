# SPDX-License-Identifier: LGPL-2.1-or-later
# `make help` lists what there is to make.

VERSION := 0.1.0

PREFIX ?= /usr
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc
BUILD ?= build

CC ?= cc
PKG_CONFIG ?= pkg-config
INSTALL ?= install
# Debian's own: the lab's tests use packaged modules only.
PYTHON ?= /usr/bin/python3

# CFLAGS, CPPFLAGS and LDFLAGS are the user's; what the code needs is separate.
CFLAGS ?= -O2 -g
OUR_CPPFLAGS := -Iinclude -I. -D_GNU_SOURCE -DPMCOORD_VERSION='"$(VERSION)"' \
	-DPMCOORD_SYSCONFDIR='"$(SYSCONFDIR)"'
OUR_CFLAGS := -std=gnu11 -Wall -Wextra -Wshadow -Wmissing-prototypes \
	-Wstrict-prototypes -Wpointer-arith -Wwrite-strings -Wvla \
	-fno-strict-aliasing -fstack-protector-strong -MMD -MP

Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$(2)")

SHARED_SRC := \
	pmcoord/shared/cleanup.c \
	pmcoord/shared/error.c \
	pmcoord/shared/ini-file.c \
	pmcoord/shared/parse.c \
	pmcoord/shared/protocol.c

include pmcoord/sources.mk
include guest-agent/sources.mk
include tests/unit/sources.mk

.DEFAULT_GOAL := all
.PHONY: all clean help install install-agent
all: $(BUILD)/pmcoord $(BUILD)/pmcoord-agent

object = $(patsubst %.c,$(BUILD)/%.o,$(1))
pkg_cflags = $(shell $(PKG_CONFIG) --cflags $(1))
pkg_libs = $(shell $(PKG_CONFIG) --libs $(1))

# One set of include paths for all: only umockdev (GLib) needs any.
$(call object,$(AGENT_TESTS:%=tests/unit/%.c)): OUR_CPPFLAGS += $(call pkg_cflags,$(AGENT_TEST_PKGS))

$(BUILD)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/pmcoord: $(call object,$(SHARED_SRC) $(COORDINATOR_SRC) $(COORDINATOR_MAIN))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,$(COORDINATOR_PKGS)) $(LIBS)

$(BUILD)/pmcoord-agent: $(call object,$(SHARED_SRC) $(AGENT_SRC) $(AGENT_MAIN))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,$(AGENT_PKGS)) $(LIBS)

UNIT_TESTS := $(SHARED_TESTS) $(COORDINATOR_TESTS) $(AGENT_TESTS)
unit_program = $(addprefix $(BUILD)/tests/unit/,$(1))

$(call unit_program,$(SHARED_TESTS)): %: %.o $(call object,$(SHARED_SRC))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,cmocka inih) $(LIBS)

$(call unit_program,$(COORDINATOR_TESTS)): %: %.o $(call object,$(SHARED_SRC) $(COORDINATOR_SRC))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,cmocka $(COORDINATOR_PKGS)) $(LIBS)

$(call unit_program,$(AGENT_TESTS)): %: %.o $(call object,$(SHARED_SRC) $(AGENT_SRC))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,cmocka $(AGENT_TEST_PKGS) $(AGENT_PKGS)) $(LIBS)

.PHONY: check-unit
check-unit: $(call unit_program,$(UNIT_TESTS))
	$(Q)tests/unit/run $(call unit_program,$(UNIT_TESTS))

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

clean:
	rm -rf $(BUILD)
