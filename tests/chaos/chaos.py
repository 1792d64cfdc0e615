#!/usr/bin/env python3
"""kill -9 of the host, the template and workers, at random moments, alone and together: after every round, once a host
is up again, there is no zombie, no orphan and no second owner of anything, and all workers are back; every job in the
end has left to the byte what an undisturbed one leaves.

chaos.py HOSTLER WITNESS.SO (--seconds N | --rounds N) [--seed N] [--job SECONDS]
What is killed when follows from the seed and the number of the round. Exit code 1: something was found.
"""

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from below import kill
from host import JOBS, Found, Host, end_on_signals

# What dies together; a number is a worker, by its place among those that there are.
SOME, ALL = "some workers", "all workers"
VICTIMS = [
    (["host"], 4),
    (["template"], 3),
    ([SOME], 3),
    ([ALL], 1),
    (["host", "template"], 1),
    (["host", SOME], 2),
    (["template", SOME], 2),
    (["host", "template", ALL], 1),
]


@dataclass
class Strike:
    delay: float  # seconds
    victims: list
    places: list = field(default_factory=list)  # of the workers, in [0, 1)

    def __str__(self):
        places = f" at {', '.join(f'{place:.2f}' for place in self.places)}" if SOME in self.victims else ""
        return f"{self.delay * 1000:.1f} ms {' and '.join(self.victims)}{places}"


def plan_of(seed, number):
    """The strikes of a round. Those after the first also meet a host that is about to start."""
    dice = random.Random(f"{seed} {number}")
    plan = []
    for _ in range(dice.choice([1, 1, 1, 2, 2, 3])):
        delay = dice.choice([0.0, dice.uniform(0, 0.02), dice.uniform(0, 0.06), dice.uniform(0, 0.2)])
        victims = dice.choices([what for what, _ in VICTIMS], [weight for _, weight in VICTIMS])[0]
        plan.append(Strike(delay, victims, [dice.random() for _ in range(dice.randint(1, 3))]))
    return plan


class Chaos:
    def __init__(self, host, seed):
        self.host = host
        self.seed = seed
        self.kills = Counter()
        self.jobs = 0
        self.slowest = 0.0
        self.plan = []

    def strike(self, strike):
        processes = self.host.below.processes()
        workers = self.host.workers_among(processes)
        pids = {}
        for victim in strike.victims:
            if victim == "host":
                pids[self.host.host_among(processes)] = victim
            elif victim == "template":
                pids[self.host.template_among(processes)] = victim
            elif victim == ALL:
                pids.update({pid: "worker" for pid in workers})
            elif workers:
                pids.update({workers[int(place * len(workers))]: "worker" for place in strike.places})
        for pid, what in pids.items():
            if pid is not None and kill(pid):
                self.kills[what] += 1
        if "host" in pids.values():
            self.wait_until_gone(next(pid for pid, what in pids.items() if what == "host"))

    def wait_until_gone(self, host):
        """Its locks are free then; and the command that waited for it has ended."""
        while host in self.host.below.processes():
            time.sleep(0.001)
        self.host.below.exits.pop(host, None)
        if self.host.command is not None:
            self.host.below.wait(self.host.command, 10)
            self.host.command = None

    def round(self, number):
        self.plan = plan_of(self.seed, number)
        for strike in self.plan:
            if self.host.command is None and self.host.host_among(self.host.below.processes()) is None:
                self.host.begin_up()
            time.sleep(strike.delay)
            self.strike(strike)
        start = time.monotonic()
        self.host.settle()
        self.slowest = max(self.slowest, time.monotonic() - start)
        status = self.host.status()
        for job in JOBS:
            if self.host.entry(status, job)["state"] == "succeeded":
                self.host.check_job(job)
                self.jobs += 1
                self.host.must("start", job, "--fresh", job)

    def figures(self, rounds, seconds):
        kills = ", ".join(f"{number} of a {what}" for what, number in sorted(self.kills.items()))
        return (
            f"{rounds} rounds in {seconds:.0f} s: {sum(self.kills.values())} kills ({kills}), {self.jobs} jobs, {self.host.parts} parts; "
            f"at most {self.slowest:.2f} s until all was well again"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hostler")
    parser.add_argument("plugin")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--seconds", type=float)
    length.add_argument("--rounds", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--job", type=float, default=1.5, help="seconds that an undisturbed job takes, at least")
    arguments = parser.parse_args()
    end_on_signals()
    print(f"seed {arguments.seed}", flush=True)

    host = Host(arguments.hostler, arguments.plugin)
    chaos = Chaos(host, arguments.seed)
    number = 0
    try:
        took = host.undisturbed(arguments.job)
        print(f"undisturbed: {took:.2f} s", flush=True)
        start = time.monotonic()
        host.settle()
        while number < arguments.rounds if arguments.rounds else time.monotonic() - start < arguments.seconds:
            number += 1
            chaos.round(number)
            if number % 100 == 0:
                print(chaos.figures(number, time.monotonic() - start), flush=True)
        chaos.plan = []
        host.finish_jobs()
        chaos.jobs += len(JOBS)
        host.down()
        print(chaos.figures(number, time.monotonic() - start))
        return 0
    except (Found, TimeoutError) as found:
        print(f"{host.last_words()}\n", file=sys.stderr)
        print(f"seed {arguments.seed}, round {number}: {found}", file=sys.stderr)
        for strike in chaos.plan:
            print(f"  after {strike}", file=sys.stderr)
        return 1
    finally:
        host.clean_up()


if __name__ == "__main__":
    sys.exit(main())
