/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/timeline.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "base/moment.h"
#include "base/svg.h"
#include "model/cycle.h"
#include "model/inventory.h"
#include "model/plan.h"

/* Lengths in tenths of a pixel. */
#define WIDTH SVG_PX(1040)
#define MARGIN SVG_PX(20)
#define LABEL_END SVG_PX(195)
#define SUSPEND_X SVG_PX(210)
#define SUSPEND_WIDTH SVG_PX(350)
#define SLEEP_X SVG_PX(570)
#define SLEEP_WIDTH SVG_PX(90)
#define RESUME_X SVG_PX(675)
#define RESUME_WIDTH SVG_PX(350)
/* The room right of the longest bar, for its value: "12.3 s, degraded". */
#define VALUE_WIDTH SVG_PX(115)
#define ROWS_Y SVG_PX(118)
#define ROW_HEIGHT SVG_PX(24)
#define BAR_HEIGHT SVG_PX(12)
#define LINE_HEIGHT SVG_PX(18)
/* The least width of a bar; a narrower bar would be invisible. */
#define BAR_MIN SVG_PX(2)

#define TICKS_MAX 6 /* per time axis */
#define NAME_MAX_CHARACTERS 19
#define NOTE_MAX_CHARACTERS 140

static const char style[] = ".name { font-size: 125px; }\n"
			    ".stripe { fill: #f5f7f9; }\n"
			    ".stripe-warn { fill: #fff3dd; }\n"
			    ".stripe-bad { fill: #ffe9e6; }\n"
			    ".sleep { fill: #e8ebf7; }\n"
			    ".sleep-text { text-anchor: middle; fill: #3f4a86; }\n"
			    ".grid { stroke: #d5dae0; stroke-width: 8; }\n"
			    ".held { stroke: #8d98c9; stroke-width: 16; "
			    "stroke-dasharray: 10 35; stroke-linecap: round; }\n"
			    ".quiesce { fill: #92bdf5; }\n"
			    ".down { fill: #2563c9; }\n"
			    ".paused { fill: #dd8a0b; }\n"
			    ".failed { fill: #d13b30; }\n"
			    ".wait { stroke: #b3bbc4; stroke-width: 10; }\n"
			    ".running { fill: #14875a; }\n"
			    ".ready { fill: #84d0ae; }\n"
			    ".value { font-size: 105px; }\n";

static const char dark_style[] = ".stripe { fill: #1b1f26; }\n"
				 ".stripe-warn { fill: #352a14; }\n"
				 ".stripe-bad { fill: #3d1d1b; }\n"
				 ".sleep { fill: #23283c; }\n"
				 ".sleep-text { fill: #b4bfee; }\n"
				 ".grid { stroke: #343b45; }\n"
				 ".held { stroke: #6773ad; }\n"
				 ".quiesce { fill: #2f578f; }\n"
				 ".down { fill: #5b95ee; }\n"
				 ".wait { stroke: #59626d; }\n"
				 ".running { fill: #2fb682; }\n"
				 ".ready { fill: #205f47; }\n";

/*
 * One half of the picture, with a time axis for `length_us`. The axis is
 * VALUE_WIDTH shorter than `width`, to leave room for the value beside the
 * longest bar.
 */
struct panel {
	int x, width;
	int64_t length_us; /* MOMENT_NEVER: there is nothing to draw */
};

struct drawing {
	const struct report *report;
	FILE *out;
	int rows_end;
	int64_t first_request_us, suspend_end_us;
	struct panel suspend, resume;
};

/* ---- measuring ---------------------------------------------------------- */

/*
 * Returns when the guest's bar ends: when the guest was suspended or paused or,
 * if neither happened, at the end of the suspend phase.
 */
static int64_t suspend_bar_end(const struct drawing *drawing, const struct report_guest *guest)
{
	return guest->down_us == MOMENT_NEVER ? drawing->suspend_end_us : guest->down_us;
}

/*
 * Returns when the guest's bar starts: at the request or, for a guest that was
 * paused without a request, at the pause.
 */
static int64_t suspend_bar_start(const struct report_guest *guest)
{
	return guest->requested_us == MOMENT_NEVER ? guest->down_us : guest->requested_us;
}

