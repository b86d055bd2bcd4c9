/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/tty.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ECMA-48 control sequences, and xterm's private mode for wrapping. */
#define UP "\033[%zuA"
#define DOWN "\033[%zuB"
#define CLEAR_LINE "\r\033[K"
#define NO_WRAP "\033[?7l"
#define WRAP "\033[?7h"

void tty_init(struct tty *tty)
{
	const char *terminal = getenv("TERM");
	struct winsize size = { 0 };

	*tty = (struct tty){ 0 };
	if (!isatty(STDOUT_FILENO) || !terminal || strcmp(terminal, "dumb") == 0 ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return;
	tty->rows = size.ws_row;
	tty->columns = size.ws_col;
}

bool tty_draw(struct tty *tty, const size_t *guests, size_t n_guests)
{
	tty->is_drawn = n_guests > 0 && n_guests <= TTY_GUESTS_MAX && n_guests + 1 < tty->rows;
	if (!tty->is_drawn)
		return false;
	assert(guests);
	memcpy(tty->guests, guests, n_guests * sizeof(*guests));
	tty->n_guests = n_guests;
	tty->n_below = 0;
	for (size_t i = 0; i < n_guests; i++)
		putchar('\n');
	return true;
}

bool tty_set(struct tty *tty, size_t guest, const char *text)
{
	for (size_t i = 0; tty->is_drawn && i < tty->n_guests; i++) {
		size_t up = tty->n_guests - i + tty->n_below;

		if (tty->guests[i] != guest)
			continue;
		printf(UP CLEAR_LINE NO_WRAP "%s" WRAP "\r" DOWN, up, text, up);
		fflush(stdout);
		return true;
	}
	return false;
}

void tty_print_line(struct tty *tty, const char *text)
{
	puts(text);
	if (!tty->is_drawn)
		return;
	assert(tty->columns > 0);
	/* Never too few rows: a character has at least as many bytes as columns. */
	tty->n_below += 1 + strlen(text) / tty->columns;
	if (tty->n_guests + tty->n_below + 1 >= tty->rows)
		tty->is_drawn = false;
}
