#!/usr/bin/env python3
"""System calls that fail: each call that the host makes, each errno that it may get, for a while; meanwhile workers are
killed, the configuration is read again, a client asks. The host stays up, says what happened, and has all workers back
when the fault is over; the job in the end has left to the byte what an undisturbed one leaves.

faults.py HOSTLER WITNESS.SO FAULTS.SO [--at-start [EVERY]] [--only TEXT]
--at-start [EVERY]: the same for a host that is about to start, one call at a time; or only every
EVERYth of them.
Exit code 1: something was found.
"""

import argparse
import errno
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "chaos"))
from below import kill  # noqa: E402
from host import JOB, JOBS, PAUSE, SERVICE, Found, Host, end_on_signals  # noqa: E402
from rule import HALF, WHO_STARTS, Rule  # noqa: E402

HOLD = 0.12  # seconds that a fault goes on, after it has been met
MEET = 0.4  # seconds in which it is met, if it is met at all
TELL = 10  # seconds in which one that goes on is told of, if it is told of at all


def name_of(error):
    return "does half" if error == HALF else errno.errorcode[error]


@dataclass
class Fault:
    call: str
    error: int
    told: bool = True  # somebody who reads the log or the status gets to know
    where: str = "host"  # or template
    by: str = ""  # what makes the host meet it, besides what is done anyway: fresh, plugin, template

    def __str__(self):
        return f"{self.where}: {self.call} {name_of(self.error)}"


def faults(call, *errors, told=False, where="host", by=""):
    return [Fault(call, error, told, where, by) for error in errors]


E = errno
FAULTS = (
    faults("open", E.EMFILE, E.ENFILE, E.ENOMEM, E.EIO, E.EINTR, E.ENOSPC)
    + faults("read", E.EINTR, HALF)
    + faults("read", E.EIO)
    + faults("write", E.EINTR, HALF)
    + faults("write", E.ENOSPC, E.EIO)
    + faults("pwrite", E.ENOSPC, E.EIO, told=True)
    + faults("pwrite", E.EINTR, HALF)
    + faults("recv", E.EINTR, E.ENOMEM, HALF)
    + faults("send", E.EINTR, E.ENOMEM, E.ENOBUFS, HALF)
    + faults("sendmsg", E.EINTR, E.ENOMEM, E.ENOBUFS, E.ETOOMANYREFS)
    + faults("fsync", E.EIO, E.ENOSPC, told=True)
    + faults("fsync", E.EINTR)
    + faults("rename", E.ENOSPC, E.EIO, by="fresh")
    + faults("mkdir", E.ENOSPC, E.EIO, by="fresh")
    + faults("unlink", E.EIO, by="fresh")
    + faults("stat", E.EIO, E.ENOMEM, by="plugin")
    + faults("fstat", E.EIO, by="fresh")
    + faults("opendir", E.EMFILE, E.ENOMEM, by="fresh")
    + faults("flock", E.EINTR, E.ENOLCK, by="fresh")
    + faults("socketpair", E.EMFILE, E.ENFILE, E.ENOMEM, told=True)
    + faults("pipe2", E.EMFILE, E.ENFILE, told=True)
    + faults("accept4", E.EMFILE, E.ENFILE, E.ENOMEM, E.EINTR)
    + faults("poll", E.EINTR, E.ENOMEM)
    + faults("epoll_ctl", E.ENOSPC, E.ENOMEM)
    + faults("epoll_wait", E.EINTR)
    + faults("waitid", E.EINTR)
    + faults("fork", E.EAGAIN, E.ENOMEM, told=True, by="template")
    + faults("posix_spawn", E.EAGAIN, E.ENOMEM, by="plugin")
    + faults("pidfd_open", E.EMFILE, E.ENFILE, E.ENOMEM, told=True)
    + faults("pidfd_send_signal", E.EAGAIN)
    + faults("descriptors", E.EMFILE, told=True)
    + faults("clone", E.EAGAIN, E.ENOMEM, told=True, where="template")
    + faults("recvmsg", E.EINTR, E.ENOMEM, E.ENOBUFS, where="template")
    + faults("send", E.EINTR, E.ENOBUFS, where="template")
)


