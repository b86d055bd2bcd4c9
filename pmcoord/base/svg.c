/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/svg.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

/* The style that all pictures share. Sizes are in tenths of a pixel, as in svg.h. */
static const char common_style[] = "svg { font-family: system-ui, 'DejaVu Sans', sans-serif; }\n"
				   "text { font-size: 120px; fill: #24292f; }\n"
				   ".background { fill: #ffffff; }\n"
				   ".title { font-size: 190px; font-weight: 600; }\n"
				   ".quiet { fill: #656d76; font-size: 110px; }\n"
				   ".right { text-anchor: end; }\n"
				   ".middle { text-anchor: middle; }\n"
				   ".bad { fill: #b42318; }\n"
				   ".warn { fill: #9a5b00; }\n"
				   ".good { fill: #116b45; }\n";

static const char common_dark_style[] = "text { fill: #e6edf3; }\n"
					".background { fill: #15181d; }\n"
					".quiet { fill: #9aa4af; }\n"
					".bad { fill: #ff8a80; }\n"
					".warn { fill: #f2b04d; }\n"
					".good { fill: #5fd3a0; }\n";

int svg_begin(const char *path, int width, int height, const char *title, const char *style,
	      const char *dark_style, FILE **ret_out, struct error *error)
{
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");

	assert(title && style && dark_style && ret_out);
	if (!out)
		return error_set(error, -errno, "cannot write %s: %s", path, strerror(errno));
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n<title>",
		width / 10, height / 10, width, height);
	svg_escape(out, title);
	fprintf(out,
		"</title>\n<style>\n%s%s@media (prefers-color-scheme: dark) {\n%s%s}\n</style>\n",
		common_style, style, common_dark_style, dark_style);
	svg_rect(out, "background", 0, 0, width, height, NULL);
	*ret_out = out;
	return 0;
}

int svg_end(FILE *out, const char *path, struct error *error)
{
	bool failed;

	assert(out);
	fprintf(out, "</svg>\n");
	failed = fflush(out) != 0 || ferror(out);
	if (out != stdout && fclose(out) != 0)
		failed = true;
	if (failed)
		return error_set(error, -EIO, "cannot write all of %s: check the free disk space",
				 path);
	return 0;
}

/* Whether the character is U+FFFE or U+FFFF, which UTF-8 allows and XML does not. */
static bool is_noncharacter(const char *text)
{
	return strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	default:
		return NULL;
	}
}

void svg_escape(FILE *out, const char *text)
{
	size_t length = strlen(text);
	_cleanup_(freep) char *clean = malloc(length + 1);

	assert(out);
	if (!clean)
		return;
	text_sanitize(text, length, clean, length + 1);
	for (const char *c = clean; *c; c++) {
		if (entity(*c)) {
			fputs(entity(*c), out);
		} else if (is_noncharacter(c)) {
			fputc('?', out);
			c += 2;
		} else {
			fputc(*c, out);
		}
	}
}

void svg_text(FILE *out, const char *class, int x, int y, const char *format, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list arguments;
	int length;

	assert(out && class && format);
	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0) {
		text = NULL;
		return;
	}
	fprintf(out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, x, y);
	svg_escape(out, text);
	fprintf(out, "</text>\n");
}

void svg_rect(FILE *out, const char *class, int x, int y, int width, int height, const char *hint)
{
	assert(out && class);
	fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"", class, x, y,
		width, height);
	if (!hint) {
		fprintf(out, "/>\n");
		return;
	}
	fprintf(out, "><title>");
	svg_escape(out, hint);
	fprintf(out, "</title></rect>\n");
}

void svg_line(FILE *out, const char *class, int x1, int y1, int x2, int y2)
{
	assert(out && class);
	fprintf(out, "<line class=\"%s\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", class, x1,
		y1, x2, y2);
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Returns the offset of the `n`-th character, or of the end of a shorter text. */
static size_t character_start(const char *text, size_t n)
{
	size_t i = 0;

	for (; n > 0 && text[i]; n--)
		for (i++; is_continuation(text[i]); i++)
			;
	return i;
}

char *svg_shorten(const char *text, size_t max, char *ret, size_t size)
{
	assert(max > 0 && ret && size > 0);
	if (text[character_start(text, max)] == '\0')
		snprintf(ret, size, "%s", text);
	else
		snprintf(ret, size, "%.*s…", (int)character_start(text, max - 1), text);
	return ret;
}
