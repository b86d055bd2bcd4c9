/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/timeline.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/json.h"
#include "base/moment.h"
#include "record/report.h"
#include "base/svg.h"

/* Where things are, in tenths of a pixel. */
#define WIDTH SVG_PX(1040)
#define MARGIN SVG_PX(20)
#define LABEL_END SVG_PX(195)
#define DOWN_X SVG_PX(210)
#define DOWN_WIDTH SVG_PX(350)
#define SLEEP_X SVG_PX(570)
#define SLEEP_WIDTH SVG_PX(90)
#define BACK_X SVG_PX(675)
#define BACK_WIDTH SVG_PX(350)
/* Behind the longest bar, for its value: "12.3 s, degraded". */
#define VALUE_WIDTH SVG_PX(115)
#define ROWS_Y SVG_PX(118)
#define ROW_HEIGHT SVG_PX(24)
#define BAR_HEIGHT SVG_PX(12)
#define LINE_HEIGHT SVG_PX(18)
/* A bar shorter than this cannot be seen. */
#define BAR_MIN SVG_PX(2)

#define TICKS_MAX 6
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

/* One side of the picture: a span of time on a span of the paper. */
struct panel {
	int x, width;
	int64_t length_us; /* CYCLE_NEVER: nothing happened here */
};

struct drawing {
	struct json_object *report;
	FILE *out;
	size_t n_guests;
	int rows_end;
	int64_t first_request, suspend_end;
	struct panel down, back;
};

/* ---- measuring ---------------------------------------------------------- */

static bool has_outcome(struct json_object *guest, const char *outcome)
{
	return strcmp(json_read_string(guest, "outcome"), outcome) == 0;
}

/*
 * When a guest's way down ended: it was down, or it was given up, for which the
 * end of the phase is the best we know.
 */
static int64_t way_down_end(const struct drawing *drawing, struct json_object *guest)
{
	int64_t down = report_time(guest, "down_us");

	return down == CYCLE_NEVER ? drawing->suspend_end : down;
}

static int64_t suspend_end(struct json_object *report)
{
	struct json_object *phase;

	for (size_t i = 0; (phase = report_phase(report, i)); i++) {
		int64_t duration = report_time(phase, "duration_us");

		if (strcmp(json_read_string(phase, "name"), "suspend") == 0 &&
		    duration != CYCLE_NEVER)
			return report_time(phase, "start_us") + duration;
	}
	return CYCLE_NEVER;
}

static int64_t later(int64_t a_us, int64_t b_us)
{
	return a_us > b_us ? a_us : b_us;
}

static void measure(struct drawing *drawing)
{
	struct json_object *report = drawing->report, *guest;
	int64_t last = CYCLE_NEVER, back = CYCLE_NEVER;

	drawing->suspend_end = suspend_end(report);
	drawing->first_request = CYCLE_NEVER;
	for (size_t i = 0; (guest = report_guest(report, i)); i++) {
		int64_t requested = report_time(guest, "requested_us");
		int64_t start = report_resume_start(report, guest);

		if (requested == CYCLE_NEVER)
			requested = report_time(guest, "down_us");
		if (requested != CYCLE_NEVER &&
		    (drawing->first_request == CYCLE_NEVER || requested < drawing->first_request))
			drawing->first_request = requested;
		if (requested != CYCLE_NEVER)
			last = later(last, way_down_end(drawing, guest));
		back = later(back, report_span(start, report_time(guest, "running_us")));
		back = later(back, report_span(start, report_time(guest, "ready_us")));
		drawing->n_guests++;
	}
	drawing->rows_end = ROWS_Y + (int)drawing->n_guests * ROW_HEIGHT;
	drawing->down = (struct panel){
		.x = DOWN_X,
		.width = DOWN_WIDTH,
		.length_us = report_span(drawing->first_request, last),
	};
	drawing->back = (struct panel){
		.x = BACK_X,
		.width = BACK_WIDTH,
		.length_us = back,
	};
}

/* The step of 1, 2 or 5 times a power of ten that gives few enough ticks. */
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
	struct json_object *report = drawing->report;
	const char *started = json_read_string(report, "started");
	const char *slowest = json_read_string(report, "slowest");

	fprintf(drawing->out,
		"<text class=\"title\" x=\"%d\" y=\"%d\">Cycle %" PRId64 ": <tspan class=\"%s\">",
		MARGIN, SVG_PX(36), json_read_integer(report, "cycle", 0),
		result_class(report_result(report)));
	svg_escape(drawing->out, json_read_string(report, "result"));
	fprintf(drawing->out, "</tspan></text>\n");
	svg_text(drawing->out, "quiet", MARGIN, SVG_PX(56), "%.10s %.8s UTC, by %s%s%s", started,
		 strlen(started) > 11 ? started + 11 : "", json_read_string(report, "trigger"),
		 slowest[0] ? "; slowest to go down: " : "", slowest);
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
	if (panel->length_us == CYCLE_NEVER) {
		svg_text(drawing->out, "quiet", panel->x, drawing->rows_end + SVG_PX(17), "%s",
			 nothing);
		return;
	}
	for (int64_t at_us = 0; at_us <= panel->length_us; at_us += step)
		draw_tick(drawing, panel, at_us, in_seconds);
	svg_text(drawing->out, "quiet", panel->x, drawing->rows_end + SVG_PX(34), "%s since %s",
		 in_seconds ? "s" : "ms", origin);
}

