/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_STORE_CLIENT_H
#define TESTS_FAKEXEN_STORE_CLIENT_H

/*
 * libxenstore, and how xenstored answers it. What it claims about them:
 *
 * - Each request waits for its answer. While xenstored is silent, it waits, whatever the caller's
 *   deadlines are.
 * - When xenstored has closed the connection, requests fail with EPIPE, then EBADF, for ever. A
 *   connection with watches does not become readable; xs_check_watch() fails with EINVAL.
 * - Without xenstored, nobody listens on xs_daemon_socket().
 */

#include <stdbool.h>
#include <stdint.h>

void store_client_start(void);
void store_client_stop(void);

/* The domain in which programs run that open a connection from now on; first dom0. */
void store_client_act_as(uint32_t domid);

/* The duration of each request; 50 µs at first. */
void store_client_set_latency(uint64_t us);

/* xenstored answers nothing for this long, and then all. */
void store_client_be_silent(uint64_t us);
/* For how long it still is; 0: it answers. */
uint64_t store_client_silence_left(void);

/* xenstored closes all connections of dom0's programs. */
void store_client_lose(void);

/* xenstored is stopped: nobody listens, and no connection can be opened. */
void store_client_stop_daemon(void);

/* Called within the next request that ends a transaction, before it is handled; once. */
void store_client_before_end(void (*handle)(void *data), void *data);

/* The process dies: its connections are closed. What it still calls has no effect. */
void store_client_kill(void);

/* The number of requests that were made. */
uint64_t store_client_count(void);

#endif
