/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_TTY_H
#define PMCOORD_VIEW_TTY_H

/*
 * A block of lines on the terminal, one per guest. These lines are rewritten in
 * place, and other lines are printed below the block. Allocates no memory,
 * because it is used while guests are suspended.
 */

#include <stdbool.h>
#include <stddef.h>

/*
 * The most guests in a block. Even a large terminal has fewer lines. With more
 * guests, no block is drawn.
 */
#define TTY_GUESTS_MAX 128

struct tty {
	size_t rows, columns; /* size of the terminal; 0: no terminal */
	size_t guests[TTY_GUESTS_MAX]; /* the guest of each line */
	size_t n_guests; /* lines of the block */
	size_t n_below; /* rows below the block */
	bool is_drawn; /* the block is on the screen and can be rewritten */
};

/* Reads the terminal's size. Sets 0 if standard output is no terminal or TERM is "dumb". */
void tty_init(struct tty *tty);

/*
 * Prints a block with one empty line per guest, if the block fits the terminal.
 * Returns whether it was printed.
 */
bool tty_draw(struct tty *tty, const size_t *guests, size_t n_guests);

/* Rewrites a guest's line. Returns false if the block has no such line. */
bool tty_set(struct tty *tty, size_t guest, const char *text);

/*
 * Prints a line, below the block if there is one. When the block and the lines
 * below it exceed the terminal's height, the block is no longer rewritten.
 */
void tty_print_line(struct tty *tty, const char *text);

#endif