static void measure(struct drawing *drawing)
{
	const struct report *report = drawing->report;
	int64_t last_us = MOMENT_NEVER, resume_us = MOMENT_NEVER;

	drawing->suspend_end_us = report_suspend_end_us(report);
	drawing->first_request_us = MOMENT_NEVER;
	for (size_t i = 0; i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];
		int64_t from_us = suspend_bar_start(guest);
		int64_t resume_start_us = report_resume_start_us(report, guest);

		if (from_us != MOMENT_NEVER && (drawing->first_request_us == MOMENT_NEVER ||
						from_us < drawing->first_request_us))
			drawing->first_request_us = from_us;
		if (from_us != MOMENT_NEVER)
			last_us = moment_later(last_us, suspend_bar_end(drawing, guest));
		resume_us =
			moment_later(resume_us, span_between(resume_start_us, guest->running_us));
		resume_us = moment_later(resume_us, span_between(resume_start_us, guest->ready_us));
	}
	drawing->rows_end = ROWS_Y + (int)report->n_guests * ROW_HEIGHT;
	drawing->suspend = (struct panel){
		.x = SUSPEND_X,
		.width = SUSPEND_WIDTH,
		.length_us = span_between(drawing->first_request_us, last_us),
	};
	drawing->resume = (struct panel){
		.x = RESUME_X,
		.width = RESUME_WIDTH,
		.length_us = resume_us,
	};
}

/*
 * Returns the distance between two ticks: the shortest that is 1, 2 or 5 times
 * a power of ten and needs at most TICKS_MAX ticks.
 */
static int64_t tick_step(int64_t length_us)
{
	static const int factors[] = { 1, 2, 5 };

	for (int64_t power = 100;; power *= 10)
		for (size_t i = 0; i < ELEMENTSOF(factors); i++)
			if (length_us / (power * factors[i]) < TICKS_MAX)
				return power * factors[i];
}

static int panel_x(const struct panel *panel, int64_t span_us)
{
	int64_t width = panel->width - VALUE_WIDTH;

	return panel->x + (int)(span_us * width / (panel->length_us + 1));
}

/* ---- the frame ---------------------------------------------------------- */

static const char *result_class(enum cycle_result result)
{
	switch (result) {
	case RESULT_OK:
		return "good";
	case RESULT_DEGRADED:
		return "warn";
	case RESULT_FAILED:
		break;
	}
	return "bad";
}

static void draw_title(struct drawing *drawing)
{
	const struct report *report = drawing->report;
	const struct report_guest *slowest = report_slowest(report);
	const char *started = report->started;

	fprintf(drawing->out,
		"<text class=\"title\" x=\"%d\" y=\"%d\">Cycle %" PRIu64
		": <tspan class=\"%s\">%s</tspan></text>\n",
		MARGIN, SVG_PX(36), report->cycle, result_class(report->result),
		cycle_result_name(report->result));
	svg_text(drawing->out, "quiet", MARGIN, SVG_PX(56), "%.10s %.8s UTC, by %s%s%s", started,
		 strlen(started) > 11 ? started + 11 : "", report->trigger,
		 slowest ? "; slowest to suspend: " : "", slowest ? slowest->name : "");
}

static void draw_tick(struct drawing *drawing, const struct panel *panel, int64_t at_us,
		      bool in_seconds)
{
	int x = panel_x(panel, at_us);
	char text[SPAN_TEXT_SIZE];

	svg_line(drawing->out, "grid", x, ROWS_Y, x, drawing->rows_end + SVG_PX(4));
	if (in_seconds)
		snprintf(text, sizeof(text), "%" PRId64, at_us / 1000000);
	else if (at_us % 1000 == 0)
		snprintf(text, sizeof(text), "%" PRId64, at_us / 1000);
	else
		span_format_ms(at_us, text);
	svg_text(drawing->out, "quiet middle", x, drawing->rows_end + SVG_PX(17), "%s", text);
}

static void draw_panel(struct drawing *drawing, const struct panel *panel, const char *title,
		       const char *origin, const char *nothing)
{
	int64_t step = tick_step(panel->length_us);
	bool in_seconds = step >= 1000000;

	svg_text(drawing->out, "", panel->x, ROWS_Y - SVG_PX(12), "%s", title);
	if (panel->length_us == MOMENT_NEVER) {
		svg_text(drawing->out, "quiet", panel->x, drawing->rows_end + SVG_PX(17), "%s",
			 nothing);
		return;
	}
	for (int64_t at_us = 0; at_us <= panel->length_us; at_us += step)
		draw_tick(drawing, panel, at_us, in_seconds);
	svg_text(drawing->out, "quiet", panel->x, drawing->rows_end + SVG_PX(34), "%s since %s",
		 in_seconds ? "s" : "ms", origin);
}

/*
 * Draws the sleep as a box of fixed width, not to scale, because the sleep is
 * much longer than the suspend and the resume. If the host did not sleep,
 * writes "host stayed awake".
 */
