/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/plan-picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "base/svg.h"
#include "model/graph.h"
#include "model/inventory.h"

static const struct guest *guest_of(const struct plan *plan, size_t node)
{
	return &plan->inventory.guests[node];
}

static const struct step *step_of(const struct plan *plan, size_t node)
{
	return &plan->steps[plan->step_of_guest[node]];
}

static bool has_mechanism(const struct plan *plan, size_t node)
{
	return step_of(plan, node)->mechanism != MECHANISM_NONE;
}

/* ---- dot ----------------------------------------------------------------- */

static void dot_escape(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}

/*
 * Writes the node of a guest. Nodes are named by domid, because several guests may
 * have the same name.
 */
static void dot_node(const struct plan *plan, const struct step *step, FILE *out)
{
	const struct guest *guest = guest_of(plan, step->guest);
	bool is_skipped = step->mechanism == MECHANISM_NONE;

	fprintf(out, "\td%" PRIu32 " [label=\"", guest->domid);
	dot_escape(out, guest->name);
	fprintf(out, "\\n%s\"%s];\n", is_skipped ? step->reason : mechanism_name(step->mechanism),
		is_skipped ? ", style=dashed" : "");
}

int plan_write_dot(const struct plan *plan, FILE *out)
{
	struct plan_walk walk;

	if (plan_walk_init(&walk, plan) < 0)
		return -ENOMEM;
	fprintf(out, "// An arrow points from a guest to one that is suspended after it.\n"
		     "digraph plan {\n\trankdir=LR;\n\tnode [shape=box];\n");
	for (size_t i = 0; i < plan->n_steps; i++)
		dot_node(plan, &plan->steps[i], out);
	for (size_t i = 0; i < plan->n_steps; i++) {
		size_t node = plan->steps[i].guest;

		if (!has_mechanism(plan, node))
			continue;
		plan_find_before(&walk, node, false);
		for (size_t j = 0; j < walk.n_found; j++)
			fprintf(out, "\td%" PRIu32 " -> d%" PRIu32 ";\n",
				guest_of(plan, walk.found[j])->domid, guest_of(plan, node)->domid);
	}
	fprintf(out, "}\n");
	plan_walk_done(&walk);
	return ferror(out) ? -EIO : 0;
}

/* ---- the picture's nodes and arrows -------------------------------------- */

#define NO_NODE SIZE_MAX
/* The most columns that an arrow passes through, see add_chain. */
#define PASSES_MAX 32

/*
 * A guest's box, or a point where an arrow passes through a column. The column
 * of a box is the depth of its guest's step.
 */
struct spot {
	size_t node; /* node in the graph; NO_NODE: an arrow passes here */
	unsigned int column;
	size_t rank; /* position within its column */
	double weight; /* mean rank of its neighbours, used while sorting */
	int y; /* middle of the spot, in tenths of a pixel */
};

/*
 * A section of an arrow, from one column to the next. An arrow that would cross
 * more than PASSES_MAX columns has only one section.
 */
struct arrow {
	size_t from, to; /* indices of spots */
	bool is_tip; /* the last section: draw the arrowhead */
};

struct column {
	size_t *spots;
	size_t n_spots;
};

struct picture {
	const struct plan *plan;
	struct spot *spots;
	size_t n_spots;
	struct arrow *arrows;
	size_t n_arrows;
	struct column *columns;
	size_t n_columns;
	size_t *spot_of_node; /* per node of the graph: the index of its box */
};

static void picture_done(struct picture *picture)
{
	for (size_t i = 0; picture->columns && i < picture->n_columns; i++)
		free(picture->columns[i].spots);
	free(picture->columns);
	free(picture->spots);
	free(picture->arrows);
	free(picture->spot_of_node);
}

static int add_spot(struct picture *picture, size_t node, unsigned int column)
{
	if (array_grow(&picture->spots, picture->n_spots, sizeof(*picture->spots)) < 0)
		return -ENOMEM;
	picture->spots[picture->n_spots++] = (struct spot){ .node = node, .column = column };
	return 0;
}

static int add_arrow(struct picture *picture, size_t from, size_t to, bool is_tip)
{
	if (array_grow(&picture->arrows, picture->n_arrows, sizeof(*picture->arrows)) < 0)
		return -ENOMEM;
	picture->arrows[picture->n_arrows++] = (struct arrow){
		.from = from,
		.to = to,
		.is_tip = is_tip,
	};
	return 0;
}

/*
 * Routes an arrow through the columns between two boxes. An arrow over more
 * than PASSES_MAX columns goes straight, which bounds the number of spots.
 */
static int add_chain(struct picture *picture, size_t from, size_t to)
{
	unsigned int first = picture->spots[from].column + 1;
	unsigned int last = picture->spots[to].column;
	int r = 0;

	if (last - first > PASSES_MAX)
		return add_arrow(picture, from, to, true);
	for (unsigned int column = first; column < last && r == 0; column++) {
		r = add_spot(picture, NO_NODE, column);
		if (r == 0)
			r = add_arrow(picture, from, picture->n_spots - 1, false);
		from = picture->n_spots - 1;
	}
	return r < 0 ? r : add_arrow(picture, from, to, true);
}

/*
 * The ancestors of each node, as a bit set: the nodes from which a chain of arrows
 * leads to this node. Arrows that such a chain implies are not drawn.
 */
struct ancestry {
	uint64_t *bits;
	size_t words; /* number of 64-bit words per node */
};

static uint64_t *ancestors_of(const struct ancestry *ancestry, size_t node)
{
	return ancestry->bits + node * ancestry->words;
}

static bool has_bit(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

/*
 * Adds an arrow from each node in `after` to `node`, whose guest is suspended
 * after theirs. Omits arrows that a chain of other arrows implies. Must be
 * called in suspend order, because the ancestors of the nodes in `after` must be
 * known.
 */
static int add_arrows_to(struct picture *picture, struct ancestry *ancestry, size_t node,
			 const size_t *after, size_t n_after)
{
	uint64_t *mine = ancestors_of(ancestry, node);
	int r = 0;

	for (size_t i = 0; i < n_after; i++) {
		const uint64_t *theirs = ancestors_of(ancestry, after[i]);

		for (size_t word = 0; word < ancestry->words; word++)
			mine[word] |= theirs[word];
	}
	for (size_t i = 0; i < n_after && r == 0; i++) {
		if (!has_bit(mine, after[i]))
			r = add_chain(picture, picture->spot_of_node[after[i]],
				      picture->spot_of_node[node]);
	}
	for (size_t i = 0; i < n_after; i++)
		mine[after[i] / 64] |= UINT64_C(1) << (after[i] % 64);
	return r;
}

static int add_boxes(struct picture *picture)
{
	const struct plan *plan = picture->plan;
	int r = 0;

	for (size_t i = 0; i < plan->n_steps && r == 0; i++) {
		const struct step *step = &plan->steps[i];

		if (step->mechanism == MECHANISM_NONE)
			continue;
		picture->spot_of_node[step->guest] = picture->n_spots;
		r = add_spot(picture, step->guest, step->depth);
		if (step->depth >= picture->n_columns)
			picture->n_columns = step->depth + 1;
	}
	return r;
}

static int add_arrows(struct picture *picture)
{
	const struct plan *plan = picture->plan;
	size_t n = plan->n_steps, words = n / 64 + 1;
	_cleanup_(freep) uint64_t *bits = calloc(n * words + 1, sizeof(*bits));
	struct ancestry ancestry = { .bits = bits, .words = words };
	struct plan_walk walk;
	int r = bits ? plan_walk_init(&walk, plan) : -ENOMEM;

	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++) {
		size_t node = plan->steps[i].guest;

		if (!has_mechanism(plan, node))
			continue;
		plan_find_before(&walk, node, false);
		r = add_arrows_to(picture, &ancestry, node, walk.found, walk.n_found);
	}
	plan_walk_done(&walk);
	return r;
}

