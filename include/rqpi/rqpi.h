/* SPDX-License-Identifier: MIT */
/* rqpi/rqpi.h - the whole user half: priority-inheriting mutexes and POSIX condition variables. */
#ifndef RQPI_RQPI_H
#define RQPI_RQPI_H

#include <rqpi/base.h>
#include <rqpi/mutex.h>
#include <rqpi/cond.h>

#endif /* RQPI_RQPI_H */
