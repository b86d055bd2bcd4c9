/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_TRACE_H
#define PMCOORD_SIM_SIMULATOR_TRACE_H

/*
 * The trace of a simulated machine (Trace=yes): a line for each thing that happens to
 * a guest or to the host, written at once. Tests judge the coordinator by this file,
 * because neither the coordinator nor its journal has a part in it.
 */

#include <stdint.h>

/* Opens the trace file for appending. Returns a descriptor or a negative errno. */
int sim_trace_open(const char *path);

/*
 * Appends a line: the time in µs, a word, and the guest's name ("-": the host). Does
 * nothing if `fd` is negative. A failed write is ignored: the reader finds that the
 * last line is missing.
 */
void sim_trace_write(int fd, uint64_t now_us, const char *word, const char *name);

#endif
