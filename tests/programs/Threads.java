// SPDX-License-Identifier: MIT
//
// Threads.java - locks, conditions, monitors, barriers and pools of java.util.concurrent, with
// results that are known beforehand. Prints "ok NAME" for each, then "ITEMS items in N ms".
// Compiled and run by scripts/programs.py. Exit status: 0 all right, 1 a wrong result.
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Future;
import java.util.concurrent.RecursiveTask;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

public class Threads {
	static final int ITEMS = 60000;
	static boolean wrong = false;

	static void expect(String name, long got, long want) {
		System.out.println((got == want ? "ok " : "WRONG ") + name +
				(got == want ? "" : ": " + got + ", not " + want));
		wrong |= got != want;
	}

	// Two producers, two consumers; each number once. -1 ends a consumer.
	static long throughQueue(BlockingQueue<Integer> queue, int items) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(4);
		List<Future<Long>> sums = new ArrayList<>();
		for (int half = 0; half < 2; half++) {
			int first = half;
			sums.add(pool.submit(() -> {
				for (int i = first; i < items; i += 2)
					queue.put(i);
				queue.put(-1);
				return 0L;
			}));
			sums.add(pool.submit(() -> {
				long sum = 0;
				for (int item = queue.take(); item >= 0; item = queue.take())
					sum += item;
				return sum;
			}));
		}
		long total = 0;
		for (Future<Long> sum : sums)
			total += sum.get();
		pool.shutdown();
		return total;
	}

	// Threads take turns by one condition each; every turn counts one.
	static long turnsByCondition(int threads, int rounds) throws Exception {
		ReentrantLock lock = new ReentrantLock();
		Condition[] mine = new Condition[threads];
		int[] turn = {0};
		long[] count = {0};
		List<Thread> all = new ArrayList<>();
		for (int i = 0; i < threads; i++)
			mine[i] = lock.newCondition();
		for (int i = 0; i < threads; i++) {
			int me = i;
			Thread thread = new Thread(() -> {
				for (int round = 0; round < rounds; round++) {
					lock.lock();
					try {
						while (turn[0] != me)
							mine[me].awaitUninterruptibly();
						count[0]++;
						turn[0] = (me + 1) % threads;
						mine[turn[0]].signal();
					} finally {
						lock.unlock();
					}
				}
			});
			thread.start();
			all.add(thread);
		}
		for (Thread thread : all)
			thread.join();
		return count[0];
	}

	// The same by a monitor of the language, with notifyAll.
	static long turnsByMonitor(int threads, int rounds) throws Exception {
		Object monitor = new Object();
		int[] turn = {0};
		long[] count = {0};
		List<Thread> all = new ArrayList<>();
		for (int i = 0; i < threads; i++) {
			int me = i;
			Thread thread = new Thread(() -> {
				for (int round = 0; round < rounds; round++) {
					synchronized (monitor) {
						while (turn[0] != me) {
							try {
								monitor.wait(10000);
							} catch (InterruptedException e) {
								return;
							}
						}
						count[0]++;
						turn[0] = (me + 1) % threads;
						monitor.notifyAll();
					}
				}
			});
			thread.start();
			all.add(thread);
		}
		for (Thread thread : all)
			thread.join();
		return count[0];
	}

	static long crossings(int threads, int rounds) throws Exception {
		AtomicInteger opened = new AtomicInteger();
		CyclicBarrier barrier = new CyclicBarrier(threads, opened::incrementAndGet);
		List<Thread> all = new ArrayList<>();
		for (int i = 0; i < threads; i++) {
			Thread thread = new Thread(() -> {
				try {
					for (int round = 0; round < rounds; round++)
						barrier.await(60, TimeUnit.SECONDS);
				} catch (Exception e) {
					throw new RuntimeException(e);
				}
			});
			thread.start();
			all.add(thread);
		}
		for (Thread thread : all)
			thread.join();
		return opened.get();
	}

	static class Fibonacci extends RecursiveTask<Long> {
		final int n;

		Fibonacci(int n) {
			this.n = n;
		}

		@Override
		protected Long compute() {
			if (n < 12)
				return n < 2 ? n : new Fibonacci(n - 1).compute() + new Fibonacci(n - 2).compute();
			Fibonacci left = new Fibonacci(n - 1);
			left.fork();
			return new Fibonacci(n - 2).compute() + left.join();
		}
	}

	static long ticks(int count) throws Exception {
		ScheduledExecutorService timer = Executors.newScheduledThreadPool(2);
		AtomicLong done = new AtomicLong();
		List<Future<?>> all = new ArrayList<>();
		for (int i = 0; i < count; i++)
			all.add(timer.schedule(done::incrementAndGet, i % 50, TimeUnit.MILLISECONDS));
		for (Future<?> one : all)
			one.get();
		timer.shutdown();
		return done.get();
	}

	// Collections stop all threads at safepoints: the virtual machine's own condvars.
	static long garbage(int rounds) throws Exception {
		AtomicLong kept = new AtomicLong();
		List<Thread> all = new ArrayList<>();
		for (int i = 0; i < 3; i++) {
			Thread thread = new Thread(() -> {
				for (int n = 0; n < rounds; n++)
					kept.addAndGet(new byte[1 << 16].length >> 16);
			});
			thread.start();
			all.add(thread);
		}
		for (int i = 0; i < 4; i++)
			System.gc();
		for (Thread thread : all)
			thread.join();
		return kept.get();
	}

	public static void main(String[] args) throws Exception {
		long began = System.nanoTime();
		long sum = (long) ITEMS * (ITEMS - 1) / 2;
		expect("bounded queue", throughQueue(new ArrayBlockingQueue<>(16), ITEMS), sum);
		expect("hand-over queue", throughQueue(new SynchronousQueue<>(), ITEMS / 6),
				(long) (ITEMS / 6) * (ITEMS / 6 - 1) / 2);
		expect("conditions", turnsByCondition(6, 2000), 12000);
		expect("monitor", turnsByMonitor(6, 500), 3000);
		expect("barrier", crossings(8, 500), 500);
		expect("fork and join", new ForkJoinPool(4).invoke(new Fibonacci(27)), 196418);
		expect("timers", ticks(1000), 1000);
		expect("futures", CompletableFuture.supplyAsync(() -> 20L).thenCombineAsync(
				CompletableFuture.supplyAsync(() -> 22L), Long::sum).get(), 42);
		expect("garbage", garbage(6000), 18000);
		System.out.println(ITEMS + " items in " + (System.nanoTime() - began) / 1000000 + " ms");
		System.exit(wrong ? 1 : 0);
	}
}
