/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_SVG_H
#define PMCOORD_BASE_SVG_H

/*
 * The few elements of SVG that our pictures are made of. All numbers are
 * integers, in tenths of a pixel: printf's decimal point depends on the locale.
 * Looks come from classes; each picture brings its style sheet.
 */

#include <stddef.h>
#include <stdio.h>

#include "pmcoord/error.h"

/* Pixels in our units. */
#define SVG_PX(pixels) ((pixels)*10)

/*
 * Opens the file and writes the head and the background. `style` is CSS, and
 * `dark_style` what differs where people prefer dark. "-" is standard output.
 * Returns 0, or a negative errno with `error` set; end with svg_end.
 */
int svg_begin(const char *path, int width, int height, const char *title, const char *style,
	      const char *dark_style, FILE **ret_out, struct error *error);

/* Writes the end and closes. Returns 0, or a negative errno with `error`. */
int svg_end(FILE *out, const char *path, struct error *error);

/* Text as XML; what XML cannot hold becomes '?'. */
void svg_escape(FILE *out, const char *text);

/* `y` is the base line. `x` is the left end, or as the class's text-anchor. */
void svg_text(FILE *out, const char *class, int x, int y, const char *format, ...) _printf_(5, 6);

/* With `hint`, which shows when the pointer rests on it, unless NULL. */
void svg_rect(FILE *out, const char *class, int x, int y, int width, int height, const char *hint);

void svg_line(FILE *out, const char *class, int x1, int y1, int x2, int y2);

/*
 * Copies at most `max` characters of UTF-8, the last one "…" if there are more.
 * Returns `ret`.
 */
char *svg_shorten(const char *text, size_t max, char *ret, size_t size);

#endif