# While it starts; each of the calls that it makes then, one after the other, up to so many.
AT_START = (
    [("open", E.EMFILE, 60), ("read", E.EIO, 30), ("write", E.ENOSPC, 10), ("pwrite", E.ENOSPC, 10), ("fstat", E.EIO, 20)]
    + [("stat", E.EIO, 20), ("fsync", E.EIO, 6), ("mkdir", E.ENOSPC, 6), ("rename", E.EIO, 4), ("unlink", E.EIO, 6)]
    + [("ftruncate", E.ENOSPC, 3), ("flock", E.EINTR, 3), ("flock", E.ENOLCK, 3), ("socketpair", E.EMFILE, 4)]
    + [("pipe2", E.EMFILE, 3), ("socket", E.EMFILE, 2), ("mmap", E.ENOMEM, 6), ("fork", E.EAGAIN, 3)]
    + [("posix_spawn", E.EAGAIN, 1), ("pidfd_open", E.EMFILE, 5), ("poll", E.EINTR, 4)]
    + [("timerfd", E.EMFILE, 1), ("epoll_create", E.EMFILE, 3), ("eventfd", E.EMFILE, 3), ("signalfd", E.EMFILE, 1)]
    + [("epoll_ctl", E.ENOSPC, 20), ("epoll_ctl", E.ENOMEM, 20), ("read", E.EINTR, 30), ("read", HALF, 30)]
    + [("write", E.EINTR, 10), ("write", HALF, 10), ("pwrite", HALF, 15), ("pwrite", E.EIO, 15), ("send", HALF, 5)]
    + [("recv", HALF, 5), ("accept4", E.EMFILE, 3), ("opendir", E.EMFILE, 5), ("open", E.ENOSPC, 40), ("statvfs", E.EIO, 2)]
)


