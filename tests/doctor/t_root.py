#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""rqpi doctor --root: each finding that files can give, provoked in the files of a machine.

t_root.py RQPI: prints TAP. Each case takes one thing away from a machine that is fit, and names the
finding, its state, and words of what it says; one that is not "ok" must also say why and what mends
it.
"""

import json
import os
import subprocess
import sys
import tempfile

import roots
from roots import CPU, FAIR, GRANTED, IPC_LOCK, RELEASE, SYS_NICE

EXITS = {"bad": 1}
PLAIN = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1 (2025-11-05)"
EARLIER = "#1 SMP PREEMPT RT Debian 4.19.304-1 (2024-01-09)"
SWAP = "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2  partition\t976892\t0\t-2"
V2 = "sys/fs/cgroup"

CASES = []


def case(finding, state, words, name=None):
    """The decorated function changes the machine; its name, or @name, says what is shown."""
    def remember(change):
        CASES.append((name or change.__name__, change, finding, state, words))
        return change
    return remember


@case("preempt-rt", "ok", "a PREEMPT_RT kernel: its version is")
def real_time_kernel_without_the_flag_file(root):
    assert not os.path.exists(root.path("sys/kernel/realtime"))


@case("preempt-rt", "ok", "/sys/kernel/realtime says 1")
def real_time_kernel_with_the_flag_file(root):
    root.write("sys/kernel/realtime", "1")


@case("preempt-rt", "ok", "PREEMPT RT")
def real_time_patches_of_before_5_3(root):
    root.write("proc/sys/kernel/osrelease", "4.19.0-26-rt-amd64")
    root.kernel(EARLIER)
    root.write("boot/config-4.19.0-26-rt-amd64", "CONFIG_PREEMPT_RT_FULL=y")


@case("preempt-rt", "warning", "not a PREEMPT_RT kernel")
def ordinary_kernel(root):
    root.kernel(PLAIN)
    root.config("PREEMPT_RT=n")


@case("preempt-rt", "warning", "not a PREEMPT_RT kernel")
def a_name_with_rt_in_it_is_no_proof(root):
    assert "-rt-" in RELEASE
    root.kernel(PLAIN)
    root.remove(f"boot/config-{RELEASE}")


@case("preempt-rt", "warning", "which is of another kernel of that name")
def a_file_in_boot_is_not_believed_against_the_kernel(root):
    root.kernel(PLAIN)


@case("preempt-rt", "ok", "/proc/config.gz has CONFIG_PREEMPT_RT=y")
def real_time_kernel_by_its_own_configuration(root):
    root.kernel("built by hand")
    root.config(running=True)


@case("preempt-rt", "ok", "has CONFIG_PREEMPT_RT=y")
def real_time_kernel_by_the_file_in_boot_alone(root):
    root.remove("proc/sys/kernel/version")


@case("preempt-rt", "unknown", "not looked at")
def nothing_says_which_kernel_it_is(root):
    root.remove("proc/sys/kernel/version")
    root.remove(f"boot/config-{RELEASE}")


@case("irq-threads", "ok", "as always on PREEMPT_RT")
def interrupts_on_a_real_time_kernel(_):
    pass


@case("irq-threads", "warning", "no threadirqs")
def interrupts_on_an_ordinary_kernel(root):
    root.kernel(PLAIN)


@case("irq-threads", "ok", "threadirqs is in /proc/cmdline")
def interrupts_with_threadirqs(root):
    root.kernel(PLAIN, "BOOT_IMAGE=/vmlinuz threadirqs quiet")


@case("irq-threads", "warning", "no threadirqs")
def threadirqs_as_a_part_of_a_word_or_for_init(root):
    root.kernel(PLAIN, "nothreadirqs quiet -- threadirqs")


@case("irq-threads", "warning", "without effect")
def threadirqs_on_a_kernel_that_ignores_it(root):
    root.kernel(PLAIN, "threadirqs")
    root.config("IRQ_FORCED_THREADING=n", "PREEMPT_RT=n")


@case("irq-threads", "unknown", "cannot read /proc/cmdline")
def no_command_line(root):
    root.kernel(PLAIN)
    root.remove("proc/cmdline")


@case("rt-throttling", "ok", "see fair-server")
def throttling_from_6_12_on(root):
    root.throttling(0)


@case("rt-throttling", "bad", "no time at all")
def throttling_of_zero(root):
    root.config("RT_GROUP_SCHED=y")
    root.throttling(0)


@case("rt-throttling", "info", "may use all")
def throttling_switched_off(root):
    root.config("RT_GROUP_SCHED=y")
    root.throttling(-1)


@case("rt-throttling", "ok", "950000 of each 1000000")
def throttling_as_it_comes(root):
    root.config("RT_GROUP_SCHED=y")


@case("rt-throttling", "warning", "10000 of each 1000000")
def throttling_that_leaves_little(root):
    root.config("RT_GROUP_SCHED=y")
    root.throttling(10000)


@case("rt-throttling", "ok", "950000 of each 1000000")
def throttling_before_6_12(root):
    root.write("proc/sys/kernel/osrelease", "6.1.0-40-rt-amd64")
    root.write("boot/config-6.1.0-40-rt-amd64", "# CONFIG_RT_GROUP_SCHED is not set")


@case("rt-throttling", "unknown", "sched_rt_runtime_us: No such file")
def no_throttling_file(root):
    root.remove("proc/sys/kernel/sched_rt_runtime_us")


@case("rt-throttling", "unknown", "Invalid argument")
def throttling_that_is_no_number(root):
    root.throttling("lots")


@case("fair-server", "info", "50000 of each 1000000")
def ordinary_threads_keep_a_share(_):
    pass


@case("fair-server", "info", "nothing is set aside")
def ordinary_threads_keep_nothing(root):
    root.write(f"{FAIR}/runtime", "0")


@case("fair-server", "unknown", "cannot read")
def no_debugfs(root):
    root.remove("sys/kernel/debug")


@case("rt-limit", "ok", "CAP_SYS_NICE")
def capability_without_a_limit(root):
    root.limits(priority=0)


@case("rt-limit", "bad", "no CAP_SYS_NICE, and RLIMIT_RTPRIO is 0")
def neither_capability_nor_limit(root):
    root.status(GRANTED & ~SYS_NICE)
    root.limits(priority=0)


@case("rt-limit", "bad", "RLIMIT_RTPRIO is 49, below priority 50")
def limit_below_the_priority(root):
    root.status(0)
    root.limits(priority=49)


@case("rt-limit", "ok", "RLIMIT_RTPRIO is 50")
def limit_that_is_just_enough(root):
    root.status(0)
    root.limits(priority=50)


@case("rt-limit", "ok", "unlimited")
def unlimited_priority(root):
    root.status(0)


@case("rt-limit", "bad", "outside its user namespace")
def capability_of_a_user_namespace(root):
    root.write("proc/self/uid_map", "         0       1000          1")
    root.limits(priority=0)


@case("rt-limit", "unknown", "/proc/self/status")
def no_status(root):
    root.remove("proc/self/status")


@case("rt-cgroup", "ok", "CONFIG_RT_GROUP_SCHED is off")
def kernel_without_budgets(root):
    root.write("proc/self/cgroup", "0::/user.slice")


def version_1(root, runtime):
    root.config("RT_GROUP_SCHED=y")
    root.write("proc/self/cgroup", "5:cpuset:/\n4:cpu,cpuacct:/user.slice\n0::/user.slice")
    root.write("sys/fs/cgroup/cpu,cpuacct/cpu.rt_runtime_us", "950000")
    root.write("sys/fs/cgroup/cpu,cpuacct/user.slice/cpu.rt_runtime_us", str(runtime))


@case("rt-cgroup", "bad", "/sys/fs/cgroup/cpu,cpuacct/user.slice/cpu.rt_runtime_us is 0")
def group_of_version_1_without_a_budget(root):
    version_1(root, 0)


@case("rt-cgroup", "ok", "is 100000")
def group_of_version_1_with_a_budget(root):
    version_1(root, 100000)


@case("rt-cgroup", "ok", "sched_rt_runtime_us is -1")
def budgets_switched_off_by_the_limit(root):
    version_1(root, 0)
    root.throttling(-1)


@case("rt-cgroup", "ok", "rt_group_sched=0")
def budgets_switched_off_at_boot(root):
    version_1(root, 0)
    root.write("proc/cmdline", "quiet rt_group_sched=0")


@case("rt-cgroup", "ok", "DEFAULT_DISABLED is on")
def budgets_off_unless_asked_for(root):
    version_1(root, 0)
    root.config("RT_GROUP_SCHED=y", "RT_GROUP_SCHED_DEFAULT_DISABLED=y")


@case("rt-cgroup", "bad", "is 0")
def budgets_asked_for(root):
    budgets_off_unless_asked_for(root)
    root.write("proc/cmdline", "quiet rt_group_sched=1")


@case("rt-cgroup", "unknown", "cannot read /sys/fs/cgroup/cpu,cpuacct/docker/x")
def group_of_version_1_that_is_not_mounted_here(root):
    version_1(root, 100000)
    root.write("proc/self/cgroup", "4:cpu,cpuacct:/docker/x")


def version_2(root, *folders):
    """The root has no cgroup.type. Each of @folders is (path, controllers)."""
    root.config("RT_GROUP_SCHED=y")
    root.write(f"{V2}/cgroup.controllers", "cpuset cpu io")
    for path, controllers in folders:
        root.write(f"{V2}/{path}/cgroup.controllers", controllers)
        root.write(f"{V2}/{path}/cgroup.type", "domain")
    root.write("proc/self/cgroup", f"0::/{folders[-1][0] if folders else ''}")


@case("rt-cgroup", "bad", "version 2 cannot have one, such as /sys/fs/cgroup/a")
def group_of_version_2_with_the_controller(root):
    version_2(root, ("a", "cpu io"), ("a/b", "io"))


@case("rt-cgroup", "ok", "is the root")
def group_of_version_2_without_the_controller(root):
    version_2(root, ("a", "cpuset io"))


@case("rt-cgroup", "ok", "is the root")
def root_of_version_2(root):
    version_2(root)


@case("rt-cgroup", "unknown", "nobody knows")
def group_of_version_2_and_no_configuration(root):
    version_2(root, ("a", "cpu"))
    root.remove(f"boot/config-{RELEASE}")


@case("memory-lock", "ok", "CAP_IPC_LOCK")
def lock_by_capability(root):
    root.limits(memory=65536)


@case("memory-lock", "warning", "RLIMIT_MEMLOCK is 64 KiB")
def lock_with_a_limit(root):
    root.status(GRANTED & ~IPC_LOCK)
    root.limits(memory=65536)


@case("swap", "info", "/dev/sda2")
def swap_with_the_right_to_lock(root):
    root.write("proc/swaps", SWAP)


@case("swap", "warning", "cannot be locked")
def swap_without_the_right_to_lock(root):
    lock_with_a_limit(root)
    root.write("proc/swaps", SWAP)


@case("swap", "unknown", "/proc/swaps")
def no_swaps_file(root):
    root.remove("proc/swaps")


@case("governor", "ok", "4 of 4 CPUs")
def governor_performance(_):
    pass


@case("governor", "warning", "3 of 4 CPUs have the governor performance; governors: "
      "performance powersave")
def governor_powersave_on_one_cpu(root):
    root.write(f"{CPU}/cpu2/cpufreq/scaling_governor", "powersave")


@case("governor", "info", "schedutil")
def governor_schedutil(root):
    root.governors(*["schedutil"] * 4)


@case("governor", "info", "no CPU has a scaling_governor")
def no_frequency_scaling(root):
    for number in range(4):
        root.remove(f"{CPU}/cpu{number}/cpufreq")


DEEP = [("POLL", 0, 0), ("C1", 2, 0), ("C6", 133, 0)]


@case("cpu-idle", "warning", "C6, takes 133 microseconds to leave; nobody holds")
def deep_idle_state(root):
    root.idle(DEEP)


@case("cpu-idle", "ok", "is held at 20")
def deep_idle_state_while_somebody_forbids_it(root):
    root.idle(DEEP, limit=20)


@case("cpu-idle", "ok", "C1, takes 2")
def deep_idle_state_that_is_disabled(root):
    root.idle([*DEEP[:2], ("C6", 133, 1)])


@case("cpu-idle", "warning", "cpu_dma_latency cannot be read: No such file")
def deep_idle_state_and_nobody_to_ask(root):
    root.idle(DEEP)
    root.remove("dev/cpu_dma_latency")


@case("cpu-idle", "info", "no idle states")
def no_idle_states(root):
    root.remove(f"{CPU}/cpu0/cpuidle")


@case("isolation", "info",
      "isolated: 3; nohz_full: 3; rcu_nocbs: 2-3; this process may run on: 0-3")
def isolated_cpus(root):
    root.write("proc/cmdline", "rcu_nocbs=2-3")


@case("isolation", "info", "isolated: none; nohz_full: none")
def no_isolated_cpus(root):
    root.write(f"{CPU}/isolated", "")
    root.config("NO_HZ_FULL=n")
    root.remove(f"{CPU}/nohz_full")


@case("isolation", "info", "isolated: not known")
def isolated_cpus_that_nobody_tells(root):
    root.remove(f"{CPU}/isolated")


@case("sched-fifo", "skipped", "not tried")
def nothing_is_tried(_):
    pass


def run(rqpi, root, *options):
    done = subprocess.run([rqpi, "doctor", "--root", root.top, *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def judge(rqpi, root, finding, state, words):
    """None, or what is not as it should be."""
    code, out, err = run(rqpi, root, "--json")
    found = [c for c in json.loads(out)["checks"] if c["id"] == finding]
    if len(found) != 1 or err:
        return f"{len(found)} findings {finding}; {err}"
    check = found[0]
    if check["state"] != state or words not in check["what"]:
        return f"{check}"
    if state in ("bad", "warning") and not (check["why"] and check["mend"]):
        return f"not said why, or what mends it: {check}"
    if code != EXITS.get(state, code):
        return f"exit status {code}"
    return None


def as_a_whole(rqpi, top):
    """Yield (name, right) of what is not one finding."""
    root = roots.make(top)
    code, out, _ = run(rqpi, root, "--strict", "-v")
    yield "a_fit_machine_is_fit_also_with_strict", code == 0 and "nothing bad in what" in out
    yield "with_v_each_check_says_why", out.count("why:") > 8
    governor_powersave_on_one_cpu(root)
    yield "a_warning_is_no_failure", run(rqpi, root)[0] == 0
    code, out, _ = run(rqpi, root, "--strict")
    yield "a_warning_is_one_with_strict", code == 1 and "warning: governor" in out
    neither_capability_nor_limit(root)
    code, out, _ = run(rqpi, root)
    yield "what_is_bad_is_named_at_the_end", code == 1 and "bad:     rt-limit" in out
    yield "with_the_command_that_mends_it", "sudo prlimit --pid $$ --rtprio=50" in out
    limit_below_the_priority(root)
    code, out, _ = run(rqpi, root, "--priority=40")
    yield "the_priority_that_is_needed_can_be_said", code == 0
    lines = run(rqpi, root, "-v")[1].splitlines()
    long = [line for line in lines if len(line) > 96 and "mend:" not in line and "or:" not in line]
    yield "lines_are_broken_but_for_commands", not long
    root = roots.Root(os.path.join(top, "empty"))
    os.mkdir(root.top)
    code, out, _ = run(rqpi, root, "--json")
    oks = [c["id"] for c in json.loads(out)["checks"] if c["state"] == "ok"]
    yield f"an_empty_machine_has_nothing_that_is_ok {oks}", code == 0 and not oks
    code, _, err = run(rqpi, roots.Root("/no/such/folder"))
    yield "a_root_that_is_not_there_is_named", code == 2 and "/no/such/folder" in err
    code, _, err = run(rqpi, root, "--priority=100")
    yield "a_priority_that_is_none_is_named", code == 2 and "100" in err
    code, _, err = run(rqpi, root, "ls")
    yield "a_root_and_a_program_exclude_each_other", code == 2 and "ls" in err
    code, out, _ = run(rqpi, root, "--help")
    yield "help_names_the_options", code == 0 and "--no-experiments" in out and "[CMD]" in out
    code, _, err = run(rqpi, root, "--wobble")
    yield "an_unknown_option_is_named", code == 2 and "--wobble" in err


def main(rqpi):
    number = failed = 0

    def report(name, trouble):
        nonlocal number, failed
        number += 1
        failed += bool(trouble)
        print(f"{'not ok' if trouble else 'ok'} {number} - {name}")
        if trouble:
            print(f"# {trouble}")

    with tempfile.TemporaryDirectory() as top:
        for name, change, finding, state, words in CASES:
            root = roots.make(os.path.join(top, "root"))
            change(root)
            report(f"{finding} is {state}: {name}", judge(rqpi, root, finding, state, words))
        for name, right in as_a_whole(rqpi, os.path.join(top, "root")):
            report(name, None if right else "no")
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
