# SPDX-License-Identifier: MIT
"""How a vector is written down: a small language that fills in what stays as it was.

Used by the other files of this folder and by ../generate.py. A step says what it changes: the
results it leads to, the words and the effective priorities that become others. Everything else
that is to be seen after it, such as who still sleeps, is carried over from the step before, and
written into the vector in full, so that a vector can be replayed without this.

Expected values are written by hand, from the rules; nothing here asks an implementation.
"""

import json

VECTORS = {}  # file: list of Vector, in order

TIMED = ("wait", "wait_bitset", "lock_pi", "lock_pi2", "wait_requeue_pi")
SECOND = ("requeue", "cmp_requeue", "wake_op", "cmp_requeue_pi")
COMPARED = ("cmp_requeue", "cmp_requeue_pi")
ALL_BITS = 0xFFFFFFFF

# Rules 14.1 and 14.2: versions of Linux, from and to, that are known to do the one or the other.
FOREIGN_REFUSED, FOREIGN_TAKEN = [["6.18"]], [["6.1", "6.1"], ["6.12", "6.12"]]
PENDING_ASLEEP = [["6.1", "6.1.182"], ["6.12", "6.12.103"], ["6.18", "6.18.44"]]
PENDING_WOKEN = [["6.1.183", "6.1"], ["6.12.104", "6.12"]]


def value(text):
    """7, "A", "A|W|OD", "0|OD", "nobody|W" as the format has them."""
    if not isinstance(text, str):
        return text
    tid, *flags = text.split("|")
    result = {"tid": 0 if tid == "0" else tid}
    for flag in flags:
        assert flag in ("W", "OD"), text
        result[flag] = True
    return result


