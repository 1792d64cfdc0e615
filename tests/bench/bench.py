#!/usr/bin/env python3
"""The bench: hostler against small C programs that do the least that the same work takes, in turns on one machine.

bench.py HOSTLER BUILT [--rounds N] [--only WORD] [--docs FILE]
BUILT holds what scripts/bench has compiled from this folder.
"""

import argparse
import datetime
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Optional

import fleets
import jobs
import scale
from fleets import HostlerFleet, LimitFleet


@dataclass
class Figure:
    name: str
    value: float
    unit: str
    limit: Optional[float]  # of the C program; None: the target is absolute
    target: float  # times the limit, or in `unit`
    at_least: bool = False

    def ratio(self):
        return self.value / self.limit if self.limit else None

    def met(self):
        measured = self.value if self.limit is None else self.ratio()
        return measured >= self.target if self.at_least else measured <= self.target

    def cells(self):
        def number(value):
            return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"

        sign = "≥" if self.at_least else "≤"
        return [
            self.name,
            f"{number(self.value)} {self.unit}".strip(),
            "" if self.limit is None else f"{number(self.limit)} {self.unit}",
            "" if self.limit is None else f"{self.ratio():.2f} ×",
            f"{sign} {self.target:,.2f} ×" if self.limit is not None else f"{sign} {self.target:,.0f} {self.unit}".strip(),
            "yes" if self.met() else "no",
        ]


