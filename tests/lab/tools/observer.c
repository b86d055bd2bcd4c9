/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * observer: writes down what Xen says of each domain, and when it changed.
 *
 * It asks the hypervisor about once a millisecond, on purpose: as a witness it must not share any mechanism
 * (events, xenstore, watches) with the program it testifies about.
 *
 * Usage: observer FILE
 * One line a change: BOOTTIME_US DOMID UUID STATE, state being "running", "gone", or any of "paused",
 * "shutdown:REASON" ("shutdown:suspend" for a suspended domain) and "dying" joined by "+".
 * The first lines are the states found at the start, followed by "BOOTTIME_US - - watching";
 * "BOOTTIME_US - - blind:US" tells of samples so far apart that an order within that time is not known.
 * On standard output it says "watching" once it does.
 */
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xenctrl.h>

#define DOMAINS_MAX 256
#define PERIOD_NS 1000000
/* Should a sample take long, what lies between two of them is uncertain: the reader must be told. */
#define GAP_US 20000

struct seen {
	xc_domaininfo_t info;
	char state[64];
};

static uint64_t now_us(void) {
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static const char *shutdown_reason(uint32_t flags) {
	static const char *const reasons[] = { "poweroff", "reboot", "suspend", "crash", "watchdog", "soft-reset" };
	uint32_t reason = (flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;

	return reason < sizeof(reasons) / sizeof(reasons[0]) ? reasons[reason] : "unknown";
}

static void describe(struct seen *seen) {
	uint32_t flags = seen->info.flags;

	snprintf(seen->state, sizeof(seen->state), "%s%s%s%s",
		 flags & XEN_DOMINF_paused ? "+paused" : "",
		 flags & XEN_DOMINF_shutdown ? "+shutdown:" : "",
		 flags & XEN_DOMINF_shutdown ? shutdown_reason(flags) : "",
		 flags & XEN_DOMINF_dying ? "+dying" : "");
	if (seen->state[0] == 0)
		snprintf(seen->state, sizeof(seen->state), "+running");
}

static void report(FILE *file, uint64_t at, const xc_domaininfo_t *info, const char *state) {
	fprintf(file, "%llu %u ", (unsigned long long) at, info->domain);
	for (size_t i = 0; i < sizeof(info->handle); i++)
		fprintf(file, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", info->handle[i]);
	fprintf(file, " %s\n", state);
}

static const struct seen *find(const struct seen *in, size_t count, const struct seen *wanted) {
	for (size_t i = 0; i < count; i++)
		if (in[i].info.domain == wanted->info.domain &&
		    memcmp(in[i].info.handle, wanted->info.handle, sizeof(wanted->info.handle)) == 0)
			return &in[i];
	return NULL;
}

static size_t sample(xc_interface *xc, struct seen *ret) {
	static xc_domaininfo_t infos[DOMAINS_MAX];
	int count = xc_domain_getinfolist(xc, 1, DOMAINS_MAX, infos);

	if (count < 0) {
		perror("xc_domain_getinfolist");
		exit(EXIT_FAILURE);
	}
	for (int i = 0; i < count; i++) {
		ret[i].info = infos[i];
		describe(&ret[i]);
	}
	return (size_t) count;
}

int main(int argc, char **argv) {
	static struct seen buffers[2][DOMAINS_MAX];
	struct seen *before = buffers[0], *after = buffers[1];
	size_t before_count = 0;
	bool first = true;
	uint64_t last = 0;
	xc_interface *xc;
	FILE *file;

	if (argc != 2) {
		fprintf(stderr, "Usage: %s FILE\n", argv[0]);
		return 2;
	}
	xc = xc_interface_open(NULL, NULL, 0);
	file = fopen(argv[1], "w");
	/* After a wake, every process of dom0 wants the processors at once. The witness must not have to wait. */
	if (!xc || !file || sched_setscheduler(0, SCHED_FIFO, &(struct sched_param) { .sched_priority = 1 }) < 0) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	for (;;) {
		size_t after_count = sample(xc, after);
		uint64_t at = now_us();
		struct seen *swap;

		if (!first && at - last > GAP_US)
			fprintf(file, "%llu - - blind:%llu\n", (unsigned long long) at, (unsigned long long) (at - last));
		for (size_t i = 0; i < after_count; i++) {
			const struct seen *old = find(before, before_count, &after[i]);

			if (!old || strcmp(old->state, after[i].state) != 0)
				report(file, at, &after[i].info, after[i].state + 1);
		}
		for (size_t i = 0; i < before_count; i++)
			if (!find(after, after_count, &before[i]))
				report(file, at, &before[i].info, "gone");
		if (first)
			fprintf(file, "%llu - - watching\n", (unsigned long long) at);
		fflush(file);
		if (first) {
			puts("watching");
			fflush(stdout);
		}
		first = false;
		last = at;
		swap = before;
		before = after;
		after = swap;
		before_count = after_count;
		nanosleep(&(struct timespec) { .tv_nsec = PERIOD_NS }, NULL);
	}
}
