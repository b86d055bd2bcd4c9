/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/sleeper.h"

void sleeper_free(struct sleeper *sleeper)
{
	if (sleeper)
		sleeper->ops->free(sleeper);
}
