/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames on the laptop's second serial port; xenlab/channel.py is the other end.
 *
 * A UART loses what is in its FIFO when the machine sleeps, so nothing may rely on the byte stream:
 * each frame carries a magic and a checksum, and each frame from outside is repeated until it is acknowledged.
 */
#pragma once

#include <stdint.h>

#define FRAME_MAGIC 0x4c42414cu /* "LABL" */
#define FRAME_PAYLOAD_MAX 2048u

enum frame_type {
	/* from outside; seq is acknowledged, a repeated seq is acknowledged again and otherwise ignored */
	FRAME_PING = 'p',
	FRAME_RUN = 'r',     /* first byte of the payload: '|' pipes, 't' a terminal; then a piece of the command */
	FRAME_GO = 'g',      /* the command is complete: run it; payload "0": without standard input */
	FRAME_INPUT = 'i',   /* a piece of standard input, empty: end of file */
	FRAME_SIGNAL = 's',  /* uint32: signal for the command's process group */
	FRAME_WINDOW = 'w',  /* uint32 rows, uint32 columns */
	/* from dom0 */
	FRAME_ACK = 'A',
	FRAME_OUT = 'O',
	FRAME_ERR = 'E',
	FRAME_EXIT = 'X',    /* int32 wait status, uint32 bytes sent as OUT, uint32 bytes sent as ERR */
};

struct frame_header {
	uint32_t magic;
	uint32_t type;
	uint32_t seq;
	uint32_t job;
	uint32_t length;
	uint32_t crc; /* CRC-32 of the header up to here, and of the payload */
};
