/* SPDX-License-Identifier: MIT */
/*
 * work_args.h - reading the key=value words of a batch; work_util.c defines it, worker.c alone
 * calls it.
 */
#ifndef BENCH_WORK_ARGS_H
#define BENCH_WORK_ARGS_H

#include "worker.h"

/*
 * work_parse_args() - fill @args from the NULL-ended @words. Returns NULL, or the word that is
 * wrong.
 */
const char *work_parse_args(struct work_args *args, char **words);

#endif /* BENCH_WORK_ARGS_H */
