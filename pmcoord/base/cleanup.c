/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void freep(void *pointer)
{
	void **owned = pointer;

	free(*owned);
	*owned = NULL;
}

void closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void fclosep(FILE **file)
{
	int saved = errno;

	if (*file)
		fclose(*file);
	*file = NULL;
	errno = saved;
}

void closedirp(DIR **directory)
{
	int saved = errno;

	if (*directory)
		closedir(*directory);
	*directory = NULL;
	errno = saved;
}
