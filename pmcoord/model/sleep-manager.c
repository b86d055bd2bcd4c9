/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/sleep-manager.h"

void sleep_manager_free(struct sleep_manager *manager)
{
	if (manager)
		manager->ops->free(manager);
}