static void draw_sleep(struct drawing *drawing)
{
	int64_t slept = drawing->report->slept_us;
	int middle = SLEEP_X + SLEEP_WIDTH / 2;
	char text[SPAN_TEXT_SIZE];

	if (slept != MOMENT_NEVER)
		svg_rect(drawing->out, "sleep", SLEEP_X, ROWS_Y - SVG_PX(44), SLEEP_WIDTH,
			 drawing->rows_end - ROWS_Y + SVG_PX(48), NULL);
	svg_text(drawing->out, slept == MOMENT_NEVER ? "quiet middle" : "sleep-text", middle,
		 ROWS_Y - SVG_PX(28), "%s", slept == MOMENT_NEVER ? "host stayed" : "host asleep");
	svg_text(drawing->out, slept == MOMENT_NEVER ? "quiet middle" : "sleep-text", middle,
		 ROWS_Y - SVG_PX(12), "%s",
		 slept == MOMENT_NEVER ? "awake" : span_format(slept, text));
}

/* ---- the guests --------------------------------------------------------- */

/* Returns the CSS class of the stripe behind a guest, or NULL for no stripe. */
static const char *stripe_class(const struct report_guest *guest, size_t i)
{
	switch (report_guest_verdict(guest)) {
	case VERDICT_STRANDED:
	case VERDICT_FAILED:
		return "stripe-bad";
	case VERDICT_PAUSED:
	case VERDICT_DEGRADED:
		return "stripe-warn";
	case VERDICT_OK:
		break;
	}
	return i % 2 ? NULL : "stripe";
}

static void draw_bar(struct drawing *drawing, const char *class, int y, int from, int to)
{
	svg_rect(drawing->out, class, from, y - BAR_HEIGHT / 2,
		 to - from < BAR_MIN ? BAR_MIN : to - from, BAR_HEIGHT, NULL);
}

static const char *suspend_class(const struct report_guest *guest)
{
	if (guest->outcome == OUTCOME_FAILED)
		return "failed";
	return guest->outcome == OUTCOME_PAUSED ? "paused" : "down";
}

static void draw_value(struct drawing *drawing, int x, int y, int64_t span_us, const char *remark)
{
	char span[SPAN_TEXT_SIZE];

	svg_text(drawing->out, "value", x + SVG_PX(5), y + SVG_PX(4), "%s%s%s",
		 span_format(span_us, span), remark[0] ? ", " : "", remark);
}

static void draw_suspend(struct drawing *drawing, const struct report_guest *guest, int y)
{
	int64_t start_us = suspend_bar_start(guest), end_us = suspend_bar_end(drawing, guest);
	int64_t origin_us = drawing->first_request_us;
	int from, to;

	if (span_between(start_us, end_us) == MOMENT_NEVER)
		return;
	from = panel_x(&drawing->suspend, start_us - origin_us);
	to = panel_x(&drawing->suspend, end_us - origin_us);
	draw_bar(drawing, suspend_class(guest), y, from, to);
	if (span_between(start_us, guest->quiesced_us) != MOMENT_NEVER &&
	    guest->quiesced_us <= end_us)
		draw_bar(drawing, "quiesce", y, from,
			 panel_x(&drawing->suspend, guest->quiesced_us - origin_us));
	draw_value(drawing, to, y, end_us - start_us,
		   guest->outcome == OUTCOME_SUSPENDED ? "" : cycle_outcome_name(guest->outcome));
	if (guest->down_us != MOMENT_NEVER && drawing->report->slept_us != MOMENT_NEVER)
		svg_line(drawing->out, "held", SLEEP_X + SVG_PX(6), y,
			 SLEEP_X + SLEEP_WIDTH - SVG_PX(6), y);
}

static void draw_resume(struct drawing *drawing, const struct report_guest *guest, int y)
{
	int64_t start_us = report_resume_start_us(drawing->report, guest);
	int64_t requested_us = guest->resume_us, end_us = guest->running_us;
	int from, to;

	if (report_guest_verdict(guest) == VERDICT_STRANDED)
		svg_text(drawing->out, "value bad", RESUME_X, y + SVG_PX(4), "NOT RESUMED");
	if (start_us == MOMENT_NEVER || end_us == MOMENT_NEVER)
		return;
	if (requested_us < start_us || requested_us > end_us)
		requested_us = start_us;
	from = panel_x(&drawing->resume, requested_us - start_us);
	to = panel_x(&drawing->resume, end_us - start_us);
	if (from > RESUME_X)
		svg_line(drawing->out, "wait", RESUME_X, y, from, y);
	if (span_between(guest->running_us, guest->ready_us) != MOMENT_NEVER) {
		int ready = panel_x(&drawing->resume, guest->ready_us - start_us);

		draw_bar(drawing, "ready", y, to, ready);
		draw_bar(drawing, "running", y, from, to);
		to = ready;
		end_us = guest->ready_us;
	} else {
		draw_bar(drawing, "running", y, from, to);
	}
	draw_value(drawing, to, y, end_us - start_us, guest->degraded ? "degraded" : "");
}

