# SPDX-License-Identifier: LGPL-2.1-or-later
# Fuzzers: tests/fuzz/fuzz_NAME.c with a corpus in tests/fuzz/corpus/NAME.
COORDINATOR_FUZZERS := config scenario text journal report
# With the double of Xen (tests/fakexen) in place of Xen's libraries.
XEN_FUZZERS := xen_tree xen_cycle
AGENT_FUZZERS := settings