class Vector:
    """One vector. @rules is a text of rule numbers with blanks between."""

    def __init__(self, place, name, rules, title, unsafe=False, repeat=None, kernels=None):
        self.head = {"name": name, "title": title, "rules": rules.split()}
        if unsafe:
            self.head["unsafe"] = True
        if repeat:
            self.head["repeat"] = repeat
        if kernels:
            self.head["kernels"] = kernels
        self.pages, self.words, self.tasks, self.steps = {}, {}, {}, []
        self.now = {}        # word: what it holds
        self.eff = {}        # task: effective priority, in the words of the format
        self.blocked, self.ready, self.gone = set(), set(), set()
        self.hidden = set()  # words that are not looked at by default
        names = [vector.head["name"] for vector in VECTORS.setdefault(place, [])]
        assert name not in names, name
        VECTORS[place].append(self)

    # Declarations

    def task(self, names, fifo=None, rr=None, nice=None, policy=None, process=0, cpu=None,
             count=None, deadline_ms=None):
        for name in names.split():
            task = {}
            if fifo is not None or rr is not None:
                task = {"policy": "fifo" if rr is None else "rr",
                        "priority": fifo if rr is None else rr}
            elif policy:
                task["policy"] = policy
            if nice is not None:
                task["nice"] = nice
            if deadline_ms:
                task["deadline_ms"] = deadline_ms
            if process:
                task["process"] = process
            if cpu:
                task["cpu"] = cpu
            if count:
                task["count"] = count
            self.tasks[name] = task
            if not count:
                self.eff[name] = self.own(task)
        return self

    @staticmethod
    def own(task):
        if task.get("policy") == "deadline":
            return "deadline"
        return task["priority"] if "priority" in task else f"nice {task.get('nice', 0)}"

    def page(self, name, memory=None, access=None, same_as=None, list_access=None):
        self.pages[name] = {key: item for key, item in (
            ("memory", memory), ("access", access), ("list_access", list_access),
            ("same_as", same_as)) if item}
        return self

    def word(self, names, init=0, page=None, offset=None, count=None, hidden=False):
        for name in names.split():
            word = {"init": value(init)}
            if page:
                word["page"] = page
            if offset is not None:
                word["offset"] = offset
            if count:
                word["count"] = count
            self.words[name] = word
            if hidden or count:
                self.hidden.add(name)
            else:
                self.now[name] = init
        return self

    # Steps

    def add(self, step, returned=None, prio=None, ready=None, handled=None, check=True, words=None,
            blocks=None, asleep=None):
        """@returned: {task: result}; @words: {word: value}; @prio: {task: priority}.

        @ready: tasks that are woken and cannot run; @asleep: ready ones that sleep again.
        """
        returned = returned or {}
        for task in returned:
            self.blocked.discard(task)
            self.ready.discard(task)
        if blocks:
            self.blocked.add(blocks)
        for task in (ready or "").split():
            self.blocked.discard(task)
            self.ready.add(task)
        for task in (asleep or "").split():
            self.ready.discard(task)
            self.blocked.add(task)
        self.now.update(words or {})
        self.eff.update(prio or {})
        if check:
            step["expect"] = self.expectation(returned, handled)
        self.steps.append(step)
        return self

    def expectation(self, returned, handled=None):
        order = list(self.tasks)
        expect = {"returned": returned,
                  "blocked": sorted(self.blocked, key=order.index)}
        if self.ready:
            expect["ready"] = sorted(self.ready, key=order.index)
        expect["words"] = {name: value(now) for name, now in self.now.items()
                           if name not in self.hidden}
        expect["priorities"] = {name: eff for name, eff in self.eff.items()
                                if name not in self.gone}
        if handled:
            expect["handled"] = handled
        return expect

    def call(self, task, op, uaddr, ret=None, uaddr2=None, val=None, val2=None, val3=None,
             timeout=None, shared=False, realtime=False, also=None, prio=None, ready=None,
             handled=None, check=True, with_next=False, **words):
        """@task does @op; @ret is its result, None if it sleeps; @also what others return then."""
        step = {"task": task, "call": op}
        flags = ([] if shared or isinstance(op, int) else ["private"])
        flags += ["realtime"] if realtime else []
        if flags:
            step["flags"] = flags
        step["uaddr"] = uaddr
        if val is None and op in ("wake", "wake_bitset", "wake_op", "cmp_requeue_pi"):
            val = 1
        if val is None and op in ("wait", "wait_bitset", "wait_requeue_pi"):
            val = self.now.get(uaddr, 0)
        if val3 is None and op in COMPARED:
            val3 = self.now.get(uaddr, 0)
        if val3 is None and op in ("wait_bitset", "wake_bitset"):
            val3 = ALL_BITS
        if val:
            step["val"] = value(val)
        if timeout is not None:
            step["timeout"] = timeout
        if val2 is not None:
            step["val2"] = val2
        elif op in SECOND:
            step["val2"] = 0
        if uaddr2:
            step["uaddr2"] = uaddr2
        if val3:
            step["val3"] = value(val3)
        returned = dict(also or {})
        if ret is not None:
            returned[task] = ret
        if with_next:
            step["with_next"] = True
            check = False
        return self.add(step, returned, prio, ready, handled, check, words,
                        task if ret is None else None)

    def event(self, event, task=None, also=None, prio=None, ready=None, handled=None, check=True,
              words=None, asleep=None, **details):
        step = {"event": event}
        if task:
            step["task"] = task
        step.update(details)
        return self.add(step, also, prio, ready, handled, check, words, asleep=asleep)

    def store(self, task, word, new, prio=None, **words):
        return self.event("store", task, word=word, value=value(new), prio=prio,
                          words={word: new, **words})

    def cas(self, task, word, old, new):
        ret = 1 if self.now[word] == old else 0
        return self.event("cas", task, word=word, old=value(old), value=value(new),
                          also={task: ret}, words={word: new} if ret else {})

    def signal(self, task, handler="interrupts", runs=1, also=None, **more):
        """@runs: how often the handler has run when all is quiet again."""
        words = {key: more.pop(key) for key in list(more) if key in self.now}
        if handler == "ignored":
            runs = 0
        return self.event("signal", task, handler=handler, also=also, handled={task: runs},
                          words=words, **more)

    def expire(self, task, ret=None, also=None, prio=None, ready=None, **words):
        returned = dict(also or {})
        if ret is not None:
            returned[task] = ret
        return self.event("expire", task, also=returned, prio=prio, ready=ready, words=words)

    def leave(self, event, task, also=None, prio=None, ready=None, **words):
        process = self.tasks[task].get("process", 0)
        for name, other in self.tasks.items():
            if name == task or (event != "exit" and other.get("process", 0) == process):
                self.gone.add(name)
                self.blocked.discard(name)
        return self.event(event, task, also=also, prio=prio, ready=ready, words=words)

    def exit(self, task, also=None, prio=None, ready=None, **words):
        return self.leave("exit", task, also, prio, ready, **words)

    def sched(self, task, fifo=None, rr=None, nice=None, policy=None, eff=None, also=None,
              prio=None, ready=None, **words):
        """@eff: the effective priority of @task then, if a boost makes it another."""
        details = {}
        if fifo is not None or rr is not None:
            details = {"policy": "fifo" if rr is None else "rr",
                       "priority": fifo if rr is None else rr}
        if policy:
            details["policy"] = policy
        if nice is not None:
            details["nice"] = nice
        prio = {task: eff if eff is not None else self.own(details), **(prio or {})}
        return self.event("set_scheduler", task, also=also, prio=prio, ready=ready, words=words,
                          **details)

    def robust(self, task, *entries, pending=None):
        """An entry is the name of a word; with a ! at its end it is one of a PI lock."""
        def entry(name):
            return {"word": name[:-1], "pi": True} if name.endswith("!") else name
        details = {"entries": [entry(name) for name in entries]}
        if pending:
            details["pending"] = entry(pending)
        return self.event("robust_list", task, **details)

    def hog(self, on, also=None, prio=None, handled=None, asleep=None, **words):
        return self.event("hog", on=on, also=also, prio=prio, handled=handled, asleep=asleep,
                          words=words)

    def protect(self, task, page, access):
        return self.event("protect", task, page=page, access=access)

    def either(self, *alternatives):
        """The last step may also end as one of these: (returned, words, blocked[, prio])."""
        first = self.steps[-1]["expect"]
        others = []
        for returned, words, blocked, *prio in alternatives:
            other = dict(first)
            if prio:
                other["priorities"] = {**first["priorities"], **prio[0]}
            other["returned"] = returned
            other["blocked"] = blocked
            other["words"] = {**first["words"],
                              **{name: value(now) for name, now in words.items()}}
            others.append(other)
        self.steps[-1]["expect"] = [first, *others]
        return self

    # Writing

    def text(self):
        def line(item):
            return json.dumps(item, ensure_ascii=False)

        parts = [f'      {line(key)}: {line(item)}' for key, item in self.head.items()]
        for key in ("pages", "words", "tasks"):
            table = getattr(self, key)
            if table:
                rows = ",\n".join(f"        {line(name)}: {line(item)}"
                                  for name, item in table.items())
                parts.append(f'      "{key}": {{\n{rows}\n      }}')
        steps = []
        for step in self.steps:
            step = dict(step)
            expect = step.pop("expect", None)
            text = line(step)[:-1]
            if isinstance(expect, list):
                text += ',\n         "expect": [\n          ' + ",\n          ".join(
                    line(item) for item in expect) + "]"
            elif expect:
                text += ',\n         "expect": ' + line(expect)
            steps.append("        " + text + "}")
        parts.append('      "steps": [\n' + ",\n".join(steps) + "\n      ]")
        return "    {\n" + ",\n".join(parts) + "\n    }"


def place(name):
    """A function that makes vectors of the file @name."""
    def make(vector, rules, title, **options):
        return Vector(name, vector, rules, title, **options)
    return make


def us(kind, amount=20000):
    """A deadline that is to come; a negative amount is one that has passed."""
    return {f"{kind}_us": amount}