static void draw_guest(struct drawing *drawing, const struct report_guest *guest, size_t i)
{
	int top = ROWS_Y + (int)i * ROW_HEIGHT, y = top + ROW_HEIGHT / 2;
	const char *stripe = stripe_class(guest, i);
	char name[GUEST_NAME_MAX];

	if (stripe)
		svg_rect(drawing->out, stripe, MARGIN / 2, top, WIDTH - MARGIN, ROW_HEIGHT,
			 guest->detail);
	svg_text(drawing->out, "name", MARGIN, y + SVG_PX(4), "%s",
		 svg_shorten(guest->name, NAME_MAX_CHARACTERS, name, sizeof(name)));
	svg_text(drawing->out, "quiet right", LABEL_END, y + SVG_PX(4), "%s",
		 guest->mechanism == MECHANISM_NONE ? "left running"
						    : mechanism_name(guest->mechanism));
}

/* Draws the stripes first, because bars and axes are drawn over them. */
static void draw_guests(struct drawing *drawing)
{
	const struct report *report = drawing->report;

	for (size_t i = 0; i < report->n_guests; i++)
		draw_guest(drawing, &report->guests[i], i);
	draw_sleep(drawing);
	draw_panel(drawing, &drawing->suspend, "Suspend", "the first request", "no request sent");
	draw_panel(drawing, &drawing->resume, "Resume",
		   report->slept_us == MOMENT_NEVER ? "the resume began" : "the wake",
		   "no guest resumed");
	for (size_t i = 0; i < report->n_guests; i++) {
		int y = ROWS_Y + (int)i * ROW_HEIGHT + ROW_HEIGHT / 2;

		draw_suspend(drawing, &report->guests[i], y);
		draw_resume(drawing, &report->guests[i], y);
	}
}

/* ---- below -------------------------------------------------------------- */

static void draw_legend(struct drawing *drawing, int y)
{
	static const struct {
		const char *class;
		const char *text;
		int width;
	} keys[] = {
		{ "quiesce", "quiescing", SVG_PX(95) },
		{ "down", "suspending", SVG_PX(105) },
		{ "paused", "paused instead", SVG_PX(125) },
		{ "failed", "failed", SVG_PX(75) },
		{ "running", "resuming", SVG_PX(95) },
		{ "ready", "devices being restored", SVG_PX(150) },
	};
	int x = MARGIN;

	for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
		draw_bar(drawing, keys[i].class, y, x, x + SVG_PX(18));
		svg_text(drawing->out, "quiet", x + SVG_PX(23), y + SVG_PX(4), "%s", keys[i].text);
		x += keys[i].width;
	}
}

static bool needs_note(const struct report_guest *guest)
{
	return report_guest_verdict(guest) != VERDICT_OK && guest->detail[0];
}

static int count_notes(const struct report *report)
{
	int n = report->detail[0] != '\0';

	for (size_t i = 0; i < report->n_guests; i++)
		n += needs_note(&report->guests[i]);
	return n;
}

static void draw_note(struct drawing *drawing, int y, const char *subject, const char *detail)
{
	char note[1024], text[1024];

	snprintf(note, sizeof(note), "%s: %s", subject, detail);
	svg_text(drawing->out, "", MARGIN, y, "%s",
		 svg_shorten(note, NOTE_MAX_CHARACTERS, text, sizeof(text)));
}

static void draw_notes(struct drawing *drawing, int y)
{
	const struct report *report = drawing->report;

	if (report->detail[0]) {
		draw_note(drawing, y, cycle_result_name(report->result), report->detail);
		y += LINE_HEIGHT;
	}
	for (size_t i = 0; i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];

		if (!needs_note(guest))
			continue;
		draw_note(drawing, y, guest->name, guest->detail);
		y += LINE_HEIGHT;
	}
}

int timeline_write(const struct report *report, const char *path, struct error *error)
{
	struct drawing drawing = { .report = report };
	char title[64];
	int legend_y, notes_y, r;

	assert(report);
	assert(path);
	measure(&drawing);
	legend_y = drawing.rows_end + SVG_PX(58);
	notes_y = legend_y + SVG_PX(30);
	snprintf(title, sizeof(title), "pmcoord: cycle %" PRIu64, report->cycle);
	r = svg_begin(path, WIDTH, notes_y + count_notes(report) * LINE_HEIGHT, title, style,
		      dark_style, &drawing.out, error);
	if (r < 0)
		return r;
	draw_title(&drawing);
	draw_guests(&drawing);
	draw_legend(&drawing, legend_y);
	draw_notes(&drawing, notes_y);
	return svg_end(drawing.out, path, error);
}
