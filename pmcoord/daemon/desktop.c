/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/desktop.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "model/cycle.h"
#include "record/report-file.h"
#include "record/report.h"

/* Levels of urgency in the Desktop Notifications Specification. */
#define URGENCY_NORMAL 1
#define URGENCY_CRITICAL 2

struct desktop {
	char *reports;
	sd_bus *bus;
	sd_event_source *source;
};

/*
 * Writes the text with its markup escaped, because desktops interpret markup
 * and the text may contain strings of guests.
 */
static void escape(const char *text, FILE *out)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		default:
			fputc(*text, out);
		}
}

/* Returns the text of the notification, owned by the caller, or NULL if out of memory. */
static char *make_body(const struct report *report)
{
	char blame[ERROR_TEXT_MAX] = "";
	char *body = NULL;
	size_t size;
	FILE *out = open_memstream(&body, &size);

	if (!out)
		return NULL;
	report_explain(report, blame, sizeof(blame));
	escape(blame, out);
	fputs("\nSee 'pmcoord report'.", out);
	if (fclose(out) == 0)
		return body;
	free(body);
	return NULL;
}

static int send_notification(sd_bus *bus, bool has_failed, const char *body)
{
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(bus, &message, "org.freedesktop.Notifications",
					       "/org/freedesktop/Notifications",
					       "org.freedesktop.Notifications", "Notify");

	/* Expect no reply, because a session without a notification server is not an error. */
	if (r >= 0)
		r = sd_bus_message_set_expect_reply(message, 0);
	if (r >= 0)
		r = sd_bus_message_append(
			message, "susssasa{sv}i", "pmcoord", (uint32_t)0, "dialog-warning",
			has_failed ? "Suspending the guests failed"
				   : "Guests were suspended with problems",
			body, 0, 1, "urgency", "y", has_failed ? URGENCY_CRITICAL : URGENCY_NORMAL,
			(int32_t)-1);
	if (r >= 0)
		r = sd_bus_send(bus, message, NULL);
	sd_bus_message_unref(message);
	return r < 0 ? r : 0;
}

static int notify_of_report(struct desktop *desktop, const struct report *report)
{
	_cleanup_(freep) char *body = NULL;

	if (report->result == RESULT_OK)
		return 0;
	body = make_body(report);
	return body ? send_notification(desktop->bus, report->result == RESULT_FAILED, body)
		    : -ENOMEM;
}

/* Returns the number of the report in a file name ("12.json"), or 0 for another file. */
static uint64_t number_of(const char *name)
{
	const char *dot = strchr(name, '.');
	uint64_t number = 0;
	char digits[24];

	if (!dot || strcmp(dot, ".json") != 0)
		return 0;
	snprintf(digits, sizeof(digits), "%.*s", (int)(dot - name), name);
	return parse_u64(digits, UINT64_MAX, &number) < 0 ? 0 : number;
}

static int handle_file(sd_event_source *source, const struct inotify_event *event, void *data)
{
	struct desktop *desktop = data;
	struct report *report = NULL;
	struct error error = { 0 };
	uint64_t number = event->len > 0 ? number_of(event->name) : 0;
	int r;

	(void)source;
	if (number == 0)
		return 0;
	if (report_load(desktop->reports, number, &report, &error) < 0) {
		fprintf(stderr, "pmcoord: %s\n", error_text(&error));
		return 0;
	}
	r = notify_of_report(desktop, report);
	if (r < 0)
		fprintf(stderr, "pmcoord: cannot send a notification of report %" PRIu64 ": %s\n",
			number, strerror(-r));
	report_free(report);
	return 0;
}

int desktop_new(const char *reports, sd_bus *bus, sd_event *event, struct desktop **ret_desktop,
		struct error *error)
{
	struct desktop *desktop = calloc(1, sizeof(*desktop));
	int r = -ENOMEM;

	assert(reports && bus && event && ret_desktop);
	if (!desktop)
		return error_set(error, r, "out of memory");
	desktop->bus = sd_bus_ref(bus);
	desktop->reports = strdup(reports);
	/* Watch for renames, because a complete report gets its name by rename(2). */
	if (desktop->reports)
		r = sd_event_add_inotify(event, &desktop->source, reports, IN_MOVED_TO | IN_ONLYDIR,
					 handle_file, desktop);
	if (r < 0) {
		desktop_free(desktop);
		return error_set(error, r, "cannot watch %s: %s", reports, strerror(-r));
	}
	*ret_desktop = desktop;
	return 0;
}

void desktop_free(struct desktop *desktop)
{
	if (!desktop)
		return;
	sd_event_source_disable_unref(desktop->source);
	sd_bus_unref(desktop->bus);
	free(desktop->reports);
	free(desktop);
}
