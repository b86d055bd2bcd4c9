# SPDX-License-Identifier: LGPL-2.1-or-later
# The agent's modules, in the order in which they may include each other.
AGENT_SRC :=
AGENT_MAIN := guest-agent/main.c
AGENT_PKGS := xenevtchn xenstore libsystemd libudev inih
