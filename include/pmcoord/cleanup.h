/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLEANUP_H
#define PMCOORD_CLEANUP_H

/*
 * Releases local variables at the end of their scope, e.g. with
 * `_cleanup_(freep) char *name = NULL;`. The function in _cleanup_ takes a pointer
 * to the variable. The function must accept the variable's initial value, and an
 * object that is only partly built.
 */
#include <dirent.h>
#include <stdio.h>

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _printf_(string, first) __attribute__((__format__(printf, string, first)))

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

/* Frees the memory of the pointer variable at `pointer`, and sets the variable to NULL. */
void freep(void *pointer);

/* Closes *fd if *fd >= 0, and sets *fd to -1. Keeps errno. */
void closep(int *fd);

/* Closes *file unless it is NULL, and sets *file to NULL. Keeps errno. */
void fclosep(FILE **file);

/* Closes *directory unless it is NULL, and sets *directory to NULL. Keeps errno. */
void closedirp(DIR **directory);

/* Takes an owned pointer out of a variable: returns the pointer and sets the variable to NULL. */
#define TAKE_PTR(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

#endif
