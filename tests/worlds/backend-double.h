/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_BACKEND_DOUBLE_H
#define TESTS_WORLDS_BACKEND_DOUBLE_H

/* Returns the directory in which pmcoord keeps its files on the double of Xen. */
const char *backend_double_files(void);

#endif
