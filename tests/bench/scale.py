"""What very many slices and very many files cost: memory of the host, bytes of the ledger, and what a person waits for."""

import json
import os
import shutil
import subprocess
import time

from fleets import Late
from jobs import timed, write_job

FILES = 1_000_000


class Fleet:
    """A host with one job, watched while it works."""

    def __init__(self, hostler, built, folder, entry):
        self.hostler, self.state = hostler, os.path.join(folder, "state")
        self.config = write_job(folder, built, entry)
        self.begun = time.monotonic()
        self.say("up")
        with open(os.path.join(self.state, "hostler.pid")) as file:
            self.pid = int(file.readline())
        self.memory = self.ledger = self.slowest = self.first = 0

    def say(self, *command):
        return timed([self.hostler, *command, "-c", self.config])

    def look(self):
        """The job as it is now."""
        with open(f"/proc/{self.pid}/smaps_rollup") as file:
            pss = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        self.memory = max(self.memory, pss / 1024)
        sizes = (e.stat().st_size for e in os.scandir(self.state) if e.name.startswith("ledger"))
        self.ledger = max(self.ledger, sum(sizes) / 1e6)
        taken, text = self.say("status", "--json")
        self.slowest = max(self.slowest, taken)
        job = json.loads(text)["entries"][0]
        if not self.first and job["progress"]["done"]:
            self.first = (time.monotonic() - self.begun) * 1000
        return job

    def watch(self, until, seconds=600):
        while time.monotonic() - self.begun < seconds:
            if until(self.look()):
                return self
            time.sleep(0.05)
        raise Late(f"the job of {self.config} is not as far as it should be after {seconds} s")

    def end(self):
        self.say("down")
        return self


def ended(job):
    if job["state"] in ("partial", "failed"):
        raise Late(f"the job has {job['state']}: {job['reason']}")
    return job["state"] == "succeeded"


def slices(hostler, built, folder, count, leaves):
    params = f"    params: {{leaves: {leaves}}}\n" if leaves else ""
    restart = "    restart: {delay: 1ms, max_delay: 10ms}\n"
    entry = f"  - plugin: nothing.so\n    count: 2\n    input: {{range: {{end: {count}}}, slice: 1}}\n{params}{restart}"
    return Fleet(hostler, built, folder, entry).watch(ended).end()


def first_of_many(hostler, built, folder):
    """Milliseconds from the command to a slice that is done."""
    entry = "  - plugin: nothing.so\n    count: 2\n    input: {range: {end: 1000000000}, slice: 1}\n"
    return Fleet(hostler, built, folder, entry).watch(lambda job: job["progress"]["done"]).end().first


def make_files(folder):
    for i in range(FILES // 1000):
        os.makedirs(f"{folder}/{i:04}")
        for k in range(1000):
            os.close(os.open(f"{folder}/{i:04}/{k:03}.txt", os.O_CREAT | os.O_WRONLY, 0o644))


def files(hostler, built, folder):
    """Of a job with a million inputs: seconds of `check`, its bytes of memory for each file; the host's, and ms of a status."""
    inputs = f"/dev/shm/hostler-bench-{os.getpid()}"
    try:
        make_files(inputs)
        entry = f'  - plugin: nothing.so\n    count: 2\n    input: {{files: "{inputs}/**/*.txt"}}\n'
        config = write_job(folder, built, entry)
        begun = time.monotonic()
        process = subprocess.Popen([hostler, "check", "-c", config], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise Late(f"check: exit {process.returncode}")
        check = time.monotonic() - begun
        fleet = Fleet(hostler, built, folder, entry).watch(ended)
        with open(f"/proc/{fleet.pid}/status") as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        fleet.end()
        return check, usage.ru_maxrss * 1024 / FILES, peak * 1024 / FILES, fleet.ledger * 1e6 / FILES, fleet.slowest
    finally:
        shutil.rmtree(inputs, ignore_errors=True)
