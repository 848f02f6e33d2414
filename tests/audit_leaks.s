# SPDX-License-Identifier: Apache-2.0
# Controls of tests/audit.py: it must find something in every leak_ and nothing in any clean_. Never run.
        .text

leak_branch:                            # a loaded word decides a jump
        mov     (%rdi),%rax
        test    %rax,%rax
        je      1f
        inc     %rsi
1:      ret

leak_index:                             # a loaded byte is part of an address
        movzbl  (%rdi),%eax
        mov     (%rsi,%rax,8),%rax
        ret

leak_spill:                             # through a stack slot
        mov     (%rdi),%rax
        mov     %rax,-8(%rsp)
        mov     -8(%rsp),%ecx
        cmp     $7,%ecx
        jb      1f
        inc     %rsi
1:      ret

leak_half_slot:                         # a public slot that a secret half overwrites
        mov     %rsi,-8(%rsp)
        mov     (%rdi),%eax
        mov     %eax,-4(%rsp)
        mov     -8(%rsp),%rcx
        mov     (%rcx),%rax
        ret

leak_array:                             # a stack slot nobody wrote by its address
        mov     -16(%rsp),%rax
        test    %eax,%eax
        jne     1f
        inc     %rsi
1:      ret

leak_conditional_move:                  # flags, register, address
        cmpb    $3,(%rdi)
        mov     $0,%eax
        mov     $8,%ecx
        cmove   %rcx,%rax
        mov     (%rsi,%rax),%rax
        ret

leak_carry:                             # flags, register, jump
        mov     (%rdi),%rax
        cmp     $3,%rax
        sbb     %ecx,%ecx
        test    %ecx,%ecx
        jne     1f
        inc     %rsi
1:      ret

leak_vector_flags:
        vmovdqu (%rdi),%ymm0
        vptest  %ymm0,%ymm0
        jne     1f
        inc     %rsi
1:      ret

leak_vector_word:
        vmovdqu (%rdi),%ymm0
        vpaddq  %ymm0,%ymm0,%ymm1
        vmovq   %xmm1,%rax
        mov     (%rsi,%rax),%al
        ret

leak_vector_mask:
        vmovdqu64 (%rdi),%zmm0
        vptestmq %zmm0,%zmm0,%k1
        kmovw   %k1,%eax
        test    %al,%al
        je      1f
        inc     %rsi
1:      ret

leak_mask_flags:
        vmovdqu64 (%rdi),%zmm0
        vptestmq %zmm0,%zmm0,%k1
        kortestb %k1,%k1
        je      1f
        inc     %rsi
1:      ret

leak_masked_write:
        vmovdqu64 (%rdi),%zmm0
        vptestmq %zmm0,%zmm0,%k1
        vmovdqu64 %zmm1,(%rsi){%k1}
        ret

leak_low_byte:                          # a public byte over a secret word
        mov     (%rdi),%rcx
        mov     $1,%cl
        mov     %ecx,-8(%rsp)
        movzwl  -8(%rsp),%eax
        mov     (%rsi,%rax),%al
        ret

clean_low_byte:
        mov     (%rdi),%rcx
        mov     $1,%cl
        mov     %ecx,-8(%rsp)
        testb   $1,-8(%rsp)
        je      1f
        inc     %rsi
1:      ret

leak_masked_store:
        vmovdqu (%rdi),%ymm0
        vpmaskmovq %ymm1,%ymm0,(%rsi)
        ret

leak_gather:
        vmovdqu (%rdi),%ymm1
        vpcmpeqd %ymm2,%ymm2,%ymm2
        vpgatherqq %ymm2,(%rsi,%ymm1,8),%ymm0
        ret

leak_divide:
        mov     (%rdi),%rax
        xor     %edx,%edx
        div     %rsi
        ret

leak_root:
        vsqrtpd %ymm0,%ymm0
        ret

leak_count:
        mov     (%rdx),%rcx
        rep movsb
        ret

leak_length:                            # an external function's argument
        mov     (%rdi),%rdx
        call    memcpy
        ret

leak_unknown_call:
        call    elsewhere
        ret

leak_jump:
        mov     (%rdi),%rax
        jmp     *%rax

leak_argument:                          # called with a secret by clean_caller
        test    %rdi,%rdi
        je      1f
        inc     %rsi
1:      ret

clean_caller:
        mov     (%rdi),%rdi
        call    leak_argument
        ret

clean_result:
        mov     (%rdi),%rax
        ret

leak_result:                            # of a function that returns one
        call    clean_result
        test    %rax,%rax
        je      1f
        inc     %rsi
1:      ret

clean_vector_result:
        vmovdqu (%rdi),%ymm0
        ret