/* ---- the layout ---------------------------------------------------------- */

static int fill_columns(struct picture *picture)
{
	picture->columns = calloc(picture->n_columns + 1, sizeof(*picture->columns));
	if (!picture->columns)
		return -ENOMEM;
	for (size_t i = 0; i < picture->n_spots; i++) {
		struct spot *spot = &picture->spots[i];
		struct column *column = &picture->columns[spot->column];

		if (array_grow(&column->spots, column->n_spots, sizeof(*column->spots)) < 0)
			return -ENOMEM;
		spot->rank = column->n_spots;
		column->spots[column->n_spots++] = i;
	}
	return 0;
}

static int compare_weights(const void *a, const void *b, void *data)
{
	const struct spot *spots = data;
	const struct spot *left = &spots[*(const size_t *)a];
	const struct spot *right = &spots[*(const size_t *)b];

	if (left->weight != right->weight)
		return left->weight < right->weight ? -1 : 1;
	return (left->rank > right->rank) - (left->rank < right->rank);
}

/*
 * Sets the weight of each spot to the mean rank of its neighbours in the
 * previous column if `by_previous` is set, otherwise in the next column. The
 * weight of a spot without such neighbours is its own rank.
 */
static void set_weights(struct picture *picture, size_t *counts, bool by_previous)
{
	for (size_t i = 0; i < picture->n_spots; i++) {
		picture->spots[i].weight = 0;
		counts[i] = 0;
	}
	for (size_t i = 0; i < picture->n_arrows; i++) {
		const struct arrow *arrow = &picture->arrows[i];
		size_t spot = by_previous ? arrow->to : arrow->from;
		size_t other = by_previous ? arrow->from : arrow->to;

		picture->spots[spot].weight += (double)picture->spots[other].rank;
		counts[spot]++;
	}
	for (size_t i = 0; i < picture->n_spots; i++) {
		struct spot *spot = &picture->spots[i];

		spot->weight = counts[i] ? spot->weight / (double)counts[i] : (double)spot->rank;
	}
}

/* Reduces the crossings of arrows, by sweeps of the barycentre heuristic. */
static int reduce_crossings(struct picture *picture)
{
	_cleanup_(freep) size_t *counts = calloc(picture->n_spots + 1, sizeof(*counts));

	if (!counts)
		return -ENOMEM;
	for (int sweep = 0; sweep < 6; sweep++) {
		set_weights(picture, counts, sweep % 2 == 0);
		for (size_t i = 0; i < picture->n_columns; i++) {
			struct column *column = &picture->columns[i];

			qsort_r(column->spots, column->n_spots, sizeof(*column->spots),
				compare_weights, picture->spots);
			for (size_t j = 0; j < column->n_spots; j++)
				picture->spots[column->spots[j]].rank = j;
		}
	}
	return 0;
}

/* Lengths in tenths of a pixel, or in characters if the name says so. */
#define MARGIN SVG_PX(20)
#define TOP SVG_PX(78)
#define BOX_WIDTH SVG_PX(150)
#define BOX_HEIGHT SVG_PX(40)
#define BOX_PITCH SVG_PX(52)
#define PASS_PITCH SVG_PX(16)
#define COLUMN_PITCH SVG_PX(215)
#define SLEEP_WIDTH SVG_PX(110)
#define LINE_HEIGHT SVG_PX(18)
#define WIDTH_MIN SVG_PX(560)
#define NAME_MAX_CHARACTERS 18
#define NOTE_MAX_CHARACTERS 120

static int pitch(const struct spot *spot)
{
	return spot->node == NO_NODE ? PASS_PITCH : BOX_PITCH;
}

static int column_height(const struct picture *picture, size_t i)
{
	const struct column *column = &picture->columns[i];
	int height = 0;

	for (size_t j = 0; j < column->n_spots; j++)
		height += pitch(&picture->spots[column->spots[j]]);
	return height;
}

