# SPDX-License-Identifier: LGPL-2.1-or-later
# Random worlds, judged from outside: see tests/worlds/README.md
WORLDS_LAWS := \
	tests/worlds/world.c \
	tests/worlds/history.c \
	tests/worlds/domains.c \
	tests/worlds/printed.c \
	tests/worlds/cause.c \
	tests/worlds/laws.c \
	tests/worlds/laws-order.c \
	tests/worlds/laws-held.c \
	tests/worlds/laws-truth.c \
	tests/worlds/laws-codes.c \
	tests/worlds/laws-report.c
WORLDS_SRC := $(WORLDS_LAWS) \
	tests/worlds/world-file.c \
	tests/worlds/generate.c \
	tests/worlds/generate-user.c \
	tests/worlds/damage.c \
	tests/worlds/sim-host.c \
	tests/worlds/backend-sim.c \
	tests/worlds/backend-calls.c \
	tests/worlds/backend-processes.c \
	tests/worlds/generate-double.c \
	tests/worlds/double-host.c \
	tests/worlds/host-env-double.c \
	tests/worlds/backend-double.c \
	tests/worlds/shrink.c \
	tests/worlds/known.c \
	tests/worlds/search.c \
	tests/worlds/main.c
# The laws, tested with worlds made by hand: no part of pmcoord but its helpers is linked.
WORLDS_TEST_SRC := $(WORLDS_LAWS) tests/worlds/world-file.c tests/worlds/known.c tests/worlds/test_laws.c