/* The sleep is longer than all the rest: its width says nothing. */
static void draw_sleep(struct drawing *drawing)
{
	int64_t slept = report_time(drawing->report, "slept_us");
	int middle = SLEEP_X + SLEEP_WIDTH / 2;
	char text[SPAN_TEXT_SIZE];

	if (slept != CYCLE_NEVER)
		svg_rect(drawing->out, "sleep", SLEEP_X, ROWS_Y - SVG_PX(44), SLEEP_WIDTH,
			 drawing->rows_end - ROWS_Y + SVG_PX(48), NULL);
	svg_text(drawing->out, slept == CYCLE_NEVER ? "quiet middle" : "sleep-text", middle,
		 ROWS_Y - SVG_PX(28), "%s", slept == CYCLE_NEVER ? "host stayed" : "host asleep");
	svg_text(drawing->out, slept == CYCLE_NEVER ? "quiet middle" : "sleep-text", middle,
		 ROWS_Y - SVG_PX(12), "%s",
		 slept == CYCLE_NEVER ? "awake" : span_format(slept, text));
}

/* ---- the guests --------------------------------------------------------- */

static const char *stripe_class(struct json_object *guest, size_t i)
{
	if (has_outcome(guest, "failed") || json_read_boolean(guest, "stranded"))
		return "stripe-bad";
	if (has_outcome(guest, "paused") || json_read_boolean(guest, "degraded"))
		return "stripe-warn";
	return i % 2 ? NULL : "stripe";
}

static void draw_bar(struct drawing *drawing, const char *class, int y, int from, int to)
{
	svg_rect(drawing->out, class, from, y - BAR_HEIGHT / 2,
		 to - from < BAR_MIN ? BAR_MIN : to - from, BAR_HEIGHT, NULL);
}

static const char *down_class(struct json_object *guest)
{
	if (has_outcome(guest, "failed"))
		return "failed";
	return has_outcome(guest, "paused") ? "paused" : "down";
}

static void draw_value(struct drawing *drawing, int x, int y, int64_t span_us, const char *remark)
{
	char span[SPAN_TEXT_SIZE];

	svg_text(drawing->out, "value", x + SVG_PX(5), y + SVG_PX(4), "%s%s%s",
		 span_format(span_us, span), remark[0] ? ", " : "", remark);
}

static void draw_way_down(struct drawing *drawing, struct json_object *guest, int y)
{
	int64_t requested = report_time(guest, "requested_us");
	int64_t quiesced = report_time(guest, "quiesced_us");
	int64_t down = report_time(guest, "down_us");
	int64_t end = way_down_end(drawing, guest);
	int64_t origin = drawing->first_request;
	int from, to;

	if (requested == CYCLE_NEVER)
		requested = down;
	if (requested == CYCLE_NEVER || end < requested)
		return;
	from = panel_x(&drawing->down, requested - origin);
	to = panel_x(&drawing->down, end - origin);
	draw_bar(drawing, down_class(guest), y, from, to);
	if (report_span(requested, quiesced) != CYCLE_NEVER && quiesced <= end)
		draw_bar(drawing, "quiesce", y, from, panel_x(&drawing->down, quiesced - origin));
	draw_value(drawing, to, y, end - requested,
		   has_outcome(guest, "suspended") ? "" : json_read_string(guest, "outcome"));
	if (down != CYCLE_NEVER && report_time(drawing->report, "slept_us") != CYCLE_NEVER)
		svg_line(drawing->out, "held", SLEEP_X + SVG_PX(6), y,
			 SLEEP_X + SLEEP_WIDTH - SVG_PX(6), y);
}

static void draw_way_back(struct drawing *drawing, struct json_object *guest, int y)
{
	int64_t start = report_resume_start(drawing->report, guest);
	int64_t running = report_time(guest, "running_us");
	int64_t asked = report_time(guest, "resume_us");
	int64_t ready = report_time(guest, "ready_us");
	int from, to;

	if (json_read_boolean(guest, "stranded"))
		svg_text(drawing->out, "value bad", BACK_X, y + SVG_PX(4), "NOT BROUGHT BACK");
	if (start == CYCLE_NEVER || running == CYCLE_NEVER)
		return;
	if (asked < start || asked > running)
		asked = start;
	from = panel_x(&drawing->back, asked - start);
	to = panel_x(&drawing->back, running - start);
	if (from > BACK_X)
		svg_line(drawing->out, "wait", BACK_X, y, from, y);
	if (report_span(running, ready) != CYCLE_NEVER) {
		int end = panel_x(&drawing->back, ready - start);

		draw_bar(drawing, "ready", y, to, end);
		draw_bar(drawing, "running", y, from, to);
		to = end;
		running = ready;
	} else {
		draw_bar(drawing, "running", y, from, to);
	}
	draw_value(drawing, to, y, running - start,
		   json_read_boolean(guest, "degraded") ? "degraded" : "");
}

