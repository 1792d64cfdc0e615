"""Fleets of services: hostler's, and the C limit's, with the same words for both, so that one scenario measures both."""

import mmap
import os
import select
import signal
import struct
import subprocess
import time

MOST_WORKERS = 5000
HEADER = 32
SLOT = 16


class Late(Exception):
    """Something did not happen in time."""


class Board:
    """Where workers report their start (board.h)."""

    def __init__(self, path):
        self.path = path
        size = HEADER + SLOT * MOST_WORKERS
        with open(path, "wb") as file:
            file.truncate(size)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), size)

    def _word(self, at):
        return struct.unpack_from("=Q", self.map, at)[0]

    def starts(self):
        return self._word(0)

    def last_at(self):
        return self._word(8)

    def work(self):
        """Nanoseconds from the first load to the last return."""
        return self._word(24) - self._word(16)

    def slot(self, index):
        """pid, starts, time of the last start"""
        return struct.unpack_from("=IIQ", self.map, HEADER + SLOT * index)

    def wait(self, starts, seconds=120):
        end = time.monotonic() + seconds
        while self.starts() < starts:
            if time.monotonic() > end:
                raise Late(f"{self.starts()} of {starts} starts after {seconds} s")
            time.sleep(0.001)


def wait_gone(pidfd, seconds=120):
    if not select.select([pidfd], [], [], seconds)[0]:
        raise Late(f"still there after {seconds} s")


class LimitFleet:
    """fork_limit.c"""

    name = "limit"

    def __init__(self, built, folder, entries, count=1):
        self.board = Board(os.path.join(folder, "board"))
        self.list = os.path.join(folder, "list")
        self.entries = entries
        self.write(0)
        workers = entries * count
        self.command = [f"{built}/fork_limit", f"{built}/limit_plugin.so", self.board.path, str(workers)]
        self.command += [self.list] if count == 1 else []

    def write(self, changed):
        with open(self.list, "w") as file:
            for i in range(self.entries):
                file.write(f"tick{i:04} interval {'3600' if i < changed else '86400'}\n")

    def start(self):
        self.process = subprocess.Popen(self.command)
        self.pid = self.process.pid

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class HostlerFleet:
    """hostler up, with the tick plugin: one entry of `count` workers, or many entries of one."""

    name = "hostler"

    def __init__(self, built, folder, entries, count=1, hostler="hostler", more=""):
        self.board = Board(os.path.join(folder, "board"))
        self.hostler, self.folder, self.built = hostler, folder, built
        self.entries, self.count, self.more = entries, count, more
        self.config = os.path.join(folder, "workers.yaml")
        self.write(0)

    def write(self, changed):
        with open(self.config, "w") as file:
            file.write(f"host: {{plugins: {self.built}}}\nworkers:\n")
            for i in range(self.entries):
                file.write(
                    f"  - name: tick{i:04}\n    plugin: bench_tick.so\n    count: {self.count}\n"
                    "    restart: {delay: 0s, limit: 1000000, within: 1s}\n"
                    f"    params: {{interval: {'3600' if i < changed else '86400'}, board: {self.board.path}}}\n"
                )
            file.write(self.more)

    def start(self):
        result = subprocess.run([self.hostler, "up", "-c", self.config], capture_output=True, text=True)
        if result.returncode != 0:
            raise Late("hostler up: " + result.stderr)
        with open(os.path.join(self.folder, "state", "hostler.pid")) as file:
            self.pid = int(file.readline())
        self.pidfd = os.pidfd_open(self.pid)

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        wait_gone(self.pidfd)
        os.close(self.pidfd)

    def processes(self):
        """The host and its templates."""
        pids = [self.pid]
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
            children = file.read().split()
        for child in children:
            with open(f"/proc/{child}/cmdline", "rb") as file:
                if file.read().startswith(b"hostler: template"):
                    pids.append(int(child))
        return pids

    def pss_mib(self):
        total = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        return total / 1024

    def switches(self):
        total = 0
        for pid in self.processes():
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/status") as file:
                    total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        return total


def now():
    return time.monotonic_ns()


def ms(since, until=None):
    return ((now() if until is None else until) - since) / 1e6


def start(fleet, workers):
    begun = now()
    fleet.start()
    fleet.board.wait(workers)
    return ms(begun, fleet.board.last_at())


def stop(fleet):
    begun = now()
    fleet.stop()
    return ms(begun)


def kill_one(fleet, index):
    pid, starts, _ = fleet.board.slot(index)
    if pid == 0:
        raise Late(f"worker {index} has not said that it is there")
    begun = now()
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while fleet.board.slot(index)[1] == starts:
        if time.monotonic() > end:
            raise Late("not restarted")
        time.sleep(0.001)
    taken = ms(begun, fleet.board.slot(index)[2])
    time.sleep(0.01)
    return taken


def kill_all(fleet, workers):
    pids = [fleet.board.slot(i)[0] for i in range(workers)]
    before = fleet.board.starts()
    begun = now()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    fleet.board.wait(before + workers)
    return ms(begun, fleet.board.last_at())


def reload(fleet, changed):
    before = fleet.board.starts()
    fleet.write(changed)
    begun = now()
    fleet.reload()
    fleet.board.wait(before + changed)
    return ms(begun, fleet.board.last_at())
