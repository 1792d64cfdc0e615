#!/usr/bin/env python3
"""Every step of a job between lease and done, one after the other: kills the worker there, kills the host there, and lets
the system call fail there. Whatever it was, the job goes on to its end, by itself or with the next host, and has left to the
byte what an undisturbed one leaves; every position is in exactly one state; nothing is left of attempts, and nobody.

steps.py HOSTLER STEPS.SO FAULTS.SO [--only TEXT] [--list]
Exit code 1: something was found.
"""

import argparse
import errno
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "chaos"))
from below import Below, kill  # noqa: E402
from rule import A_WORKER, FAIL, STOP_AFTER, STOP_BEFORE, THE_HOST, Rule  # noqa: E402

PATIENCE = 60  # seconds until whatever has not ended never will
PAUSE = 0.002
NUMBERS, SLICE = 40, 10
JOB = "steps"
STATE, OUTPUT = "disk/state", "disk/out/of/steps"
CLEAN = dict(os.environ)


class Found(Exception):
    """Something that must not be; the text says what."""


@dataclass
class Step:
    """A call of somebody's: the first one that is about this place once the job's folder is there, or the one after so many."""

    name: str
    who: int
    call: str
    place: str
    skip: int = 0
    errors: tuple = ()
    checkpoint: int = 0  # of a job with one after so many numbers


E = errno
STEPS = [
    Step("the job is written to the ledger", THE_HOST, "pwrite", "ledger.sqlite-wal", 0, (E.EIO, E.ENOSPC)),
    Step("the job is made durable", THE_HOST, "fsync", "ledger.sqlite-wal", 0, (E.EIO, E.ENOSPC)),
    Step("a lease is made durable", THE_HOST, "fsync", "ledger.sqlite-wal", 1, (E.EIO, E.ENOSPC)),
    Step("a worker is told to start", THE_HOST, "send", "socket:", 0, (E.EINTR, E.ENOBUFS)),
    Step("a lease is sent", THE_HOST, "send", "socket:", 2, (E.EINTR, E.ENOBUFS)),
    Step("a slice is begun", A_WORKER, "stat", "/step/begun/"),
    Step("the attempt's folder is made", A_WORKER, "mkdir", ".attempts/", 0, (E.ENOSPC, E.EIO)),
    Step("the output is opened", A_WORKER, "open", "/numbers", 0, (E.EMFILE, E.ENOSPC)),
    Step("the first number is claimed", A_WORKER, "stat", "/step/claimed/0"),
    Step("the output is written", A_WORKER, "write", "/numbers", 3, (E.ENOSPC, E.EIO)),
    Step("a number is written", A_WORKER, "stat", "/step/written/5"),
    Step("all is counted", A_WORKER, "stat", "/step/counted/"),
    Step("the output is made durable", A_WORKER, "fsync", "/numbers", 0, (E.EIO, E.ENOSPC)),
    Step("the attempts' folder is made durable", A_WORKER, "fsync", ".attempts", 1, (E.EIO, E.ENOSPC)),
    Step("the verdict is told", A_WORKER, "send", "socket:", 1, (E.EINTR,)),
    Step("a verdict is read", THE_HOST, "recv", "socket:", 6, (E.EINTR,)),
    Step("a slice is made durable", THE_HOST, "fsync", "ledger.sqlite-wal", 2, (E.EIO, E.ENOSPC)),
    Step("the place of the files is made", THE_HOST, "mkdir", "parts/000000-", 0, (E.ENOSPC, E.EIO)),
    Step("the files are moved", THE_HOST, "rename", "numbers", 0, (E.ENOSPC, E.EIO)),
    Step("the files of another slice are moved", THE_HOST, "rename", "numbers", 1, (E.ENOSPC, E.EIO)),
    Step("the folder of the files is made durable", THE_HOST, "fsync", "parts/000000-", 0, (E.EIO,)),
    Step("the folder of folders is made durable", THE_HOST, "fsync", "of/steps/parts", 1, (E.EIO,)),
    Step("a slice's row is done", THE_HOST, "fsync", "ledger.sqlite-wal", 3, (E.EIO, E.ENOSPC)),
    Step("the attempt's folder is removed", THE_HOST, "unlink", ".attempts/", 0, (E.EIO,)),
    Step("a checkpoint is asked for", A_WORKER, "stat", "/step/checkpoint/", 0, (), 4),
    Step("its output is made durable", A_WORKER, "fsync", "/numbers", 0, (E.EIO, E.ENOSPC), 4),
    Step("its attempts' folder is made durable", A_WORKER, "fsync", ".attempts", 1, (E.EIO, E.ENOSPC), 4),
    Step("a segment is told", A_WORKER, "send", "socket:", 1, (E.EINTR,), 4),
    Step("a segment is written to the ledger", THE_HOST, "pwrite", "ledger.sqlite-wal", 12, (E.EIO, E.ENOSPC), 4),
    Step("a segment is made durable", THE_HOST, "fsync", "ledger.sqlite-wal", 2, (E.EIO, E.ENOSPC), 4),
    Step("another segment is made durable", THE_HOST, "fsync", "ledger.sqlite-wal", 3, (E.EIO, E.ENOSPC), 4),
    Step("a segment is answered", THE_HOST, "send", "socket:", 4, (E.EINTR, E.ENOBUFS), 4),
    Step("a checkpoint stands", A_WORKER, "stat", "/step/checkpointed/", 0, (), 4),
    Step("two checkpoints stand", A_WORKER, "stat", "/step/checkpointed/8", 0, (), 4),
    Step("a number behind a checkpoint is written", A_WORKER, "stat", "/step/written/5", 0, (), 4),
    Step("the output of a slice with checkpoints is moved", THE_HOST, "rename", "numbers", 0, (E.ENOSPC, E.EIO), 4),
    Step("what merge() reads is written", THE_HOST, "open", "merge/", 0, (E.EMFILE, E.ENOSPC)),
    Step("merge() is called", A_WORKER, "stat", "/step/merge/"),
    Step("merge() opens its output", A_WORKER, "open", "/summary", 0, (E.EMFILE, E.ENOSPC)),
    Step("merge() has written", A_WORKER, "stat", "/step/merge-written/"),
    Step("merge()'s output is made durable", A_WORKER, "fsync", "/summary", 0, (E.EIO, E.ENOSPC)),
    Step("merge()'s file is moved", THE_HOST, "rename", "summary", 0, (E.ENOSPC, E.EIO)),
    Step("the manifest is written", THE_HOST, "open", "manifest.json", 0, (E.EMFILE, E.ENOSPC)),
    Step("the manifest has its place", THE_HOST, "rename", "manifest.json", 0, (E.ENOSPC, E.EIO)),
    Step("_SUCCESS is made", THE_HOST, "open", "_SUCCESS", 0, (E.EMFILE, E.ENOSPC)),
]


