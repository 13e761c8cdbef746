/* SPDX-License-Identifier: MIT */
#include <rqpi/rqpi.h>
#include <stdio.h>
#include <string.h>

static rqpi_mutex_t lock = RQPI_MUTEX_INITIALIZER;
static rqpi_cond_t more = RQPI_COND_INITIALIZER;

int main(void)
{
	int bad = rqpi_mutex_lock(&lock) || rqpi_cond_signal(&more) || rqpi_mutex_unlock(&lock);

	printf("rqpi %s\n", rqpi_version());
	return bad || strcmp(rqpi_version(), RQPI_VERSION);
}