static void draw_guest(struct drawing *drawing, struct json_object *guest, size_t i)
{
	int top = ROWS_Y + (int)i * ROW_HEIGHT, y = top + ROW_HEIGHT / 2;
	const char *stripe = stripe_class(guest, i);
	const char *mechanism = json_read_string(guest, "mechanism");
	char name[GUEST_NAME_MAX];

	if (stripe)
		svg_rect(drawing->out, stripe, MARGIN / 2, top, WIDTH - MARGIN, ROW_HEIGHT,
			 json_read_string(guest, "detail"));
	svg_text(drawing->out, "name", MARGIN, y + SVG_PX(4), "%s",
		 svg_shorten(json_read_string(guest, "name"), NAME_MAX_CHARACTERS, name,
			     sizeof(name)));
	svg_text(drawing->out, "quiet right", LABEL_END, y + SVG_PX(4), "%s",
		 strcmp(mechanism, "none") == 0 ? "left alone" : mechanism);
}

/* Stripes first, then what is on them. */
static void draw_guests(struct drawing *drawing)
{
	struct json_object *guest;

	for (size_t i = 0; (guest = report_guest(drawing->report, i)); i++)
		draw_guest(drawing, guest, i);
	draw_sleep(drawing);
	draw_panel(drawing, &drawing->down, "Going down", "the first request", "nobody was asked");
	draw_panel(drawing, &drawing->back, "Coming back",
		   report_time(drawing->report, "slept_us") == CYCLE_NEVER ? "the resume began"
									   : "the wake",
		   "not resumed");
	for (size_t i = 0; (guest = report_guest(drawing->report, i)); i++) {
		int y = ROWS_Y + (int)i * ROW_HEIGHT + ROW_HEIGHT / 2;

		draw_way_down(drawing, guest, y);
		draw_way_back(drawing, guest, y);
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
		{ "down", "going down", SVG_PX(105) },
		{ "paused", "paused instead", SVG_PX(125) },
		{ "failed", "failed", SVG_PX(75) },
		{ "running", "resuming", SVG_PX(95) },
		{ "ready", "devices coming back", SVG_PX(150) },
	};
	int x = MARGIN;

	for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
		draw_bar(drawing, keys[i].class, y, x, x + SVG_PX(18));
		svg_text(drawing->out, "quiet", x + SVG_PX(23), y + SVG_PX(4), "%s", keys[i].text);
		x += keys[i].width;
	}
}

static bool needs_note(struct json_object *guest)
{
	return stripe_class(guest, 1) != NULL && json_read_string(guest, "detail")[0];
}

static int count_notes(const struct drawing *drawing)
{
	int n = json_read_string(drawing->report, "detail")[0] != '\0';
	struct json_object *guest;

	for (size_t i = 0; (guest = report_guest(drawing->report, i)); i++)
		n += needs_note(guest);
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
	const char *detail = json_read_string(drawing->report, "detail");
	struct json_object *guest;

	if (detail[0]) {
		draw_note(drawing, y, json_read_string(drawing->report, "result"), detail);
		y += LINE_HEIGHT;
	}
	for (size_t i = 0; (guest = report_guest(drawing->report, i)); i++) {
		if (!needs_note(guest))
			continue;
		draw_note(drawing, y, json_read_string(guest, "name"),
			  json_read_string(guest, "detail"));
		y += LINE_HEIGHT;
	}
}

int timeline_write(struct json_object *report, const char *path, struct error *error)
{
	struct drawing drawing = { .report = report };
	char title[64];
	int legend_y, notes_y, r;

	measure(&drawing);
	legend_y = drawing.rows_end + SVG_PX(58);
	notes_y = legend_y + SVG_PX(30);
	snprintf(title, sizeof(title), "pmcoord: cycle %" PRId64,
		 json_read_integer(report, "cycle", 0));
	r = svg_begin(path, WIDTH, notes_y + count_notes(&drawing) * LINE_HEIGHT, title, style,
		      dark_style, &drawing.out, error);
	if (r < 0)
		return r;
	draw_title(&drawing);
	draw_guests(&drawing);
	draw_legend(&drawing, legend_y);
	draw_notes(&drawing, notes_y);
	return svg_end(drawing.out, path, error);
}
