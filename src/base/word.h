/* SPDX-License-Identifier: MIT */
/*
 * word.h - the futex word of a PI mutex: who owns it, and what the kernel adds.
 *
 *   bits 0..29  TID of the owner, 0 if nobody. User space stores its own TID into a word that is 0
 *               and takes it back out of a word that holds nothing else; every other change is the
 *               kernel's.
 *   bit 31      WAITERS. Must be set before anybody sleeps on the word, so that the owner's unlock
 *               goes to the kernel. May be set with nobody waiting: a timeout leaves it behind
 *               until the next unlock.
 *   bit 30      OWNER_DIED. Set by the kernel when the owner exits; cleared by the next owner, or
 *               by the kernel at its unlock.
 * Source: futex(2), "Priority-inheritance futexes" and "Robust futexes".
 */
#ifndef RQB_WORD_H
#define RQB_WORD_H

#include <stdbool.h>
#include <stdint.h>

#define RQB_WORD_WAITERS    0x80000000u
#define RQB_WORD_OWNER_DIED 0x40000000u
#define RQB_WORD_TID_MASK   0x3fffffffu

static inline uint32_t rqb_word_tid(uint32_t word)
{
	return word & RQB_WORD_TID_MASK;
}

static inline bool rqb_word_owner_died(uint32_t word)
{
	return (word & RQB_WORD_OWNER_DIED) != 0;
}

#endif /* RQB_WORD_H */