class Stage:
    """A folder with a job in it, that is lived through again and again."""

    def __init__(self, hostler, plugin, shim):
        self.hostler = os.path.abspath(hostler)
        self.below = Below()
        shim = os.path.abspath(shim)
        self.dir = Path(tempfile.mkdtemp(prefix="hostler-steps."))
        (self.dir / "plugins").mkdir()
        self.disk = self.dir / "disk"  # all that is written
        shutil.copy(plugin, self.dir / "plugins")
        self.configure(0)
        os.chdir(self.dir)
        self.rule = Rule(self.dir / "rule")
        self.environment = {**CLEAN, "LD_PRELOAD": shim, "HOSTLER_FAULTS": str(self.dir / "rule")}

    def configure(self, checkpoint):
        (self.dir / "workers.yaml").write_text(
            f"""host: {{state: {STATE}}}
workers:
  - plugin: steps.so
    name: {JOB}
    count: 2
    input: {{range: {{begin: 0, end: {NUMBERS}}}, slice: {SLICE}}}
    output: {OUTPUT}
    params: {{checkpoint: {checkpoint}}}
    attempts: 100
    restart: {{delay: 10ms, max_delay: 20ms, limit: 1000000}}
"""
        )

    def cli(self, *arguments):
        return self.below.call([self.hostler, *arguments], PATIENCE, CLEAN)

    def must(self, *arguments):
        code, said = self.cli(*arguments)
        if code != 0:
            raise Found(f"hostler {' '.join(arguments)} exited with {code}: {said.strip()}")
        return said

    def clear(self):
        shutil.rmtree(self.disk, ignore_errors=True)
        self.disk.mkdir()

    def begin(self):
        """The pid of `hostler run`."""
        self.clear()
        with open("run.log", "wb") as log:
            return self.below.start([self.hostler, "run"], log.fileno(), self.environment)

    def begin_with(self, step, how, error=0):
        """As above, with the rule in force from the moment on at which the job has its folder."""
        self.configure(step.checkpoint)
        self.rule.arm(THE_HOST, "mkdir", times=1, how=STOP_AFTER, place=f"{OUTPUT}/.attempts")
        run = self.begin()
        host = self.wait_for_stop(run)
        self.rule.arm(step.who, step.call, error, step.skip, 1, how, step.place)
        os.kill(host, signal.SIGCONT)
        return run

    def host(self):
        try:
            return int((self.dir / STATE / "hostler.pid").read_text().split("\n")[0])
        except (OSError, ValueError):
            return None

    def workers(self):
        prefix = f"hostler: {JOB} "
        return [process.pid for process in self.below.processes().values() if process.title.startswith(prefix)]

    def left(self):
        """To the byte, but for where slices were cut."""
        output = self.dir / OUTPUT
        parts = {tuple(map(int, path.parent.name.split("-"))): path for path in output.glob("parts/*/numbers")}
        return [
            b"".join(parts[place].read_bytes() for place in sorted(parts)),
            (output / "summary").read_bytes(),
            self.must("results", JOB),
            json.loads((output / "manifest.json").read_text())["counters"],
            sorted(path.name for path in output.iterdir() if path.name != ".attempts"),
        ]

    def check(self, expected):
        """The job has ended well."""
        left = self.left()
        if expected is not None and left != expected:
            raise Found(f"it has left something else: {left} instead of {expected}")
        attempts = self.dir / OUTPUT / ".attempts"
        if attempts.exists() and any(attempts.iterdir()):
            raise Found(f"attempts are left: {sorted(os.listdir(attempts))}")
        for line in map(json.loads, self.must("slices", JOB, "--json").splitlines()):
            if line["state"] != "done":
                raise Found(f"not done: {line}")
        processes = self.below.processes()
        if processes:
            raise Found(f"left: {list(processes.values())}")
        return left

    def go_on(self, expected):
        """Whoever is left ends; then the next host does the rest."""
        code, said = self.cli("run")
        if code != 0:
            raise Found(f"the next host exited with {code}: {said[-2000:]}")
        return self.check(expected)

    def wait_for_stop(self, run):
        """The process that stands at the step."""
        deadline = time.monotonic() + PATIENCE
        while self.rule.stopped() == 0:
            if self.below.exit_of(run) is not None:
                raise Found("nobody has come to this step")
            if time.monotonic() > deadline:
                raise Found("nobody comes to this step")
            time.sleep(PAUSE)
        pid = self.rule.stopped()
        while self.below.processes()[pid].state not in "Tt":
            time.sleep(PAUSE)
        return pid

    def kill_there(self, step, how, victim, expected):
        run = self.begin_with(step, how)
        stopped = self.wait_for_stop(run)
        self.rule.disarm()
        if victim == "host":
            kill(stopped if step.who == THE_HOST else self.host())
        else:
            for worker in [stopped] if step.who == A_WORKER else self.workers():
                kill(worker)
        if step.who == A_WORKER or victim == "worker":
            try:
                os.kill(stopped, signal.SIGCONT)
            except ProcessLookupError:
                pass
        code = self.below.wait(run, PATIENCE)
        if victim == "host":
            return self.go_on(expected)
        if code != 0:
            raise Found(f"hostler run exited with {code}: {Path('run.log').read_text()[-2000:]}")
        return self.check(expected)

    def fail_there(self, step, error, expected):
        run = self.begin_with(step, FAIL, error)
        code = self.below.wait(run, PATIENCE)
        hits = self.rule.hits()
        self.rule.disarm()
        if hits != 1:
            raise Found("nobody has come to this step")
        if code != 0:
            raise Found(f"hostler run exited with {code}: {Path('run.log').read_text()[-2000:]}")
        self.check(expected)

    def clean_up(self):
        self.below.end_all()
        os.chdir("/")
        shutil.rmtree(self.dir)


