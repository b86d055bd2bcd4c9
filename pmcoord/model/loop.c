/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/loop.h"

#include <assert.h>

void loop_free(struct loop *loop)
{
	if (loop)
		loop->ops->free(loop);
}

uint64_t loop_now(struct loop *loop)
{
	return loop->ops->now(loop);
}

void loop_interrupt(struct loop *loop, int signal)
{
	assert(loop && signal > 0);
	loop->signal = signal;
}

int loop_take_signal(struct loop *loop)
{
	int signal = loop->signal;

	loop->signal = 0;
	return signal;
}

int loop_watch_fd(struct loop *loop, int fd)
{
	return loop->ops->watch_fd ? loop->ops->watch_fd(loop, fd) : 0;
}
