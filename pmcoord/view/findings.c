/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/findings.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "pmcoord/enum-name.h"
#include "pmcoord/json.h"

/*
 * The text is as wide as the terminal, but at least WIDTH_MIN and at most
 * WIDTH_MAX columns. Without a terminal, it is WIDTH_WITHOUT_TERMINAL columns
 * wide.
 */
#define WIDTH_MAX 100
#define WIDTH_MIN 40
#define WIDTH_WITHOUT_TERMINAL 79

static const char *const level_names[] = {
	[FINDING_ERROR] = "error",
	[FINDING_WARNING] = "warning",
	[FINDING_INFO] = "info",
};
ENUM_COMPLETE(level_names, FINDING_INFO);

static void finding_done(struct finding *finding)
{
	free(finding->subject);
	free(finding->message);
	free(finding->advice);
}

void findings_done(struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++)
		finding_done(&findings->list[i]);
	free(findings->list);
	*findings = (struct findings){ 0 };
}

void findings_add(struct findings *findings, enum finding_level level, const char *subject,
		  const char *advice, const char *format, ...)
{
	struct finding *list = reallocarray(findings->list, findings->n + 1, sizeof(*list));
	struct finding finding = {
		.level = level,
		.subject = strdup(subject),
		.advice = strdup(advice),
	};
	va_list arguments;

	assert(level <= FINDING_INFO);
	va_start(arguments, format);
	if (vasprintf(&finding.message, format, arguments) < 0)
		finding.message = NULL;
	va_end(arguments);
	if (list)
		findings->list = list;
	if (!list || !finding.subject || !finding.advice || !finding.message) {
		finding_done(&finding);
		findings->out_of_memory = true;
		return;
	}
	list[findings->n++] = finding;
}

static size_t count(const struct findings *findings, enum finding_level level)
{
	size_t n = 0;

	for (size_t i = 0; i < findings->n; i++)
		n += findings->list[i].level == level;
	return n;
}

bool findings_are_ok(const struct findings *findings)
{
	return count(findings, FINDING_ERROR) == 0;
}

/* ---- printing ------------------------------------------------------------ */

static void add_finding(struct json_object *array, const struct finding *finding, int *r)
{
	struct json_object *object = json_add_object(array, NULL, r);

	json_add_string(object, "level", ENUM_NAME(level_names, finding->level), r);
	json_add_string(object, "subject", finding->subject, r);
	json_add_string(object, "message", finding->message, r);
	json_add_string(object, "advice", finding->advice, r);
}

static int print_json(const struct findings *findings, FILE *out)
{
	struct json_object *object = json_object_new_object();
	int r = object ? 0 : -ENOMEM;
	struct json_object *array;

	json_add_boolean(object, "ok", findings_are_ok(findings), &r);
	array = json_add_array(object, "findings", &r);
	for (int level = FINDING_ERROR; level <= FINDING_INFO; level++)
		for (size_t i = 0; i < findings->n; i++)
			if (findings->list[i].level == (enum finding_level)level)
				add_finding(array, &findings->list[i], &r);
	if (r == 0)
		r = json_print(object, out);
	json_object_put(object);
	return r;
}

static size_t width_of(FILE *out)
{
	struct winsize size;
	int fd = fileno(out);

	if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return WIDTH_WITHOUT_TERMINAL;
	if (size.ws_col < WIDTH_MIN)
		return WIDTH_MIN;
	return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

/*
 * Prints a text that begins at `column`, wraps it at `width`, and indents each
 * further line by `indent`.
 */
static void print_wrapped(const char *text, size_t column, size_t indent, size_t width, FILE *out)
{
	while (*text) {
		size_t length = strcspn(text, " \n");

		if (column > indent && column + 1 + length > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, length, out);
		column += length;
		text += length;
		text += strspn(text, " \n");
	}
	fputc('\n', out);
}

static void print_finding(const struct finding *finding, size_t width, FILE *out)
{
	int head =
		fprintf(out, "%s: %s:", ENUM_NAME(level_names, finding->level), finding->subject);

	print_wrapped(finding->message, head > 0 ? (size_t)head : 0, 4, width, out);
	if (!finding->advice[0])
		return;
	fprintf(out, "    ->");
	print_wrapped(finding->advice, 6, 4, width, out);
}

static void print_sum(const struct findings *findings, FILE *out)
{
	size_t n_errors = count(findings, FINDING_ERROR);
	size_t n_warnings = count(findings, FINDING_WARNING);

	if (n_errors == 0 && n_warnings == 0)
		fprintf(out, "No errors, no warnings.\n");
	else
		fprintf(out, "%zu error%s, %zu warning%s.\n", n_errors, n_errors == 1 ? "" : "s",
			n_warnings, n_warnings == 1 ? "" : "s");
}

static int print_text(const struct findings *findings, bool with_info, FILE *out)
{
	size_t width = width_of(out);
	int last = with_info ? FINDING_INFO : FINDING_WARNING;

	for (int level = FINDING_ERROR; level <= last; level++)
		for (size_t i = 0; i < findings->n; i++)
			if (findings->list[i].level == (enum finding_level)level)
				print_finding(&findings->list[i], width, out);
	print_sum(findings, out);
	return ferror(out) ? -EIO : 0;
}

int findings_print(const struct findings *findings, bool json, bool with_info, FILE *out)
{
	if (findings->out_of_memory)
		return -ENOMEM;
	return json ? print_json(findings, out) : print_text(findings, with_info, out);
}
