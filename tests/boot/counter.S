/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine's whole system: a boot sector that counts. About once a second it
 * writes the number as text to sector 1 of its disk, reads it back, and says it on the
 * serial line: "count 00000012". What comes back otherwise: "wrong".
 */
	.code16
	.globl _start
_start:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	movb %dl, drive
	/* COM1: 8 bits, at 115200 baud. */
	movw $0x3f9, %dx
	xorb %al, %al
	outb %al, %dx
	movw $0x3fb, %dx
	movb $3, %al
	outb %al, %dx
	cld
next:
	call increment
	/* Into the sector's buffer. */
	movw $number, %si
	movw $0x8000, %di
	movw $8, %cx
	rep movsb
	movb $3, %ah
	call disk
	jc wrong
	/* Read it into another one and compare. */
	movw $0x8000, %si
	movw $0x8200, %di
	movw $packet, %bx
	movw %di, 4(%bx)
	movb $2, %ah
	call disk
	movw $0x8000, packet + 4
	jc wrong
	movw $8, %cx
	repe cmpsb
	jne wrong
	movw $good, %si
	call print
	call pause
	jmp next
wrong:
	movw $bad, %si
	call print
	call pause
	jmp next

/* Decimal digits, the last one first. */
increment:
	movw $number + 7, %bx
1:	incb (%bx)
	cmpb $'9', (%bx)
	jbe 2f
	movb $'0', (%bx)
	decw %bx
	jmp 1b
2:	ret

/* AH is 3 to write sector 1, 2 to read it; by INT 13h's extensions. */
disk:
	orb $0x40, %ah
	cmpb $0x42, %ah
	je 1f
	movb $0x43, %ah
1:	xorb %al, %al
	pushw %si
	pushw %di
	movw $packet, %si
	movb drive, %dl
	int $0x13
	popw %di
	popw %si
	ret

print:
	lodsb
	testb %al, %al
	jz 2f
	movb %al, %ah
	movw $0x3fd, %dx
1:	inb %dx, %al
	testb $0x20, %al
	jz 1b
	movw $0x3f8, %dx
	movb %ah, %al
	outb %al, %dx
	jmp print
2:	ret

/* 18 ticks of the BIOS's clock. */
pause:
	sti
	movw $18, %cx
1:	movw 0x46c, %ax
2:	hlt
	cmpw 0x46c, %ax
	je 2b
	loop 1b
	ret

good:	.ascii "count "
number:	.ascii "00000000"
	.asciz "\r\n"
bad:	.asciz "wrong\r\n"
	.balign 4
packet:	.byte 16, 0
	.word 1
	.word 0x8000, 0
	.quad 1
drive:	.byte 0
	.org 510
	.word 0xaa55
