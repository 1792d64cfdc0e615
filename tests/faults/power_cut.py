#!/usr/bin/env python3
"""A disk that forgets: lives a job through once, and writes down what is done to its files (record.c). Then cuts the power
after the first call, the second, the third …: all that is there then is what was made durable, and in every other turn, by
the seed, some of what was not. The next host goes on from that, and the job has left to the byte what an undisturbed one
leaves. What `hostler run` has told is there is there after every cut.

What is durable: of a file what had been written when it was synced last; of a folder the names that it had when it was
synced last. A new name takes that of its folder and not of its file; a file that was renamed is at its new place once the
folder of that was synced, and at the old one before.

power_cut.py HOSTLER STEPS.SO RECORD.SO [--cuts N] [--seed N] [--at K]
Exit code 1: something was found.
"""

import argparse
import random
import signal
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

from steps import CLEAN, JOB, PATIENCE, Found, Stage

CREATE, MAKE_DIR, WRITE, TRUNCATE, SYNC, RENAME, UNLINK = range(1, 8)
HEADER = struct.Struct("=IIQQqII")


@dataclass
class Change:
    """Of a folder: a name becomes this file or folder, or none (None)."""

    name: str
    what: object
    away_from: object = None  # the folder that it was renamed out of, and its name there
    former: str = ""


@dataclass
class Folder:
    mode: int = 0o755
    now: dict = field(default_factory=dict)
    durable: dict = field(default_factory=dict)
    pending: list = field(default_factory=list)

    def change(self, change):
        self.pending.append(change)
        if change.what is None:
            self.now.pop(change.name, None)
        else:
            self.now[change.name] = change.what

    def apply(self, count):
        """The first of what is pending becomes durable."""
        for change in self.pending[:count]:
            if change.what is None:
                self.durable.pop(change.name, None)
                continue
            self.durable[change.name] = change.what
            if change.away_from is not None and change.away_from.durable.get(change.former) is change.what:
                del change.away_from.durable[change.former]
        del self.pending[:count]

    def sync(self):
        self.apply(len(self.pending))


@dataclass
class File:
    mode: int = 0o644
    now: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list = field(default_factory=list)  # (at, bytes), or (size, None)

    @staticmethod
    def put(data, at, written):
        if written is None:
            del data[at:]
            data.extend(b"\0" * (at - len(data)))
        else:
            data.extend(b"\0" * (at - len(data)))
            data[at : at + len(written)] = written

    def change(self, at, written):
        self.pending.append((at, written))
        self.put(self.now, at, written)

    def apply(self, count):
        data = bytearray(self.durable)
        for at, written in self.pending[:count]:
            self.put(data, at, written)
        self.durable = bytes(data)
        del self.pending[:count]

    def sync(self):
        self.durable = bytes(self.now)
        self.pending.clear()


class Disk:
    """Calls as they were recorded, applied one after the other."""

    def __init__(self, inode):
        """Of the folder that all happens in, which is empty."""
        self.root = Folder()
        self.objects = {inode: self.root}
        self.all = [self.root]

    def apply(self, call):
        kind, mode, number, other, at, name, data = call
        target = self.objects.get(number)
        if target is None:
            raise Found(f"a call of kind {kind} on a file that nobody has made: {name}")
        if kind in (CREATE, MAKE_DIR):
            made = File(mode) if kind == CREATE else Folder(mode)
            self.objects[other] = made
            self.all.append(made)
            target.change(Change(name, made))
        elif kind == WRITE:
            target.change(at, data)
        elif kind == TRUNCATE:
            target.change(at, None)
        elif kind == SYNC:
            target.sync()
        elif kind == UNLINK:
            target.change(Change(name, None))
        elif kind == RENAME:
            former, name = name.split("/")
            moved = target.now[former]
            target.now.pop(former)
            into = self.objects[other]
            into.change(Change(name, moved, target, former))

    def forget(self, dice):
        """The power is cut. Without dice all that is not durable is lost."""
        for each in self.all if dice is not None else ():
            each.apply(dice.randint(0, len(each.pending)))

    @staticmethod
    def write(folder, path):
        for name, what in folder.durable.items():
            if isinstance(what, Folder):
                (path / name).mkdir(exist_ok=True)
                Disk.write(what, path / name)
                (path / name).chmod(what.mode)
            elif not name.endswith("-shm"):  # is mapped, and made anew
                (path / name).write_bytes(what.durable)
                (path / name).chmod(what.mode)

    def check_against(self, folder, path):
        """All that is there was recorded."""
        for name, what in folder.now.items():
            there = path / name
            if isinstance(what, Folder):
                self.check_against(what, there)
            elif not name.endswith("-shm") and there.read_bytes() != bytes(what.now):
                raise Found(f"{there} is not what was recorded of it")
        for each in path.iterdir():
            if each.name not in folder.now and (each.is_dir() or each.is_file()):
                raise Found(f"nobody recorded {each}")