/* Centres the spots of each column. Returns the height of the tallest column. */
static int set_positions(struct picture *picture)
{
	int height = BOX_PITCH;

	for (size_t i = 0; i < picture->n_columns; i++)
		if (column_height(picture, i) > height)
			height = column_height(picture, i);
	for (size_t i = 0; i < picture->n_columns; i++) {
		const struct column *column = &picture->columns[i];
		int y = TOP + (height - column_height(picture, i)) / 2;

		for (size_t j = 0; j < column->n_spots; j++) {
			struct spot *spot = &picture->spots[column->spots[j]];

			spot->y = y + pitch(spot) / 2;
			y += pitch(spot);
		}
	}
	return height;
}

static int lay_out(struct picture *picture)
{
	int r;

	picture->spot_of_node = calloc(picture->plan->n_steps + 1, sizeof(*picture->spot_of_node));
	if (!picture->spot_of_node)
		return -ENOMEM;
	r = add_boxes(picture);
	if (r == 0)
		r = add_arrows(picture);
	if (r == 0)
		r = fill_columns(picture);
	return r < 0 ? r : reduce_crossings(picture);
}

/* ---- drawing ------------------------------------------------------------- */

static const char style[] = ".box { fill: #f5f7f9; stroke: #8c959f; stroke-width: 10; rx: 50px; }\n"
			    ".driver { fill: #e3edfc; stroke: #2563c9; }\n"
			    ".pause { fill: #fff3dd; stroke: #dd8a0b; }\n"
			    ".arrow { fill: none; stroke: #656d76; stroke-width: 13; }\n"
			    ".tip { fill: #656d76; }\n"
			    ".sleep { fill: #e8ebf7; }\n"
			    ".sleep-text { text-anchor: middle; fill: #3f4a86; }\n";

static const char dark_style[] = ".box { fill: #1b1f26; stroke: #6e7883; }\n"
				 ".driver { fill: #182a47; stroke: #5b95ee; }\n"
				 ".pause { fill: #352a14; stroke: #dd8a0b; }\n"
				 ".arrow { stroke: #9aa4af; }\n"
				 ".tip { fill: #9aa4af; }\n"
				 ".sleep { fill: #23283c; }\n"
				 ".sleep-text { fill: #b4bfee; }\n";

static int column_x(unsigned int column)
{
	return MARGIN + (int)column * COLUMN_PITCH;
}

static const char *box_class(const struct plan *plan, size_t node)
{
	if (step_of(plan, node)->mechanism == MECHANISM_PAUSE)
		return "box pause";
	return guest_of(plan, node)->role == GUEST_ROLE_GUEST ? "box" : "box driver";
}

static void draw_box(const struct plan *plan, const struct spot *spot, FILE *out)
{
	const struct guest *guest = guest_of(plan, spot->node);
	const struct step *step = step_of(plan, spot->node);
	int middle = column_x(spot->column) + BOX_WIDTH / 2;
	char name[GUEST_NAME_MAX];

	svg_rect(out, box_class(plan, spot->node), column_x(spot->column), spot->y - BOX_HEIGHT / 2,
		 BOX_WIDTH, BOX_HEIGHT, step->reason ? step->reason : guest->name);
	svg_text(out, "middle", middle, spot->y - SVG_PX(3), "%s",
		 svg_shorten(guest->name, NAME_MAX_CHARACTERS, name, sizeof(name)));
	svg_text(out, "quiet middle", middle, spot->y + SVG_PX(13), "%" PRIu32 " · %s",
		 guest->domid, mechanism_name(step->mechanism));
}