class Bench:
    def __init__(self, arguments):
        self.hostler = os.path.abspath(arguments.hostler)
        self.built = os.path.abspath(arguments.built)
        self.rounds = arguments.rounds
        self.only = arguments.only
        self.figures = []
        self.root = tempfile.mkdtemp(prefix="hostler-bench-")

    def folder(self):
        return tempfile.mkdtemp(dir=self.root)

    def wants(self, word):
        return not self.only or any(word.startswith(only) for only in self.only)

    def add(self, *figure, **more):
        self.figures.append(Figure(*figure, **more))
        cells = self.figures[-1].cells()
        print(f"{cells[0]:<58} {cells[1]:>16} {cells[2]:>12} {cells[3]:>8}  {cells[4]:<14} {cells[5]}", flush=True)

    def fleet(self, kind, entries, count=1, more=""):
        if kind is LimitFleet:
            return LimitFleet(self.built, self.folder(), entries, count)
        return HostlerFleet(self.built, self.folder(), entries, count, self.hostler, more)

    def in_turns(self, measure):
        """Medians of each figure that measure(kind) tells, by the kind of fleet."""
        seen = {LimitFleet: {}, HostlerFleet: {}}
        for turn in range(self.rounds):
            for kind in (LimitFleet, HostlerFleet) if turn % 2 == 0 else (HostlerFleet, LimitFleet):
                for name, value in measure(kind).items():
                    seen[kind].setdefault(name, []).append(value)
        limit, hostler = ({n: statistics.median(v) for n, v in seen[kind].items()} for kind in (LimitFleet, HostlerFleet))
        return limit, hostler

    def life(self, workers):
        """Start, deaths and stop of one entry."""
        samples = 40

        def measure(kind):
            fleet = self.fleet(kind, 1, workers)
            if kind is HostlerFleet:  # the state folder is there, as it is at all starts but the first
                fleet.start()
                fleet.stop()
                fleet.board = fleets.Board(fleet.board.path)
            seen = {"start": fleets.start(fleet, workers)}
            time.sleep(0.3)
            singles = [fleets.kill_one(fleet, i * workers // samples) for i in range(samples)]
            seen["one"] = statistics.median(singles)
            if workers >= 1000:
                seen["all"] = fleets.kill_all(fleet, workers)
                time.sleep(0.3)
            if kind is HostlerFleet:
                seen["memory"] = fleet.pss_mib()
                if workers == fleets.MOST_WORKERS:
                    seen["status"] = statistics.median(jobs.status_time(self.hostler, fleet.config, False) for _ in range(5))
                    seen["json"] = statistics.median(jobs.status_time(self.hostler, fleet.config, True) for _ in range(5))
            seen["stop"] = fleets.stop(fleet)
            return seen

        limit, hostler = self.in_turns(measure)
        if workers >= 1000:
            self.add(f"start of {workers} workers, to run()", hostler["start"], "ms", limit["start"], 1.2)
        if workers != 1000:
            self.add(f"restart after SIGKILL, one of {workers}", hostler["one"], "ms", limit["one"], 1.3)
        if workers >= 1000:
            self.add(f"all {workers} killed at once, until all are back", hostler["all"], "ms", limit["all"], 1.2)
            self.add(f"stop of {workers}, until all are reaped", hostler["stop"], "ms", limit["stop"], 1.1)
            most = 4 if workers == 1000 else 10
            self.add(f"memory of host and template at {workers} (PSS)", hostler["memory"], "MiB", None, most)
        if "status" in hostler:
            self.add(f"status with {workers} workers", hostler["status"], "ms", None, 50)
            self.add(f"status --json with {workers} workers", hostler["json"], "ms", None, 50)

    def reload(self):
        def measure(kind):
            fleet = self.fleet(kind, 1000)
            fleets.start(fleet, 1000)
            time.sleep(0.3)
            taken = fleets.reload(fleet, 10)
            fleets.stop(fleet)
            return {"reload": taken}

        limit, hostler = self.in_turns(measure)
        self.add("reload that changes 10 of 1000 entries", hostler["reload"], "ms", limit["reload"], 2)

    def idle(self):
        fleet = self.fleet(HostlerFleet, 1, 1000)
        fleets.start(fleet, 1000)
        time.sleep(2)
        before = fleet.switches()
        time.sleep(10)
        switches = fleet.switches() - before
        fleets.stop(fleet)
        self.add("context switches of host and template, 1000 idle, 10 s", switches, "", None, 0)

    def neighbour(self):
        """The restart of one of 100, beside an entry that crashes as fast as it is started."""
        loop = "  - plugin: crash.so\n    restart: {delay: 0s, max_delay: 0s, limit: 1000000000, within: 1s}\n"
        seen = {"": [], loop: []}
        for _ in range(self.rounds):
            for more, taken in seen.items():
                fleet = self.fleet(HostlerFleet, 1, 100, more)
                fleets.start(fleet, 100)
                time.sleep(0.3)
                taken += [fleets.kill_one(fleet, i) for i in range(40)]
                fleets.stop(fleet)
        alone, beside = statistics.median(seen[""]), statistics.median(seen[loop])
        self.add("restart of one of 100 beside a crash loop; limit: without", beside, "ms", alone, 1.2)

    def sums(self):
        text = os.path.join(self.root, "text")
        subprocess.run([f"{self.built}/make_text", text, str(1 << 30)], check=True)
        hand, work, whole = [], [], []
        jobs.sum_by_hand(self.built, text)
        for _ in range(max(self.rounds, 5)):
            hand.append(jobs.sum_by_hand(self.built, text)[0])
            one, all_of_it = jobs.sum_by_hostler(self.hostler, self.built, self.folder(), text)
            work.append(one)
            whole.append(all_of_it)
        os.unlink(text)
        limit = statistics.median(hand)
        self.add("sum of a field of 1 GiB of text, 2 workers, GO to return", statistics.median(work), "ms", limit, 1.05)
        self.add("the same, the whole `hostler run`", statistics.median(whole), "ms", limit, 1.25)

    def slices(self):
        def rate(slices, leaves):
            return statistics.median(
                jobs.slices_a_second(self.hostler, self.built, self.folder(), slices, leaves) for _ in range(self.rounds)
            )

        self.add("slices that do nothing, 2 workers", rate(10_000_000, False), "/s", None, 1_000_000, at_least=True)
        self.add("slices with a result and a counter", rate(500_000, True), "/s", None, 100_000, at_least=True)

    def claims(self):
        one = statistics.median(jobs.claim_time(self.hostler, self.built, self.folder()) for _ in range(self.rounds))
        self.add("claim, one call each", one, "ns", None, 2)
        alone, shared = (
            statistics.median(jobs.one_slice(self.hostler, self.built, self.folder(), n) for _ in range(min(self.rounds, 3)))
            for n in (1, 2)
        )
        self.add("one long slice on two workers; limit: on one", shared, "ms", alone, 0.55)

    def scale(self):
        kinds = [(10_000_000, "", "that do nothing"), (2_000_000, "counter", "with a counter"), (2_000_000, "trouble", "some of which fail")]
        for count, leaves, words in kinds:
            fleet = scale.slices(self.hostler, self.built, self.folder(), count, leaves)
            name = f"{count // 1_000_000} million slices {words}"
            self.add(f"{name}: the host's memory (PSS)", fleet.memory, "MiB", None, 48)
            self.add(f"{name}: the ledger", fleet.ledger, "MB", None, 100)
            self.add(f"{name}: the slowest status meanwhile", fleet.slowest, "ms", None, 50)
        first = [scale.first_of_many(self.hostler, self.built, self.folder()) for _ in range(min(self.rounds, 3))]
        self.add("a job of 10⁹ slices, until the first is done", statistics.median(first), "ms", None, 1000)
        check, look, host, ledger, slowest = scale.files(self.hostler, self.built, self.folder())
        self.add("a million files: check", check, "s", None, 10)
        self.add("a million files: memory of check, each", look, "B", None, 250)
        self.add("a million files: memory of the host, each", host, "B", None, 450)
        self.add("a million files: the ledger, each", ledger, "B", None, 100)
        self.add("a million files: the slowest status meanwhile", slowest, "ms", None, 50)

    def check(self):
        taken = [jobs.check_time(self.hostler, self.built, self.folder(), 5000) for _ in range(self.rounds)]
        self.add("check of a file with 5000 entries", statistics.median(taken), "ms", None, 200)

    def run(self):
        parts = [
            ("life100", lambda: self.life(100)),
            ("life1000", lambda: self.life(1000)),
            ("life5000", lambda: self.life(5000)),
            ("reload", self.reload),
            ("idle", self.idle),
            ("neighbour", self.neighbour),
            ("sums", self.sums),
            ("slices", self.slices),
            ("claims", self.claims),
            ("scale", self.scale),
            ("check", self.check),
        ]
        try:
            for word, part in parts:
                if self.wants(word):
                    part()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())


HOW_TO_READ = """# Benchmarks

What `scripts/bench` measured last; it writes this page. Run it yourself: it takes some ten minutes.

{facts}

| figure | hostler | limit | ratio | target | met |
|---|--:|--:|--:|--:|---|
{rows}

## How to read it

The *limit* is a small C program (`tests/bench`) that does the least the same work takes. Limit and hostler run in turns and
the medians are compared, so a ratio holds where absolute times do not; on a machine that is busy with something else no
figure means much.

- **Workers.** The limit is a loop of `fork`, `dlopen` of a C plugin and `run()`, with no state machine, no log and no error
  handling. hostler runs its shipped C++ plugin `tick`, as shipped: ledger, logs, pages and all. Both plugins report the
  same way, as their first act: a time stamp in a shared file. A start is counted from the moment the command is executed
  (so hostler's reads its file, checks the plugin and becomes a daemon within it) to the last report; the state folder is
  there already.
- **Deaths** are by SIGKILL from outside, counted to the new worker's report. *One of* is the median of 40. The delay of a
  restart is set to 0.
- **Stop** is a SIGTERM until the host, or the limit, is gone with all its workers reaped. The limit's workers too are asked,
  wake up, and return from `run()`.
- **Reload**: a file of 1000 entries of one worker, ten of which got another parameter, from SIGHUP to the report of the last
  of the new ten. The limit reads a list of 1000 lines, compares, and replaces the ten.
- **Memory** is the proportional set size of host and template together. **Idle** counts every context switch of every
  thread of both.
- **The sum** adds up a field of 1 GiB of text in the page cache. The limit maps the file and has two threads. *GO to return*
  is from the loading of the plugin, right after GO, to the last return from `run()`.
- **Slices** are counted over the whole of `hostler run`, ledger on disk included.
- **Very many.** The host is asked for its status all the time while it works off a job; its memory is the proportional
  set size of the host alone (for a million files the peak of its resident one). The files are empty and lie on a tmpfs.
- **A claim** is counted in a loop that does nothing else. **One long slice**: the whole of `hostler run`, of a job that is
  one slice of some ten seconds; the second worker takes half of what is left as soon as it is there.
- **The neighbour**: how long a restart takes while another entry crashes as fast as it is started; its limit is the same
  without that entry.

## Why some fall short

Where a worker's CPU time goes, in microseconds, from the fork to its report; 1000 workers, medians of runs in turns on a quiet
machine, by `schedstat` of each thread and by samples of `perf`:

| | hostler | limit |
|---|--:|--:|
| the fork, in the template or the limit's loop | 86 | 58 |
| page faults of the worker: 75 against 46 | 144 | 87 |
| its system calls, waiting for GO and its context switches included | 90 | 59 |
| in user space: `ld.so`, messages, the plugin | 43 | 22 |
| the host's main thread | 48 | |
| the log thread: one line of each worker | 12 | |
| together | 423 | 226 |

Its end costs the worker 126 µs, the limit's 72: the kernel takes down what was mapped.

- **Faults.** A fork does not copy the page tables of mapped files, so each worker faults in anew what it touches of libc,
  ld.so, libstdc++ and the program, 64 KiB at a time, and gives sixteen pages back at its end for each. 42 of the 75 are of that
  kind: 17 of libstdc++, most of them to bind the 46 symbols that a small C++ plugin takes from it. The limit has none of those.
  To have the page tables copied (by writing one byte of every mapping in the template) saves the worker 80 µs and costs
  the fork 86. The other 33 are copies of pages that the template has written, and the plugin's own.
- **System calls.** What the limit does not do, each once: a process group, the parent-death signal, the page, a title,
  two descriptors for output, the wait for GO, the stop signal, the folder, the umask, two messages to the host, an eventfd, a
  line for the log.
- **The host** makes two pairs of descriptors, a page, a pidfd and three registrations with epoll for every worker, and reads
  two messages of it; at its end it kills the group, reads what is left in the channel, reaps, reads the page and closes.
- **Stop and deaths** are these same costs: the worker's end, the host's part, and for a death a start.
- **A claim** is a call from the plugin into the program. One that does nothing at all takes 2.6 of the 3.2 ns that a claim took
  in the same minute; to a library that is mapped near the plugin it takes 1.6, as branches over more than 4 GiB cost more.
- **Memory.** Each worker is some 1.5 KiB: its slot, its record in the fleet, its source in the log files, three registrations, and
  its places in the tables that find them. The text of program and libraries is given back by the template once it is
  ready, and by the host after the start and after every wave of births; what serving needs of it comes again.
- **Reload.** The file is cut at its entries, and only those whose text has changed are read. What is left goes into copying and
  comparing a thousand entries, and into replacing the ten.
- **Slices that leave something** cost a message, a row of the table `result`, and a share of a transaction: what ends while
  one is on its way is written together by the next.
"""


def facts(hostler):
    version = subprocess.run([hostler, "--version"], capture_output=True, text=True).stdout.strip()
    built = datetime.date.fromtimestamp(os.path.getmtime(hostler))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    return (
        f"{version}, release build of {built}. {processor()}, {os.cpu_count()} processors, {memory:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}."
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hostler")
    parser.add_argument("built")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append")
    parser.add_argument("--docs")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    bench.run()
    if arguments.docs and not arguments.only:
        rows = "\n".join("| " + " | ".join(figure.cells()) + " |" for figure in bench.figures)
        with open(arguments.docs, "w") as file:
            file.write(HOW_TO_READ.format(facts=facts(bench.hostler), rows=rows))
    return 0 if all(figure.met() for figure in bench.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
