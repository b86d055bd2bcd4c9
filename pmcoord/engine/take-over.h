/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_TAKE_OVER_H
#define PMCOORD_ENGINE_TAKE_OVER_H

/*
 * Guests of earlier cycles become guests of a later one, so that one cycle alone resumes
 * guests that depend on each other, and its report names those that stay suspended.
 */

#include <stdbool.h>

#include "model/domain-id.h"
#include "engine/context.h"

/*
 * The cycle of the context takes over the guests of all earlier cycles of this boot: those
 * that could not be resumed, and those that may suspend late; with `with_kept`, also those
 * that are kept suspended. Removes the journals of which nothing remains. A guest that
 * cannot be taken over stays in its journal. A guest is recorded in the later journal first,
 * so that it is always in one of them.
 */
void take_over_guests(const struct coordinator *context, bool with_kept);

/*
 * Earlier cycles let go of the guests that take_over_guests has taken, if that was not written
 * then, because `context`'s journal had lost records. Called when that journal is complete again,
 * or is not needed any more.
 */
void take_over_complete(const struct coordinator *context);

/*
 * Whether a cycle of this boot holds a pause on the domain. `context` needs roots alone.
 */
bool take_over_finds_pause(const struct coordinator *context, const struct domain_id *id);

#endif
