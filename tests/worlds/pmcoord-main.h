/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_PMCOORD_MAIN_H
#define TESTS_WORLDS_PMCOORD_MAIN_H

/* main of pmcoord/cli/main.c, which is built under this name into the test program. */
int pmcoord_main(int argc, char **argv);

#endif
