# SPDX-License-Identifier: LGPL-2.1-or-later
# `make help` lists what there is to make.

VERSION := 0.1.0

PREFIX ?= /usr
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
USERUNITDIR ?= $(PREFIX)/lib/systemd/user
SYSCONFDIR ?= /etc
BUILD ?= build

CC ?= cc
PKG_CONFIG ?= pkg-config
INSTALL ?= install
# Debian's own: the lab's tests use packaged modules only.
PYTHON ?= /usr/bin/python3

# CFLAGS, CPPFLAGS and LDFLAGS are the user's; what the code needs is separate.
CFLAGS ?= -O2 -g
# A time_t of 32 bits, the default of 32-bit systems, does not hold the times used.
OUR_CPPFLAGS := -Iinclude -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 \
	-DPMCOORD_VERSION='"$(VERSION)"' -DPMCOORD_SYSCONFDIR='"$(SYSCONFDIR)"'
# Each program finds its own headers and the shared ones, and tests those of the
# program that they test: the agent cannot include the coordinator's.
AGENT_FILES = guest-agent/% tests/unit/guest-agent/% $(AGENT_FUZZERS:%=tests/fuzz/fuzz_%.c)
own_headers = $(if $(filter $(AGENT_FILES),$(1)),-Iguest-agent,-Ipmcoord) $(if $(filter tests/%,$(1)),-I.)
OUR_CFLAGS := -std=gnu11 -Wall -Wextra -Wshadow -Wmissing-prototypes \
	-Wstrict-prototypes -Wpointer-arith -Wwrite-strings -Wvla \
	-fno-strict-aliasing -fstack-protector-strong -MMD -MP
# Functions are looked up at the start, not when a disk may be asleep.
OUR_LDFLAGS := -Wl,-z,relro,-z,now

Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$(2)")

SHARED_PKGS := inih json-c libsystemd

include pmcoord/sources.mk
include guest-agent/sources.mk
include tests/unit/sources.mk
include tests/fakexen/sources.mk
include tests/fuzz/sources.mk
include tests/worlds/sources.mk

.DEFAULT_GOAL := all
.PHONY: all clean help install install-agent
.DELETE_ON_ERROR:
all: $(BUILD)/pmcoord $(BUILD)/pmcoord-agent

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
unit_object = $(patsubst %.c,$(BUILD)/unit/obj/%.o,$(1))
pkg_libs = $(shell $(PKG_CONFIG) --libs $(1))

# libxenctrl speaks to one version of Xen: errors say which.
$(call object,pmcoord/xen/xen-control.c) $(call unit_object,pmcoord/xen/xen-control.c): OWN_CPPFLAGS = \
	-DPMCOORD_XEN_VERSION='"$(shell $(PKG_CONFIG) --modversion xencontrol | cut -d. -f1,2)"'

$(BUILD)/obj/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(call own_headers,$<) $(OUR_CPPFLAGS) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/pmcoord: $(call object,$(SHARED_SRC) $(COORDINATOR_SRC) $(COORDINATOR_MAIN))
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,$(COORDINATOR_PKGS)) $(LIBS)

$(BUILD)/pmcoord-agent: $(call object,$(SHARED_SRC) $(AGENT_SRC) $(AGENT_MAIN))
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,$(AGENT_PKGS)) $(LIBS)

UNIT_TESTS := $(SHARED_TESTS) $(COORDINATOR_TESTS) $(XEN_TESTS) $(AGENT_TESTS)
unit_program = $(addprefix $(BUILD)/tests/unit/,$(1))
# The code under test reports each invalid access and undefined operation.
UNIT_CFLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer

$(BUILD)/unit/obj/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(call own_headers,$<) $(OUR_CPPFLAGS) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(UNIT_CFLAGS) -c -o $@ $<

$(call unit_program,$(SHARED_TESTS)): $(BUILD)/tests/unit/%: $(BUILD)/unit/obj/tests/unit/%.o $(call unit_object,$(SHARED_SRC))
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,cmocka $(SHARED_PKGS)) $(LIBS)

$(call unit_program,$(COORDINATOR_TESTS)): $(BUILD)/tests/unit/%: $(BUILD)/unit/obj/tests/unit/%.o $(call unit_object,$(SHARED_SRC) $(COORDINATOR_SRC))
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,cmocka $(COORDINATOR_PKGS)) $(LIBS)

