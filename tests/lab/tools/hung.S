/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hung: a PVH kernel that does nothing at all, ever: a guest that hangs.
 *
 * With interrupts enabled, of which none comes: Xen takes a processor that halts without them for switched off.
 */
	.section .note.Xen, "a", @note
	.align 4
	.long 4 /* the length of the name */
	.long 4 /* and of the value */
	.long 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start

	.text
	.globl _start
_start:
	sti
1:	hlt
	jmp 1b

	.section .note.GNU-stack, "", @progbits
