/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_SVG_H
#define PMCOORD_BASE_SVG_H

/*
 * Writes the elements of SVG that pmcoord's pictures need. Coordinates are integers,
 * in tenths of a pixel, because printf's decimal point depends on the locale.
 * The style sheet that svg_begin writes defines the classes.
 */

#include <stddef.h>
#include <stdio.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"

/* Converts pixels to coordinates. */
#define SVG_PX(pixels) (10 * (pixels))

/*
 * Opens the file at `path` ("-": standard output) and writes the picture's header and
 * background. `style` is CSS; `dark_style` is CSS that overrides `style` if the viewer
 * prefers dark colours. Returns 0, or a negative errno with `error` set. Release:
 * svg_end.
 */
int svg_begin(const char *path, int width, int height, const char *title, const char *style,
	      const char *dark_style, FILE **ret_out, struct error *error);

/* Completes the picture and closes the file. Returns 0, or a negative errno with `error` set. */
int svg_end(FILE *out, const char *path, struct error *error);

/* Writes a text as XML. Characters that XML does not allow become '?'. */
void svg_escape(FILE *out, const char *text);

/*
 * Writes a line of text. `y` is the baseline. `x` is the left end, unless the class sets
 * text-anchor.
 */
void svg_text(FILE *out, const char *class, int x, int y, const char *format, ...) _printf_(5, 6);

/* Writes a rectangle. `hint` is its tooltip; NULL: none. */
void svg_rect(FILE *out, const char *class, int x, int y, int width, int height, const char *hint);

void svg_line(FILE *out, const char *class, int x1, int y1, int x2, int y2);

/*
 * Copies `text` to `ret`. If the text has more than `max` UTF-8 characters, copies only the
 * first `max` - 1 and appends "…". Returns `ret`.
 */
char *svg_shorten(const char *text, size_t max, char *ret, size_t size);

#endif
