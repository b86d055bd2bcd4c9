/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_SVG_H
#define PMCOORD_BASE_SVG_H

/*
 * Writes the elements of SVG that the pictures need. Coordinates are integers,
 * in tenths of a pixel, because printf's decimal point depends on the locale.
 * Classes refer to the picture's own style sheet.
 */

#include <stddef.h>
#include <stdio.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"

/* Converts pixels to units of a picture. */
#define SVG_PX(pixels) ((pixels)*10)

/*
 * Opens the file (path "-": standard output) and writes header and background.
 * `style` is CSS, `dark_style` its overrides for prefers-color-scheme: dark.
 * Returns 0, or a negative errno with `error` set; end with svg_end.
 */
int svg_begin(const char *path, int width, int height, const char *title, const char *style,
	      const char *dark_style, FILE **ret_out, struct error *error);

/* Completes and closes the file. Returns 0, or a negative errno with `error`. */
int svg_end(FILE *out, const char *path, struct error *error);

/* Writes text as XML; characters that XML does not allow become '?'. */
void svg_escape(FILE *out, const char *text);

/* `y` is the base line, `x` the left end unless the class sets text-anchor. */
void svg_text(FILE *out, const char *class, int x, int y, const char *format, ...) _printf_(5, 6);

/* `hint`: tooltip, or NULL. */
void svg_rect(FILE *out, const char *class, int x, int y, int width, int height, const char *hint);

void svg_line(FILE *out, const char *class, int x1, int y1, int x2, int y2);

/*
 * Copies at most `max` characters of UTF-8 to `ret`; the last one is "…" if the
 * text is longer. Returns `ret`.
 */
char *svg_shorten(const char *text, size_t max, char *ret, size_t size);

#endif