# Xen's libraries are replaced; the headers are Xen's own.
XEN_TEST_PKGS = $(filter-out $(FAKEXEN_LIBRARIES),$(COORDINATOR_PKGS))
$(call unit_program,$(XEN_TESTS)): $(BUILD)/tests/unit/%: $(BUILD)/unit/obj/tests/unit/%.o $(call unit_object,$(FAKEXEN_SRC) $(SHARED_SRC) $(COORDINATOR_SRC))
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) $(LDFLAGS) $(FAKEXEN_LDFLAGS) -o $@ $^ $(call pkg_libs,cmocka $(XEN_TEST_PKGS)) $(LIBS)

$(call unit_program,xen/test_contract): $(call unit_object,tests/fakexen/contract.c)

# For dom0 of a real Xen, with a guest that it may suspend: see tests/fakexen/contract.h.
$(BUILD)/tests/fakexen/contract: $(call object,tests/fakexen/contract.c tests/fakexen/contract-main.c)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,$(CONTRACT_PKGS)) $(LIBS)

$(call unit_program,$(AGENT_TESTS)): $(BUILD)/tests/unit/%: $(BUILD)/unit/obj/tests/unit/%.o $(call unit_object,$(SHARED_SRC) $(AGENT_SRC))
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,cmocka $(AGENT_TEST_PKGS) $(AGENT_PKGS)) $(LIBS)

$(BUILD)/tests/bench/engine: $(call object,tests/bench/engine.c $(SHARED_SRC) $(COORDINATOR_SRC))
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,$(COORDINATOR_PKGS)) $(LIBS)

# Random worlds call pmcoord's main, which is built under another name for them.
$(BUILD)/worlds/main.o: pmcoord/cli/main.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(call own_headers,$<) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) -Dmain=pmcoord_main -Wno-missing-prototypes -c -o $@ $<

# The double of Xen stands in for Xen's libraries, and is the host that the commands find.
WORLDS_REPLACED := pmcoord/cli/main.c pmcoord/cli/host-env-xen.c
$(BUILD)/tests/worlds/worlds: $(call object,$(WORLDS_SRC) $(FAKEXEN_SRC) $(SHARED_SRC) $(COORDINATOR_SRC) $(filter-out $(WORLDS_REPLACED),$(COORDINATOR_MAIN))) $(BUILD)/worlds/main.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) $(FAKEXEN_LDFLAGS) -o $@ $^ $(call pkg_libs,$(XEN_TEST_PKGS)) $(LIBS)

# What judges pmcoord shares no code with it but helpers for arrays and scopes.
$(BUILD)/tests/worlds/test_laws: $(call unit_object,$(WORLDS_TEST_SRC) pmcoord/base/array.c pmcoord/base/cleanup.c)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,cmocka json-c) $(LIBS)

# More worlds than `make check` has: N= of them from seed SEED= on, on the simulator and, a tenth of
# them, on the double of Xen; with PROCESSES=yes on the simulator as real processes, some of them
# killed at any moment. What is found is shrunk, and written to the build.
.PHONY: worlds check-worlds
worlds: N ?= 10000
worlds: SEED ?= 1000000
worlds: $(BUILD)/tests/worlds/worlds $(BUILD)/pmcoord
	$(call say,WORLDS,$(N) from seed $(SEED))
	$(Q)mkdir -p $(BUILD)/worlds/found $(BUILD)/worlds/found-double
	$(Q)PMCOORD=$(BUILD)/pmcoord $< $(if $(PROCESSES),--random-kills) --seed=$(SEED) --count=$(N) --found=$(BUILD)/worlds/found
	$(if $(PROCESSES),,$(Q)$< --double --seed=$(SEED) --count=$(shell expr $(N) / 10) --found=$(BUILD)/worlds/found-double)

# Always the same worlds, about a minute of them.
WORLDS_CHECKED ?= 10000
DOUBLE_CHECKED ?= 1000
PROCESSES_CHECKED ?= 100
check-worlds: $(BUILD)/tests/worlds/test_laws $(BUILD)/tests/worlds/worlds $(BUILD)/pmcoord
	$(call say,CHECK,worlds)
	$(Q)tests/unit/run $(BUILD)/tests/worlds/test_laws
	$(Q)$(BUILD)/tests/worlds/worlds --check --seed=1 --count=$(WORLDS_CHECKED)
	$(Q)$(BUILD)/tests/worlds/worlds --double --check --seed=1 --count=$(DOUBLE_CHECKED)
	$(Q)PMCOORD=$(BUILD)/pmcoord $(BUILD)/tests/worlds/worlds --processes --seed=1 --count=$(PROCESSES_CHECKED)

