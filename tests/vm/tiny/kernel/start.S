/*
 * Entry of the repacked kernel: 32-bit protected mode as Documentation/arch/x86/boot.rst ("32-bit boot protocol")
 * says, esi = boot_params. Unpacks the kernel to the address it was linked for and enters its 64-bit entry point
 * (arch/x86/kernel/head_64.S, startup_64) with the first 4 GiB mapped one to one and rsi = boot_params.
 */
	.code32
	.section .text.start, "ax"
	.globl _start
_start:
	cli
	cld
	movl	$stack_end, %esp
	pushl	%esi
	pushl	$KERNEL_ADDRESS
	pushl	$packed_end
	pushl	$packed
	call	unpack
	addl	$12, %esp
	popl	%esi

	/* Page tables: 4 page directories of 2 MiB pages, one directory pointer table, one top level. */
	xorl	%eax, %eax
	movl	$directories, %edi
	movl	$(6 * 1024), %ecx
	rep	stosl
	movl	$directories, %edi
	movl	$0x83, %eax			/* present, writable, 2 MiB */
	movl	$2048, %ecx
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b
	movl	$(directories + 3), %eax	/* present, writable */
	movl	$pointers, %edi
	movl	$4, %ecx
2:	movl	%eax, (%edi)
	addl	$4096, %eax
	addl	$8, %edi
	loop	2b
	movl	$(pointers + 3), top_level

	movl	%cr4, %eax
	orl	$0x20, %eax			/* PAE */
	movl	%eax, %cr4
	movl	$top_level, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx		/* EFER */
	rdmsr
	orl	$0x100, %eax			/* LME */
	wrmsr
	lgdt	descriptors_pointer
	movl	%cr0, %eax
	orl	$0x80000001, %eax		/* PG, PE */
	movl	%eax, %cr0
	ljmp	$0x10, $long_mode

	.code64
long_mode:
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%esi, %esi
	movl	$KERNEL_ADDRESS, %eax
	jmp	*%rax

	.section .rodata
	.balign 8
descriptors:
	.quad	0, 0
	.quad	0x00af9b000000ffff		/* 0x10: 64-bit code */
	.quad	0x00cf93000000ffff		/* 0x18: data */
descriptors_pointer:
	.word	. - descriptors - 1
	.long	descriptors
packed:
	.incbin	PACKED_KERNEL
packed_end:

	.section .bss
	.balign	4096
directories:
	.skip	4 * 4096
pointers:
	.skip	4096
top_level:
	.skip	4096
	.skip	4096
stack_end:
