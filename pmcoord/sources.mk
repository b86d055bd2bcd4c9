# SPDX-License-Identifier: LGPL-2.1-or-later
# The coordinator's modules, in the order in which they may include each other.
COORDINATOR_SRC :=
COORDINATOR_MAIN := pmcoord/main.c
COORDINATOR_PKGS := xencontrol xenevtchn xenstore libsystemd json-c smartcols inih
