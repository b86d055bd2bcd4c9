/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_TTY_H
#define PMCOORD_VIEW_TTY_H

/*
 * A block of lines on a terminal that are rewritten in place, one per guest,
 * with notes beneath it. Allocates nothing: it is used while guests are down.
 */

#include <stdbool.h>
#include <stddef.h>

/* More guests than fit a big screen are not shown in place. */
#define TTY_GUESTS_MAX 128

struct tty {
	size_t rows, columns; /* of the terminal; 0: there is none */
	size_t guests[TTY_GUESTS_MAX]; /* the guest of each line */
	size_t n_guests;
	size_t n_below; /* rows of notes beneath the block */
	bool is_drawn;
};

/* For standard output as it is. */
void tty_init(struct tty *tty);

/*
 * Begins a block with an empty line for each of these guests, if they fit.
 * Returns whether they did.
 */
bool tty_draw(struct tty *tty, const size_t *guests, size_t n_guests);

/* Rewrites a guest's line. Returns false if it has none (any more). */
bool tty_set(struct tty *tty, size_t guest, const char *text);

/*
 * Prints a line beneath the block, or just prints it. Once block and notes have
 * outgrown the terminal, the block is left as it is.
 */
void tty_note(struct tty *tty, const char *text);

#endif
