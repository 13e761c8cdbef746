/* SPDX-License-Identifier: MIT */
/*
 * race.h - two cores: a task is interrupted at each of its steps in turn, and another one runs
 * there for as long as it can. In the end nobody is stranded and nothing is left behind.
 *
 * The interleavings are those that two cores can have with one change from one to the other and
 * back, all of them. Used by t_race.c and t_race_unlock.c.
 */
#ifndef RQT_RACE_H
#define RQT_RACE_H

#include "tests/engine/stage.h"

#define RT(n) RQPI_PRIO_RT(n)

/* o 1, x 5, a 10, b 20, c 30; d is not real-time. soon: 100 ns. */
extern struct stage stage;
extern struct actor o, a, b, c, d, x;
extern uint32_t m, m2, m3, cond;
extern struct rqpi_timespec soon;

/*
 * For every step that @victim makes after @begin(), which posts its call: @meanwhile() there, and
 * when all sleep @after().
 */
void at_every_step(struct actor *victim, void (*begin)(void), void (*meanwhile)(struct stage *),
		   void (*after)(void));

/* A meanwhile(): b's time is up, and it runs. */
void b_times_out(struct stage *s);

#endif /* RQT_RACE_H */
