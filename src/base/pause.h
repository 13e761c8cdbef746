/* SPDX-License-Identifier: MIT */
/* pause.h - tell the processor that this is a loop that waits for a word. */
#ifndef RQB_PAUSE_H
#define RQB_PAUSE_H

static inline void rqb_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("pause");
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
	__asm__ volatile("yield");
#else
	__asm__ volatile("");
#endif
}

#endif /* RQB_PAUSE_H */
