/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/tty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ECMA-48: cursor up and down, the line cleared; and xterm's wrapping. */
#define UP "\033[%zuA"
#define DOWN "\033[%zuB"
#define CLEAR_LINE "\r\033[K"
#define NO_WRAP "\033[?7l"
#define WRAP "\033[?7h"

void live_init(struct live *live)
{
	const char *terminal = getenv("TERM");
	struct winsize size = { 0 };

	*live = (struct live){ 0 };
	if (!isatty(STDOUT_FILENO) || !terminal || strcmp(terminal, "dumb") == 0 ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return;
	live->rows = size.ws_row;
	live->columns = size.ws_col;
}

bool live_draw(struct live *live, const size_t *guests, size_t n_guests)
{
	live->is_drawn = n_guests > 0 && n_guests <= LIVE_GUESTS_MAX && n_guests + 1 < live->rows;
	if (!live->is_drawn)
		return false;
	memcpy(live->guests, guests, n_guests * sizeof(*guests));
	live->n_guests = n_guests;
	live->n_below = 0;
	for (size_t i = 0; i < n_guests; i++)
		putchar('\n');
	return true;
}

bool live_set(struct live *live, size_t guest, const char *text)
{
	for (size_t i = 0; live->is_drawn && i < live->n_guests; i++) {
		size_t up = live->n_guests - i + live->n_below;

		if (live->guests[i] != guest)
			continue;
		printf(UP CLEAR_LINE NO_WRAP "%s" WRAP "\r" DOWN, up, text, up);
		fflush(stdout);
		return true;
	}
	return false;
}

void live_note(struct live *live, const char *text)
{
	puts(text);
	if (!live->is_drawn)
		return;
	/* Bytes are at least as many as columns. */
	live->n_below += 1 + strlen(text) / live->columns;
	if (live->n_guests + live->n_below + 1 >= live->rows)
		live->is_drawn = false;
}
