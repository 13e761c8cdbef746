/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the rest of the tree sees of the benchmarks: one command. Included by tools/rqpi.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

/*
 * cmd_bench() - `rqpi bench BENCHMARK [options]`; argv[0] is the word "bench". Runs
 * rqpi-bench-worker for each batch. Returns the exit code: 0 measured (also when a target was
 * missed), 2 a usage error or nothing could be measured, the reason on stderr.
 */
int cmd_bench(int argc, char **argv);

#endif /* BENCH_BENCH_H */
