/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_DAMAGE_H
#define TESTS_WORLDS_DAMAGE_H

/*
 * Files in bad states, as a full disk, a read-only /var, a kill during a write or
 * another version of pmcoord leave them. None of them is a condition for anything
 * (design: Files).
 */

/* The names of all damages; ends with NULL. */
extern const char *const damage_names[];

/*
 * Damages the files of a simulated host in `directory`. A damage of a file that does
 * not exist does nothing. Returns 0, or -1 for an unknown name.
 */
int damage_make(const char *directory, const char *name);

#endif
