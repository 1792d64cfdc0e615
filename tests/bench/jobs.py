"""What jobs cost, and what a person waits for at the command line."""

import json
import os
import subprocess
import time

from fleets import Board, Late


def timed(command):
    """Milliseconds, standard output"""
    begun = time.monotonic_ns()
    result = subprocess.run(command, capture_output=True, text=True)
    taken = (time.monotonic_ns() - begun) / 1e6
    if result.returncode != 0:
        raise Late(f"{' '.join(command)}: exit {result.returncode}: {result.stderr.strip()[-500:]}")
    return taken, result.stdout


def write_job(folder, built, text):
    path = os.path.join(folder, "workers.yaml")
    with open(path, "w") as file:
        file.write(f"host: {{plugins: {built}}}\nworkers:\n{text}")
    return path




def sum_by_hand(built, text):
    return timed([f"{built}/sum_limit", text])


def sum_by_hostler(hostler, built, folder, text):
    """Milliseconds from the first load to the last return; of the whole command."""
    board = Board(os.path.join(folder, "board"))
    slice_size = (os.path.getsize(text) + 63) // 64
    config = write_job(
        folder,
        built,
        f"  - plugin: field_sum.so\n    count: 2\n    input: {{lines: {text}, slice: {slice_size}}}\n"
        f"    params: {{board: {board.path}}}\n",
    )
    whole, _ = timed([hostler, "run", "-c", config])
    return board.work() / 1e6, whole


def slices_a_second(hostler, built, folder, slices, leaves):
    params = "    params: {leaves: all}\n" if leaves else ""
    config = write_job(
        folder,
        built,
        f"  - plugin: nothing.so\n    count: 2\n    input: {{range: {{end: {slices}}}, slice: 1}}\n{params}",
    )
    taken, _ = timed([hostler, "run", "-c", config])
    return slices / taken * 1000


def claim_time(hostler, built, folder):
    """Nanoseconds of a claim, one call for each position."""
    config = write_job(folder, built, "  - plugin: claims.so\n    count: 1\n    input: {range: {end: 300000000}, slice: 300000000}\n")
    timed([hostler, "run", "-c", config])
    return int(timed([hostler, "results", "claims", "-c", config])[1].split()[-1]) / 1000


def one_slice(hostler, built, folder, workers):
    """Milliseconds of the whole command, for a job of one slice."""
    config = write_job(
        folder,
        built,
        f"  - plugin: claims.so\n    count: {workers}\n    input: {{range: {{end: 20000000}}, slice: 20000000}}\n"
        "    params: {work: 1000}\n",
    )
    return timed([hostler, "run", "-c", config])[0]


def check_time(hostler, built, folder, entries):
    text = "".join(
        f"  - name: tick{i:04}\n    plugin: bench_tick.so\n    count: 2\n    params: {{interval: 5}}\n"
        for i in range(entries)
    )
    return timed([hostler, "check", "-c", write_job(folder, built, text)])[0]


def status_time(hostler, config, as_json):
    taken, text = timed([hostler, "status", "-c", config] + (["--json"] if as_json else []))
    if as_json:
        json.loads(text)
    return taken
