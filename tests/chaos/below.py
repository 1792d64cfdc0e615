"""What runs below this process: everything that it has started, and whatever that has left behind. As a subreaper it
becomes the parent of all that loses its own, so nothing can get out of its sight, and it reaps what comes to it."""

import ctypes
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Process:
    pid: int
    parent: int
    state: str
    name: str
    title: str

    def alive(self):
        return self.state not in "ZX"


def read(path):
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError:  # it has gone meanwhile
        return ""


def all_processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        stat = read(f"/proc/{pid}/stat")
        if not stat:
            continue
        name = stat[stat.index("(") + 1 : stat.rindex(")")]
        state, parent = stat[stat.rindex(")") + 2 :].split()[:2]
        yield Process(int(pid), int(parent), state, name, "")


class Below:
    """One for a process: it waits for all children, whoever started them."""

    def __init__(self):
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "no subreaper")
        self.exits = {}

    def start(self, command, output, environment=None):
        """The pid; `output`: a descriptor for both streams."""
        actions = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
        pid = os.posix_spawn(command[0], command, environment or os.environ, file_actions=actions)
        self.exits.pop(pid, None)  # of somebody who had this number before
        return pid

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.exits[pid] = os.waitstatus_to_exitcode(status)

    def exit_of(self, pid):
        """None as long as it runs; negative: the signal."""
        self.reap()
        return self.exits.get(pid)

    def wait(self, pid, seconds):
        deadline = time.monotonic() + seconds
        while self.exit_of(pid) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{pid} has not ended within {seconds} s")
            time.sleep(0.002)
        return self.exits.pop(pid)

    def call(self, command, seconds=60, environment=None):
        """Exit code and what it said. A command that hangs is killed, and raises TimeoutError."""
        with tempfile.TemporaryFile() as said:
            pid = self.start(command, said.fileno(), environment)
            try:
                code = self.wait(pid, seconds)
            except TimeoutError as hung:
                os.kill(pid, signal.SIGKILL)
                raise TimeoutError(f"{' '.join(command)} has not ended within {seconds} s") from hung
            said.seek(0)
            return code, said.read().decode(errors="replace")

    def processes(self):
        """Everything below us that is left after reaping, by pid."""
        self.reap()
        children = {}
        for process in all_processes():
            children.setdefault(process.parent, []).append(process)
        found = {}
        todo = list(children.get(os.getpid(), []))
        while todo:
            process = todo.pop()
            process.title = read(f"/proc/{process.pid}/cmdline").replace("\0", " ").rstrip()
            found[process.pid] = process
            todo += children.get(process.pid, [])
        return found

    def end_all(self):
        """Kills until nothing is left."""
        while True:
            left = self.processes()
            if not left:
                return
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.002)


def kill(pid):
    """Whether there was somebody."""
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False
