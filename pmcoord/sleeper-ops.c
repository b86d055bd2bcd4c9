/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sleeper.h"

void sleeper_free(struct sleeper *sleeper)
{
	if (sleeper)
		sleeper->ops->free(sleeper);
}