# A first look at how the engine grows; `make bench` judges it.
.PHONY: bench-engine
bench-engine: $(BUILD)/tests/bench/engine
	$(Q)for shape in chain star; do \
		for guests in 10 100 500 1000 5000; do \
			$< $$shape $$guests 7 || exit 1; done; done

.PHONY: bench check check-all check-static check-unit check-lab deps demo lab lab-shell
# Packages are installed first, by a run of make of their own: pkg-config below
# needs them.
bench check check-all demo lab lab-shell: %: deps
	$(Q)$(MAKE) --no-print-directory $@-ready

deps:
	$(Q)tests/install-packages tests/packages tests/lab/packages

.PHONY: bench-ready check-ready check-all-ready demo-ready lab-ready lab-shell-ready
check-ready: LAB_TESTS := check-lab
check-all-ready: LAB_TESTS := check-lab-all
# Programs are built side by side, with the user's -j if there is one; tests run one
# after another.
side_by_side = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
check-ready check-all-ready:
	$(Q)$(MAKE) --no-print-directory $(side_by_side) test-programs
	$(Q)$(MAKE) --no-print-directory check-static check-unit check-worlds check-fuzz $(LAB_TESTS)

# Many warnings come from an optimizer, and each compiler has its own: builds with the
# options that distributions use. The agent also runs in guests of 32 bits.
OPTIMIZED := -O3 -D_FORTIFY_SOURCE=3 -Werror
variant = +$(Q)$(MAKE) --no-print-directory $(side_by_side) say= BUILD=$(BUILD)/variants/$(1) CC='$(2)' CFLAGS='$(3)' $(4)
.PHONY: check-warnings agent-objects
check-warnings:
	$(call say,CHECK,warnings of gcc and clang: -O3$(comma) LTO$(comma) 32 bits)
	$(call variant,gcc,gcc,$(OPTIMIZED),all)
	$(call variant,gcc-lto,gcc,$(OPTIMIZED) -flto=auto,all)
	$(call variant,gcc-32,gcc -m32,$(OPTIMIZED),agent-objects)
	$(call variant,clang,clang,$(OPTIMIZED),all)
	$(call variant,clang-lto,clang,$(OPTIMIZED) -flto=thin,all LDFLAGS=-fuse-ld=lld)
	$(call variant,clang-32,clang -m32,$(OPTIMIZED),agent-objects)

agent-objects: $(call object,$(SHARED_SRC) $(AGENT_SRC) $(AGENT_MAIN))