def calls_of(path):
    data = path.read_bytes()
    at = 0
    calls = []
    while at < len(data):
        kind, mode, number, other, offset, name_size, data_size = HEADER.unpack_from(data, at)
        at += HEADER.size
        name = data[at : at + name_size].decode()
        at += name_size
        calls.append((kind, mode, number, other, offset, name, data[at : at + data_size]))
        at += data_size
    return calls


class Cuts:
    def __init__(self, stage):
        self.stage = stage
        self.log = Path(str(stage.dir) + ".record")
        stage.environment = {
            **CLEAN,
            "LD_PRELOAD": stage.environment["LD_PRELOAD"],
            "HOSTLER_RECORD": str(self.log),
            "HOSTLER_RECORD_BELOW": str(stage.disk),
        }

    def record(self):
        """What an undisturbed run does, and what it leaves."""
        self.log.write_bytes(b"")
        run = self.stage.begin()
        self.inode = self.stage.disk.stat().st_ino
        if self.stage.below.wait(run, PATIENCE) != 0:
            raise Found(Path("run.log").read_text())
        self.calls = calls_of(self.log)
        if not self.calls:
            raise Found("nothing was recorded")
        disk = self.disk_after(len(self.calls))
        disk.check_against(disk.root, self.stage.disk)
        self.expected = self.stage.check(None)
        self.attempts = self.stage.must("joblog", JOB)

    def disk_after(self, count):
        disk = Disk(self.inode)
        for call in self.calls[:count]:
            disk.apply(call)
        return disk

    def cut(self, count, dice):
        disk = self.disk_after(count)
        disk.forget(dice)
        self.stage.clear()
        Disk.write(disk.root, self.stage.disk)
        self.stage.go_on(self.expected)

    def cut_at_the_end(self):
        """The command has told that all is done: nobody works on it again."""
        self.cut(len(self.calls), None)
        if self.stage.must("joblog", JOB) != self.attempts:
            raise Found("it was worked on again after its end")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hostler")
    parser.add_argument("plugin")
    parser.add_argument("recorder")
    parser.add_argument("--cuts", type=int, default=30, help="so many, at random, and those around each rename; 0: after each call")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", type=int, default=4, help="a checkpoint after so many numbers; 0: none")
    parser.add_argument("--at", type=int, help="only after so many calls")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    stage = Stage(arguments.hostler, arguments.plugin, arguments.recorder)
    stage.configure(arguments.checkpoint)
    cuts = Cuts(stage)
    found = []
    try:
        cuts.record()
        every = range(len(cuts.calls) + 1)
        if arguments.at is not None:
            chosen = [arguments.at]
        elif arguments.cuts == 0:
            chosen = list(every)
        else:
            picked = random.Random(arguments.seed).sample(every, min(arguments.cuts, len(every)))
            renamed = [count for count, call in enumerate(cuts.calls, 1) if call[0] == RENAME]
            chosen = sorted({*picked, *renamed, *(count + 1 for count in renamed)})
        for number, count in enumerate(chosen):
            for dice in (None, random.Random(arguments.seed * 1000003 + count)):
                if dice is not None and arguments.at is None and number % 2 == 0:
                    continue
                try:
                    cuts.cut(count, dice)
                except (Found, TimeoutError, OSError) as what:
                    kind = "all" if dice is None else "some"
                    found.append(f"--at {count} --seed {arguments.seed}, {kind} of what is not durable lost: {what}")
                    print(found[-1], flush=True)
                    stage.below.end_all()
        if arguments.at is None:
            try:
                cuts.cut_at_the_end()
            except (Found, OSError) as what:
                found.append(f"after the end: {what}")
                print(found[-1], flush=True)
    finally:
        cuts.log.unlink(missing_ok=True)
        stage.clean_up()
    print(f"{len(cuts.calls)} calls, cut after {len(chosen)} of them; {len(found)} were not survived")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