class Faults:
    def __init__(self, host, rule):
        self.host = host
        self.rule = rule
        self.met = 0
        self.not_met = []
        self.found = []
        self.host_pid = None
        self.turn = 0
        self.refused = 0  # starts that failed, and said why

    def begin(self, fault):
        self.host_pid = self.host.status()["pid"]
        if fault.call == "descriptors":  # the real thing
            used = 1 + max(int(name) for name in os.listdir(f"/proc/{self.host_pid}/fd"))
            hard = resource.prlimit(self.host_pid, resource.RLIMIT_NOFILE)[1]
            self.limit = (hard, hard)
            resource.prlimit(self.host_pid, resource.RLIMIT_NOFILE, (used, hard))
            return
        processes = self.host.below.processes()
        pid = self.host_pid if fault.where == "host" else self.host.template_among(processes)
        self.rule.arm(pid, fault.call, fault.error)

    def end(self, fault):
        if fault.call == "descriptors":
            resource.prlimit(self.host_pid, resource.RLIMIT_NOFILE, self.limit)
        self.rule.disarm()

    def provoke(self, fault):
        """Makes the host do all that it ever does. The pid of a client that asks it for something."""
        processes = self.host.below.processes()
        workers = self.host.workers_among(processes)
        self.turn += 1
        if workers:
            kill(workers[0])
            kill(workers[-1])
        template = self.host.template_among(processes)
        if fault.by == "template" and template is not None:
            kill(template)
        if fault.by == "plugin":  # another build of it
            with open(self.host.dir / "plugins" / "witness.so", "ab") as plugin:
                plugin.write(b"\0" * 8)
        os.kill(self.host_pid, signal.SIGHUP if fault.by == "plugin" or self.turn % 2 == 0 else signal.SIGUSR1)
        ask = [["status"], ["restart", SERVICE], ["reload"], ["logs", SERVICE]][self.turn % 4]
        if fault.by == "fresh":
            ask = ["start", JOB, "--fresh", JOB]
        with open(os.devnull, "wb") as null:
            return self.host.below.start([self.host.hostler, *ask], null.fileno())

    def try_and_go_on(self, fault):
        """Whatever is found: the next one meets a host that is well."""
        try:
            self.try_one(fault)
        except (Found, TimeoutError) as found:
            self.found.append(f"{fault}: {found}")
            print(f"{self.host.last_words()}\n{fault}: {found}", file=sys.stderr)
            self.rule.disarm()
            self.host.begin_anew()

    def all_at_start(self, call, error, numbers):
        """Until the host does not make so many of these calls."""
        met = 0
        for number in numbers:
            if not self.at_start(call, error, number):
                break
            met += 1
        print(f"start: {call} {name_of(error)}: {met} times", flush=True)

    def at_start(self, call, error, skip):
        """A host that one call fails of while it starts: it is up, or says why not, and leaves nothing."""
        fault = f"start: {call} {name_of(error)} number {skip + 1}"
        try:
            self.rule.arm(WHO_STARTS, call, error, skip, 1)
            code, said = self.host.cli("up")
            self.rule.disarm()
            if self.rule.hits() == 0:
                self.host.down()
                return False
            if code < 0 or (code > 0 and not said.strip()):
                raise Found(f"hostler up ended with {code} and said: {said}")
            self.refused += code != 0
            self.met += 1
            if code > 0:
                self.wait_until_nothing_is_left()
                self.host.must("up")
            self.host.settle()
            if code > 0 or skip % 2 == 0:
                self.host.down()
            else:  # without what a graceful end tidies up
                self.host.below.end_all()
        except (Found, TimeoutError) as found:
            self.found.append(f"{fault}: {found}")
            print(self.found[-1], flush=True)
            self.rule.disarm()
            self.host.begin_anew()
            self.host.down()
        return True

    def wait_until_nothing_is_left(self):
        deadline = time.monotonic() + 10
        while self.host.below.processes():
            if time.monotonic() > deadline:
                raise Found(f"left by a host that did not start: {list(self.host.below.processes().values())}")
            time.sleep(PAUSE)

    def try_one(self, fault):
        log = self.host.dir / "state" / "host.log"
        said_before = log.stat().st_size

        def said():
            with open(log, "rb") as text:
                text.seek(said_before)
                return text.read().decode()

        self.begin(fault)
        client = self.provoke(fault)
        start = time.monotonic()
        while time.monotonic() - start < MEET and self.rule.hits() == 0:
            time.sleep(PAUSE)
        hits = self.rule.hits()
        time.sleep(HOLD)
        # One that goes on: what it has met so far may have been a call that can wait, as the ledger's checkpoints can. A
        # death a second is written to the ledger, whatever else there is to do.
        words = os.strerror(fault.error) if fault.error != HALF else ""
        is_met = hits > 0 or fault.call == "descriptors"
        death = start + 1
        while fault.told and is_met and words not in said() and time.monotonic() - start < TELL:
            time.sleep(PAUSE)
            if time.monotonic() > death:
                death += 1
                for worker in self.host.workers_among(self.host.below.processes())[:1]:
                    kill(worker)
        self.end(fault)
        if self.host.host_among(self.host.below.processes()) != self.host_pid:
            raise Found("the host has died")
        self.host.settle()
        if self.host.status()["pid"] != self.host_pid:
            raise Found("the host has died")
        if self.host.below.exit_of(client) is None:
            self.host.below.wait(client, 30)
        if not is_met:
            self.not_met.append(str(fault))
        else:
            self.met += 1
            if fault.told and words not in said():
                self.found.append(f"{fault}: nobody was told")
        status = self.host.status()
        for job in JOBS:
            if self.host.entry(status, job)["state"] == "succeeded":
                self.host.check_job(job)
                self.host.must("start", job, "--fresh", job)
        print(f"{fault}: {hits} times, {len(said().splitlines())} lines", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hostler")
    parser.add_argument("plugin")
    parser.add_argument("shim")
    parser.add_argument("--at-start", type=int, nargs="?", const=1, metavar="EVERY")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    end_on_signals()

    shim = os.path.abspath(arguments.shim)
    host = Host(arguments.hostler, arguments.plugin)
    rule = Rule(host.dir / "rule")
    try:
        host.undisturbed(2)
        host.environment = {**os.environ, "LD_PRELOAD": shim, "HOSTLER_FAULTS": str(host.dir / "rule")}
        host.begin_anew()
        faulty = Faults(host, rule)
        if arguments.at_start:
            host.down()
            for call, error, most in AT_START:
                if arguments.only in call:
                    faulty.all_at_start(call, error, range(0, most, arguments.at_start))
            print(f"{faulty.met} faults; {faulty.refused} times the host did not start, and said why")
        else:
            for fault in FAULTS:
                if arguments.only in str(fault):
                    faulty.try_and_go_on(fault)
            host.finish_jobs()
            host.down()
            print(f"{faulty.met} faults; never met: {', '.join(faulty.not_met) or 'none'}")
        for found in faulty.found:
            print(found, file=sys.stderr)
        return 1 if faulty.found else 0
    except (Found, TimeoutError) as found:
        print(f"{host.last_words()}\n{found}", file=sys.stderr)
        return 1
    finally:
        host.clean_up()


if __name__ == "__main__":
    sys.exit(main())
