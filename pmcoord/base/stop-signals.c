/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/stop-signals.h"

#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct stop_signals {
	int numbers[3];
	size_t n;
};

/* Lists the stop signals; leaves SIGHUP out if the process ignores it. */
static struct stop_signals list_signals(void)
{
	struct stop_signals signals = { { SIGTERM, SIGINT }, 2 };
	struct sigaction hangup;

	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		signals.numbers[signals.n++] = SIGHUP;
	return signals;
}

static void block(const struct stop_signals *signals)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < signals->n; i++)
		sigaddset(&set, signals->numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void stop_signals_block(void)
{
	struct stop_signals signals = list_signals();

	block(&signals);
}

int stop_signals_watch(sd_event *event, int64_t priority, sd_event_signal_handler_t handler,
		       void *data)
{
	struct stop_signals signals = list_signals();
	int r = 0;

	assert(event);
	block(&signals);
	for (size_t i = 0; r >= 0 && i < signals.n; i++) {
		sd_event_source *source = NULL;

		r = sd_event_add_signal(event, &source, signals.numbers[i], handler, data);
		if (r >= 0)
			r = sd_event_source_set_priority(source, priority);
		if (r >= 0)
			r = sd_event_source_set_floating(source, true);
		sd_event_source_unref(source);
	}
	return r < 0 ? r : 0;
}
