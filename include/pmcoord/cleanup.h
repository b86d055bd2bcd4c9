/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLEANUP_H
#define PMCOORD_CLEANUP_H

/*
 * Scope-bound release of locals: `_cleanup_(freep) char *name = NULL;`.
 * Every function named in _cleanup_ takes a pointer to the local and accepts
 * its initial value as well as a partly built one.
 */
#include <dirent.h>
#include <stdio.h>

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _printf_(string, first) __attribute__((__format__(printf, string, first)))

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

/* Frees *(void **)pointer and clears it. */
void freep(void *pointer);

/* Closes *fd if it is >= 0 and sets it to -1; keeps errno. */
void closep(int *fd);

/* Closes *file if it is not NULL; keeps errno. */
void fclosep(FILE **file);

/* Closes *directory if it is not NULL; keeps errno. */
void closedirp(DIR **directory);

/* Hands an owned pointer over: returns the value and clears the variable. */
#define TAKE_PTR(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

#endif