leak_vector_result:                     # of a function that returns one in a vector register
        call    clean_vector_result
        vmovq   %xmm0,%rax
        test    %rax,%rax
        jne     1f
        inc     %rsi
1:      ret

clean_pair_result:
        mov     (%rdi),%rdx
        xor     %eax,%eax
        ret

leak_pair_result:                       # the second word of two
        call    clean_pair_result
        test    %rdx,%rdx
        jne     1f
        inc     %rsi
1:      ret

clean_tail:
        jmp     clean_vector_result

leak_tail_result:                       # through a tail call
        call    clean_tail
        vmovq   %xmm0,%rax
        mov     (%rsi,%rax),%al
        ret

clean_fill:                             # gives a secret to the word at its second argument
        mov     (%rdi),%rax
        mov     %rax,(%rsi)
        ret

leak_filled:                            # a word on the stack, a constant before the call
        sub     $24,%rsp
        movq    $0,8(%rsp)
        lea     8(%rsp),%rsi
        call    clean_fill
        cmpq    $0,8(%rsp)
        jne     1f
        nop
1:      add     $24,%rsp
        ret

leak_copied:                            # the same by an external function
        sub     $24,%rsp
        movl    $0,8(%rsp)
        mov     %rdi,%rsi
        lea     8(%rsp),%rdi
        mov     $4,%edx
        call    memcpy
        mov     8(%rsp),%eax
        test    %eax,%eax
        jne     1f
        nop
1:      add     $24,%rsp
        ret

clean_kept:                             # a counter beside the word that is filled
        sub     $24,%rsp
        movq    $4,(%rsp)
        mov     %rdi,16(%rsp)
1:      mov     16(%rsp),%rdi
        lea     8(%rsp),%rsi
        call    clean_fill
        subq    $1,(%rsp)
        jne     1b
        add     $24,%rsp
        ret

leak_count_jump:                        # flags have no part in it
        mov     (%rdi),%rcx
        jrcxz   1f
        inc     %rsi
1:      ret

leak_short_count_jump:
        mov     (%rdi),%ecx
        jecxz   1f
        inc     %rsi
1:      ret

leak_loop:
        mov     (%rdi),%rcx
1:      inc     %rsi
        loop    1b
        ret

leak_bit:                               # the number of a bit is part of an address
        mov     (%rdi),%rcx
        bt      %rcx,(%rsi)
        setc    (%rdx)
        ret

leak_bit_set:
        mov     (%rdi),%rcx
        bts     %rcx,(%rsi)
        ret

leak_bit_reset:
        mov     (%rdi),%rcx
        btr     %rcx,(%rsi)
        ret

leak_bit_change:
        mov     (%rdi),%rcx
        btc     %rcx,(%rsi)
        ret

clean_bit:                              # of a register
        mov     (%rdi),%rcx
        mov     (%rsi),%rax
        bts     %rcx,%rax
        mov     %rax,(%rsi)
        ret

leak_late:                              # public the first time around the loop
        xor     %eax,%eax
1:      mov     (%rsi,%rax),%rcx
        mov     %rcx,%rax
        dec     %rdx
        jne     1b
        ret

leak_all_ones:                          # allowed in group_first_bad only
        cmpq    $-1,(%rdi)
        jne     1f
        inc     %rsi
1:      ret

clean_counter:                          # a counter and a pointer in the frame
        push    %rbp
        mov     %rsp,%rbp
        and     $-32,%rsp
        sub     $64,%rsp
        mov     %rdi,8(%rsp)
        movq    $4,16(%rsp)
1:      mov     8(%rsp),%rax
        vmovdqu (%rax),%ymm0
        vpaddq  %ymm0,%ymm0,%ymm0
        vmovdqu %ymm0,(%rax)
        addq    $32,8(%rsp)
        subq    $1,16(%rsp)
        jne     1b
        leave
        ret

clean_pair:                             # two pointers through a vector register
        vmovq   %rdi,%xmm0
        vpinsrq $1,%rsi,%xmm0,%xmm0
        vmovdqu %xmm0,-24(%rsp)
        mov     -16(%rsp),%rax
        mov     (%rax),%rcx
        mov     %rcx,(%rdi)
        ret

clean_select:                           # secret flags that only choose a value
        mov     (%rdi),%rax
        cmp     $3,%rax
        mov     $1,%ecx
        cmove   %rcx,%rax
        sete    8(%rsi)
        mov     %rax,(%rsi)
        ret

clean_scatter:                          # to addresses that are public
        vpbroadcastq %rdi,%zmm1
        vpaddq  constants(%rip),%zmm1,%zmm1
        vmovdqu64 (%rsi),%zmm0
        kxnorw  %k1,%k1,%k1
        vpscatterqq %zmm0,(,%zmm1,1){%k1}
        ret
constants:
        .quad   0, 8, 16, 24, 32, 40, 48, 56