def tries(stage, expected):
    """What is done at each step, by its name."""
    for step in STEPS:
        for how, when in ((STOP_BEFORE, "before"), (STOP_AFTER, "after")):
            for victim in ("worker", "host"):
                yield (
                    f"{step.name}: the {victim} is killed {when}",
                    lambda step=step, how=how, victim=victim: stage.kill_there(step, how, victim, expected()),
                )
        for error in step.errors:
            yield (
                f"{step.name}: {errno.errorcode[error]}",
                lambda step=step, error=error: stage.fail_there(step, error, expected()),
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hostler")
    parser.add_argument("plugin")
    parser.add_argument("shim")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    stage = Stage(arguments.hostler, arguments.plugin, arguments.shim)
    found = []
    done = 0
    try:
        run = stage.begin()
        if stage.below.wait(run, PATIENCE) != 0:
            raise Found(Path("run.log").read_text())
        expected = stage.check(None)
        for name, attempt in tries(stage, lambda: expected):
            if arguments.only not in name:
                continue
            if arguments.list:
                print(name)
                continue
            try:
                attempt()
                done += 1
            except (Found, TimeoutError, OSError) as what:
                found.append(f"{name}: {what}")
                print(found[-1], flush=True)
                stage.rule.disarm()
                stage.below.end_all()
    finally:
        stage.clean_up()
    print(f"{done} were survived, {len(found)} were not")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