/* Draws a section of an arrow, from the right edge of a spot to the left edge of the next. */
static void draw_arrow(const struct picture *picture, const struct arrow *arrow, FILE *out)
{
	const struct spot *from = &picture->spots[arrow->from];
	const struct spot *to = &picture->spots[arrow->to];
	int x1 = column_x(from->column) + BOX_WIDTH, x2 = column_x(to->column);
	int end = x2 - (arrow->is_tip ? SVG_PX(7) : 0), half = (end - x1) / 2;

	/*
	 * `from` is a point where the arrow passes through a column: cross the
	 * column in a straight line.
	 */
	if (from->node == NO_NODE)
		svg_line(out, "arrow", x1 - BOX_WIDTH, from->y, x1, from->y);
	fprintf(out, "<path class=\"arrow\" d=\"M%d %dC%d %d %d %d %d %d\"/>\n", x1, from->y,
		x1 + half, from->y, end - half, to->y, end, to->y);
	if (arrow->is_tip)
		fprintf(out, "<path class=\"tip\" d=\"M%d %dl%d %dv%dz\"/>\n", x2, to->y,
			-SVG_PX(9), -SVG_PX(4), SVG_PX(8));
}

static void draw_sleep(const struct picture *picture, int height, FILE *out)
{
	int x = column_x((unsigned int)picture->n_columns);
	int middle = x + SLEEP_WIDTH / 2;

	svg_rect(out, "sleep", x, TOP, SLEEP_WIDTH, height, NULL);
	svg_text(out, "sleep-text", middle, TOP + height / 2 - SVG_PX(3), "host asleep");
	svg_text(out, "sleep-text", middle, TOP + height / 2 + SVG_PX(13), "(S3)");
}

static size_t count_skipped(const struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_steps; i++)
		n += plan->steps[i].mechanism == MECHANISM_NONE;
	return n;
}

static void draw_notes(const struct plan *plan, int y, FILE *out)
{
	const char *warning;

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];

		if (step->mechanism != MECHANISM_NONE)
			continue;
		svg_text(out, "quiet", MARGIN, y, "%s is not suspended: %s",
			 guest_of(plan, step->guest)->name, step->reason);
		y += LINE_HEIGHT;
	}
	for (size_t i = 0; (warning = graph_warning(plan->graph, i)); i++) {
		char text[NOTE_MAX_CHARACTERS * 4 + 4];

		svg_text(out, "warn", MARGIN, y, "%s",
			 svg_shorten(warning, NOTE_MAX_CHARACTERS, text, sizeof(text)));
		y += LINE_HEIGHT;
	}
}

static size_t count_warnings(const struct graph *graph)
{
	size_t n = 0;

	while (graph_warning(graph, n))
		n++;
	return n;
}

static void draw(const struct picture *picture, int height, FILE *out)
{
	svg_text(out, "title", MARGIN, SVG_PX(36), "Plan");
	svg_text(
		out, "quiet", MARGIN, SVG_PX(56),
		"A → B: A is suspended before B, and resumed after B. Arrows that follow from other arrows are omitted.");
	draw_sleep(picture, height, out);
	for (size_t i = 0; i < picture->n_arrows; i++)
		draw_arrow(picture, &picture->arrows[i], out);
	for (size_t i = 0; i < picture->n_spots; i++)
		if (picture->spots[i].node != NO_NODE)
			draw_box(picture->plan, &picture->spots[i], out);
}

static int write_picture(struct picture *picture, const char *path, struct error *error)
{
	const struct plan *plan = picture->plan;
	int height = set_positions(picture);
	int notes_y = TOP + height + SVG_PX(28);
	int width = column_x((unsigned int)picture->n_columns) + SLEEP_WIDTH + MARGIN;
	int n_notes = (int)(count_skipped(plan) + count_warnings(plan->graph));
	FILE *out;
	int r = svg_begin(path, width < WIDTH_MIN ? WIDTH_MIN : width,
			  notes_y + n_notes * LINE_HEIGHT, "pmcoord: plan", style, dark_style, &out,
			  error);

	if (r < 0)
		return r;
	draw(picture, height, out);
	draw_notes(plan, notes_y, out);
	return svg_end(out, path, error);
}

int plan_write_svg(const struct plan *plan, const char *path, struct error *error)
{
	struct picture picture = { .plan = plan };
	int r = lay_out(&picture);

	if (r == 0)
		r = write_picture(&picture, path, error);
	picture_done(&picture);
	return r < 0 ? error_set(error, r, "cannot draw the plan: %s", strerror(-r)) : 0;
}
