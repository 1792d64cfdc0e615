"""A real host in a folder of its own, with the fleet that failures are tried on: a service whose instances leave
processes behind, and jobs that leave an output, a result and counters (plugins/witness.cc), one of which is cut while it
runs. And what must hold of it whenever it has come to rest."""

import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from below import Below

SERVICE, JOB, CUT = "pair", "witness", "cut"
JOBS = (JOB, CUT)
INSTANCES, JOB_WORKERS = 2, 3
PATIENCE = 30  # seconds until whatever has not come to rest never will
PAUSE = 0.005  # between two looks


class Found(Exception):
    """Something that must not be; the text says what."""


class Host:
    def __init__(self, hostler, plugin, environment=None):
        self.hostler = os.path.abspath(hostler)
        self.environment = environment
        self.below = Below()
        self.dir = Path(tempfile.mkdtemp(prefix="hostler-chaos."))
        self.expected = None
        self.parts = 0  # of all slices that were checked of the job that is cut
        self.command = None  # a `hostler up` that has not ended yet
        for folder in ("plugins", "data", "marks"):
            (self.dir / folder).mkdir()
        shutil.copy(plugin, self.dir / "plugins")
        for name in "abc":
            lines = (f"{name} {number} the quick brown fox\n" for number in range(1, 1501))
            (self.dir / "data" / f"{name}.txt").write_text("".join(lines))
        os.chdir(self.dir)

    def configure(self, rounds):
        """So many rounds of work for each line of the job."""
        quick = "restart: {delay: 10ms, max_delay: 50ms, limit: 1000000}"
        (self.dir / "workers.yaml").write_text(
            f"""workers:
  - {{name: {SERVICE}, plugin: witness.so, count: {INSTANCES}, params: {{dir: marks}}, {quick}}}
  - name: {JOB}
    plugin: witness.so
    count: {JOB_WORKERS}
    input: {{lines: "data/*.txt", slice: 2KiB}}
    params: {{dir: marks, rounds: {rounds}}}
    split: off  # its merge tells of each slice
    attempts: 1000000
    {quick}
  - name: {CUT}
    plugin: witness.so
    count: {JOB_WORKERS}
    input: {{lines: "data/*.txt", slice: 1MiB}}
    params: {{dir: marks, rounds: {rounds}, claims: each}}
    attempts: 1000000
    {quick}
"""
        )

    def undisturbed(self, seconds):
        """Finds how much work makes the job last so long, and what it then leaves."""
        rounds = 50
        while True:
            self.configure(rounds)
            start = time.monotonic()
            self.must("run", *(word for job in JOBS for word in ("--fresh", job)))
            took = time.monotonic() - start
            if took >= seconds:
                self.expected = {job: self.left_by(job) for job in JOBS}
                return took
            rounds = int(rounds * min(50.0, max(1.2, 1.1 * seconds / took)))

    def left_by(self, job):
        output = self.dir / "state" / "output" / job
        parts = b"".join(path.read_bytes() for path in sorted(output.glob("parts/*/*")))
        results = self.must("results", job) if job == JOB else ""  # those of parts are never the same
        return parts + (output / "summary").read_bytes() + results.encode()

    # ---- commands

    def cli(self, *arguments, seconds=PATIENCE):
        return self.below.call([self.hostler, *arguments], seconds, self.environment)

    def must(self, *arguments):
        code, said = self.cli(*arguments)
        if code != 0:
            raise Found(f"hostler {' '.join(arguments)} exited with {code}: {said.strip()}")
        return said

    def begin_up(self):
        with open(self.dir / "up.log", "ab") as log:
            self.command = self.below.start([self.hostler, "up"], log.fileno(), self.environment)

    def status(self):
        """None when nobody answers."""
        code, said = self.cli("status", "--json")
        return json.loads(said) if code == 0 else None

    def entry(self, status, name):
        return next(entry for entry in status["entries"] if entry["name"] == name)

    # ---- who is who

    def host_among(self, processes):
        """The daemon, from its first moment on; None: there is none."""
        titles = (f"{self.hostler} up", f"hostler: host {self.dir}/workers.yaml")  # it renames itself
        for process in processes.values():
            is_ours = process.parent == os.getpid() and process.pid != self.command
            if is_ours and process.alive() and process.title in titles:
                return process.pid
        return None

    def template_among(self, processes):
        for process in processes.values():
            if process.alive() and process.title == "hostler: template":
                return process.pid
        return None

    def workers_among(self, processes):
        """In a fixed order: by entry and instance."""
        workers = [
            process
            for process in processes.values()
            if process.alive() and process.title.startswith("hostler: ") and process.title != "hostler: template"
            if not process.title.startswith("hostler: host /") and not process.name.startswith("kid ")
        ]
        # What one has forked looks like it until it has named itself.
        pids = {worker.pid for worker in workers}
        workers = [worker for worker in workers if worker.parent not in pids]
        return [worker.pid for worker in sorted(workers, key=lambda worker: worker.title)]

    # ---- what must hold

    def problems(self):
        """All that is not as it should be at this moment; it may still be on its way there."""
        violations = self.dir / "marks" / "violations"
        if violations.exists():
            raise Found("two owners: " + violations.read_text().strip())
        processes = self.below.processes()
        found = [f"zombie: {process}" for process in processes.values() if not process.alive()]
        host = self.host_among(processes)
        if host is None:
            return found + ["no host"]
        template = self.template_among(processes)
        status = self.status()
        if status is None:
            return found + ["the host does not answer"]
        if status["pid"] != host:
            found.append(f"the host is {host}, and status says {status['pid']}")
        ours = {host, template, self.command}
        for entry in status["entries"]:
            found += self.problems_of_entry(entry)
            ours |= {worker["pid"] for worker in entry["workers"]}
        # Looked at once more: what status tells of may be younger than the first look.
        for process in self.below.processes().values():
            is_kid = process.name.startswith("kid ") and int(process.name[4:]) in ours
            if process.pid not in ours and not is_kid and process.alive():
                found.append(f"orphan: {process}")
        return found

    def problems_of_entry(self, entry):
        name = entry["name"]
        workers = entry["workers"]
        found = []
        instances = [worker["instance"] for worker in workers]
        if len(set(instances)) != len(instances):
            found.append(f"{name}: two of one instance: {instances}")
        running = [worker for worker in workers if worker["state"] == "running" and (worker["ready"] or name in JOBS)]
        if name == SERVICE and len(running) != INSTANCES:
            found.append(f"{name}: {len(running)} of {INSTANCES} run, {entry['state']} {entry['reason']}")
        if name in JOBS and entry["state"] != "succeeded":
            progress = entry["progress"]
            rest = progress["slices"] - progress["done"] if name == JOB else 1
            if entry["state"] != "running" or (len(running) < min(JOB_WORKERS, rest)):
                found.append(f"{name}: {entry['state']} {entry['reason']}, {len(running)} run, {rest} slices to do")
        return found

    def settle(self):
        """Returns when all is as it should be. A host that is missing is started."""
        deadline = time.monotonic() + PATIENCE
        while True:
            if self.command is not None:
                code = self.below.exit_of(self.command)
                if code is not None:
                    self.below.exits.pop(self.command)
                    self.command = None
                    if code != 0 and self.host_among(self.below.processes()) is not None:
                        raise Found(f"hostler up exited with {code}, and there is a host: {self.up_log()}")
            elif self.host_among(self.below.processes()) is None:
                self.begin_up()
                code = self.below.wait(self.command, PATIENCE)
                self.command = None
                if code != 0:
                    raise Found(f"hostler up exited with {code}: {self.up_log()}")
            else:
                found = self.problems()
                if not found:
                    return
                if time.monotonic() > deadline:
                    raise Found("; ".join(found))
            time.sleep(PAUSE)

    def up_log(self):
        return " / ".join((self.dir / "up.log").read_text().splitlines()[-3:])

    def check_job(self, job):
        """The job has succeeded: whether it has left what it should."""
        if self.left_by(job) != self.expected[job]:
            raise Found(f"{job} has left something else than an undisturbed one")
        attempts = self.dir / "state" / "output" / job / ".attempts"
        if attempts.exists() and any(attempts.iterdir()):
            raise Found(f"{job}: attempts are left: {sorted(os.listdir(attempts))}")
        if job == CUT:
            self.parts += len(list((self.dir / "state" / "output" / job / "parts").iterdir()))

    def finish_jobs(self):
        deadline = time.monotonic() + 4 * PATIENCE  # slices that the host has died in run alone, one after another
        while not all(self.entry(self.status(), job)["state"] == "succeeded" for job in JOBS):
            if time.monotonic() > deadline:
                raise Found(f"a job does not end: {[self.entry(self.status(), job) for job in JOBS]}")
            time.sleep(PAUSE)
        for job in JOBS:
            self.check_job(job)

    def down(self):
        self.must("down")
        left = self.below.processes()
        if left:
            raise Found(f"left after down: {list(left.values())}")

    # ---- the end

    def begin_anew(self):
        """Without anything that was before."""
        self.below.end_all()
        self.command = None
        shutil.rmtree(self.dir / "state", ignore_errors=True)
        shutil.rmtree(self.dir / "marks")
        (self.dir / "marks").mkdir()
        self.must("up")
        self.settle()

    def last_words(self):
        logs = [self.dir / "state" / "host.log", self.dir / "up.log"]
        return "\n".join(line for log in logs if log.exists() for line in log.read_text().splitlines()[-40:])

    def clean_up(self):
        """Whatever has happened: nothing of it is left."""
        for pid in self.below.processes():
            for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
                try:
                    target = os.readlink(descriptor)
                except OSError:
                    continue
                if target.endswith(".pages"):
                    Path(target).unlink(missing_ok=True)
        self.below.end_all()
        os.chdir("/")
        shutil.rmtree(self.dir)


def end_on_signals():
    """So that what was started is cleaned up as well when we are told to stop."""

    def end(number, _frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
