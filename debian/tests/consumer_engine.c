/* SPDX-License-Identifier: MIT */
#include <rqpi/host.h>
#include <stdint.h>
#include <stdio.h>

static uint32_t word = 1;

int main(void)
{
	long woken = rqpi_futex(&word, RQPI_FUTEX_WAKE, 1, NULL, NULL, 0);

	printf("woken: %ld\n", woken);
	return woken != 0;
}