C_FILES = $(shell find pmcoord guest-agent include tests/unit tests/bench tests/fuzz tests/fakexen tests/worlds -name '*.[ch]')
check-static: all check-warnings
	$(call say,CHECK,format)
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(call say,CHECK,shell scripts$(comma) man pages$(comma) units)
	$(Q)shellcheck tests/install-packages tests/unit/run .ci/run
	$(Q)shellcheck -s bash hooks/bash-completion/pmcoord
	$(Q)mandoc -Tlint -W warning man/*
	$(Q)tests/verify-modules
	$(Q)tests/verify-includes
	$(Q)tests/verify-units $(BUILD) hooks/pmcoord.service hooks/pmcoord-sleep.service hooks/pmcoord-notify.service hooks/pmcoord-agent.service
comma := ,
# What ends a command in a recipe made by $(foreach).
define newline


endef

lab-ready:
	$(Q)$(PYTHON) tests/lab/run.py build

lab-shell-ready: all
	$(Q)$(PYTHON) tests/lab/run.py shell

demo-ready: all
	$(Q)$(PYTHON) tests/lab/run.py demo

# BENCH=--cycles=1000, or the names of sections: see tests/lab/bench.py --help.
bench-ready: all $(BUILD)/tests/bench/engine
	$(Q)$(PYTHON) tests/lab/bench.py $(BENCH)

# The release of Debian that the laptop is made of: see tests/lab/README.md.
export LAB_RELEASE ?= bookworm
RELEASES := bookworm trixie
ifneq ($(words $(filter $(LAB_RELEASE),$(RELEASES))),1)
$(error LAB_RELEASE=$(LAB_RELEASE): the laptop can be made of $(RELEASES))
endif
OTHER_RELEASE := $(filter-out $(LAB_RELEASE),$(RELEASES))

# The summary of the last run ends the output. A lab that does not work costs ten
# minutes a test: a run ends after four failures.
BLACK_BOX_TESTS = $(PYTHON) -m pytest --durations=10 --maxfail=4
OTHER_LAB_TESTS = LAB_RELEASE=$(OTHER_RELEASE) $(BLACK_BOX_TESTS) tests/lab
check-lab: all
	$(Q)status=0; \
	$(OTHER_LAB_TESTS) -m 'both and not long' || status=1; \
	$(BLACK_BOX_TESTS) tests/contract tests/lab -m 'not long' || status=1; \
	exit $$status

.PHONY: check-lab-all
check-lab-all: all
	$(Q)status=0; \
	$(OTHER_LAB_TESTS) --record-long || status=1; \
	$(BLACK_BOX_TESTS) tests/contract tests/lab --record-long || status=1; \
	exit $$status

# Each parser on its corpus and on what can be made of it, always the same, with
# all of clang's sanitizers watching. FUZZ_RUNS=1000000 searches for longer.
FUZZ_RUNS ?= 20000
# A run on the double of Xen takes milliseconds.
XEN_FUZZ_RUNS ?= $(shell expr $(FUZZ_RUNS) / 10)
FUZZ_CFLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz_object = $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(1))
fuzz_program = $(addprefix $(BUILD)/fuzz/fuzz_,$(1))
FUZZERS := $(COORDINATOR_FUZZERS) $(XEN_FUZZERS) $(AGENT_FUZZERS)

$(BUILD)/fuzz/obj/%.o: %.c Makefile
	$(call say,CLANG,$<)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(call own_headers,$<) $(OUR_CPPFLAGS) -DPMCOORD_XEN_VERSION='""' $(CPPFLAGS) $(OUR_CFLAGS) $(FUZZ_CFLAGS) -c -o $@ $<

$(call fuzz_program,$(COORDINATOR_FUZZERS)): $(BUILD)/fuzz/%: $(call fuzz_object,tests/fuzz/file.c $(SHARED_SRC) $(COORDINATOR_SRC)) $(BUILD)/fuzz/obj/tests/fuzz/%.o
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(call pkg_libs,$(COORDINATOR_PKGS))

$(call fuzz_program,$(XEN_FUZZERS)): $(BUILD)/fuzz/%: $(call fuzz_object,tests/fuzz/file.c tests/fuzz/xen-host.c $(FAKEXEN_SRC) $(SHARED_SRC) $(COORDINATOR_SRC)) $(BUILD)/fuzz/obj/tests/fuzz/%.o
	$(Q)clang $(FUZZ_CFLAGS) $(FAKEXEN_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(call pkg_libs,$(XEN_TEST_PKGS))

$(call fuzz_program,$(AGENT_FUZZERS)): $(BUILD)/fuzz/%: $(call fuzz_object,tests/fuzz/file.c $(SHARED_SRC) $(AGENT_SRC)) $(BUILD)/fuzz/obj/tests/fuzz/%.o
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(call pkg_libs,$(AGENT_PKGS))

.PHONY: test-programs
test-programs: all $(BUILD)/tests/fakexen/contract $(BUILD)/tests/worlds/test_laws $(BUILD)/tests/worlds/worlds \
		$(call unit_program,$(UNIT_TESTS)) $(call fuzz_program,$(FUZZERS))

.PHONY: check-fuzz $(addprefix fuzz-,$(FUZZERS))
check-fuzz: $(addprefix fuzz-,$(FUZZERS))

# What it finds worth keeping goes to the build; add it to the corpus by hand.
$(addprefix fuzz-,$(FUZZERS)): fuzz-%: $(BUILD)/fuzz/fuzz_%
	$(call say,FUZZ,$*)
	$(Q)mkdir -p $(BUILD)/fuzz/found/$*
	$(Q)$< -seed=1 -runs=$(if $(filter $*,$(XEN_FUZZERS)),$(XEN_FUZZ_RUNS),$(FUZZ_RUNS)) -verbosity=0 -close_fd_mask=3 -max_len=4096 \
		-artifact_prefix=$(BUILD)/fuzz/found/$*- $(BUILD)/fuzz/found/$* tests/fuzz/corpus/$* \
		>$(BUILD)/fuzz/$*.log 2>&1 || { cat $(BUILD)/fuzz/$*.log; exit 1; }

check-unit: $(call unit_program,$(UNIT_TESTS))
	$(Q)tests/unit/run $(call unit_program,$(UNIT_TESTS))

# N random small changes of the code, and how many of them the tests notice, see
# tests/mutants/run.py. ONLY= and EXCEPT= are patterns of files, e.g. 'pmcoord/engine/*'.
.PHONY: mutants
mutants: N ?= 50
mutants: SEED ?= 1
mutants:
	$(Q)$(PYTHON) tests/mutants/run.py --number=$(N) --seed=$(SEED) $(patsubst %,--only='%',$(ONLY)) \
		$(patsubst %,--except='%',$(EXCEPT)) --build=$(BUILD)/mutants --cc='$(CC)' $(UNIT_TESTS)

-include $(shell find $(BUILD) -path $(BUILD)/mutants -prune -o -name '*.d' -print 2>/dev/null)

# On a dom0: the coordinator. In a driver domain: install-agent.
install: $(BUILD)/pmcoord
	$(INSTALL) -D -m 0755 $(BUILD)/pmcoord $(DESTDIR)$(BINDIR)/pmcoord
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(UNITDIR) hooks/pmcoord.service hooks/pmcoord-sleep.service
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(USERUNITDIR) hooks/pmcoord-notify.service
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/dbus-1/system.d hooks/org.pmcoord.Coordinator1.conf
	$(INSTALL) -D -m 0644 hooks/pmcoord.catalog $(DESTDIR)$(PREFIX)/lib/systemd/catalog/pmcoord.catalog
	test -e $(DESTDIR)$(SYSCONFDIR)/pmcoord/pmcoord.conf || \
		$(INSTALL) -D -m 0644 hooks/pmcoord.conf $(DESTDIR)$(SYSCONFDIR)/pmcoord/pmcoord.conf
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(MANDIR)/man8 man/pmcoord.8
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(MANDIR)/man5 man/pmcoord.conf.5 man/pmcoord-scenario.5
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/bash-completion/completions hooks/bash-completion/pmcoord
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/pmcoord/scenarios $(wildcard hooks/scenarios/*.sim)

install-agent: $(BUILD)/pmcoord-agent
	$(INSTALL) -D -m 0755 $(BUILD)/pmcoord-agent $(DESTDIR)$(SBINDIR)/pmcoord-agent
	$(INSTALL) -D -m 0644 hooks/pmcoord-agent.service $(DESTDIR)$(UNITDIR)/pmcoord-agent.service
	test -e $(DESTDIR)$(SYSCONFDIR)/pmcoord/agent.conf || \
		$(INSTALL) -D -m 0644 hooks/agent.conf $(DESTDIR)$(SYSCONFDIR)/pmcoord/agent.conf
	$(INSTALL) -d -m 0755 $(DESTDIR)$(SYSCONFDIR)/pmcoord/suspend.d
	$(foreach hook,$(wildcard hooks/suspend.d/*),$(INSTALL) -D -m 0755 \
		-t $(DESTDIR)$(PREFIX)/share/doc/pmcoord/suspend.d $(hook)$(newline))
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(MANDIR)/man8 man/pmcoord-agent.8
	$(INSTALL) -D -m 0644 -t $(DESTDIR)$(MANDIR)/man5 man/pmcoord-agent.conf.5

help:
	@echo 'make                 build the coordinator and the agent in $(BUILD)/'
	@echo 'make demo            close the lid of an emulated Xen laptop, and open it'
	@echo 'make check           tests: unit, simulator, lab without its long tests'
	@echo 'make check-all       all tests, which takes hours'
	@echo 'make check-unit      unit tests only (seconds)'
	@echo 'make worlds          random hosts and users: N=, SEED=, PROCESSES=yes'
	@echo 'make check-fuzz      the parsers on hostile input; FUZZ_RUNS=1000000 for longer'
	@echo 'make mutants         random small changes: which do the tests notice? N=50 SEED=1'
	@echo 'make bench           what it costs and gains, against others, in the emulated laptop'
	@echo 'make bench-engine    what the engine costs by itself, on simulated guests'
	@echo 'make lab             build the emulated laptop'
	@echo 'make lab-shell       a root shell in its dom0'
	@echo 'make install         on a dom0; DESTDIR=, PREFIX=, SYSCONFDIR= as usual'
	@echo 'make install-agent   in a driver domain'
	@echo 'make deps            install the Debian packages that the above need'
	@echo 'make clean           remove $(BUILD)/'
	@echo 'V=1 shows the commands; CFLAGS=, CC= are yours.'

clean:
	rm -rf $(BUILD)
