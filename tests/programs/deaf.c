/* SPDX-License-Identifier: MIT */
/*
 * deaf.c - what turns the preload into one that drops signals: linked with --wrap, this is called
 * where it would release waiters. tests/programs/meson.build makes a preload of it, and
 * scripts/programs.py must find out that programs do not work under it.
 */
#include <stdint.h>

int __wrap_rqu_private_release(uint32_t *slot, int nr_requeue);

int __wrap_rqu_private_release(uint32_t *slot, int nr_requeue)
{
	(void)slot;
	(void)nr_requeue;
	return 0;
}
