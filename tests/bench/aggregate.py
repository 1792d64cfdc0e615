#!/usr/bin/env python3
"""Count, sum, least and greatest value by key of a CSV file: hostler's plugin aggregate on two workers, and what people
use today for the same. All must write the same bytes.

aggregate.py HOSTLER PLUGINS FILE.csv KEY VALUE [--rounds N]
KEY and VALUE are numbers of columns, from 1 on; the file has a header and no quotes. A program that is not installed is
left out. They run in turns; told are the medians of the whole command, and of the processor time that it took with all
its children (of hostler: of its workers).
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HOSTLER = "hostler, 2 workers"

ROWS = """NR > 1 || !header {
  if (!(KEY in n) || VALUE < low[KEY]) low[KEY] = VALUE
  if (!(KEY in n) || VALUE > high[KEY]) high[KEY] = VALUE
  n[KEY]++; sum[KEY] += VALUE }
END { for (k in n) printf "%s\\t%d\\t%.0f\\t%d\\t%d\\n", k, n[k], sum[k], low[k], high[k] }"""
PARTS = """{
  if (!($1 in n) || $4 < low[$1]) low[$1] = $4
  if (!($1 in n) || $5 > high[$1]) high[$1] = $5
  n[$1] += $2; sum[$1] += $3 }
END { for (k in n) printf "%s\\t%d\\t%.0f\\t%d\\t%d\\n", k, n[k], sum[k], low[k], high[k] }"""


def competitors(arguments, folder):
    """Name, the programs it needs, its command in sh"""
    file, key, value = arguments.file, arguments.key, arguments.value
    rows = ROWS.replace("KEY", f"${key}").replace("VALUE", f"(${value} + 0)")
    for name, text in (("rows.awk", rows), ("parts.awk", PARTS)):
        with open(os.path.join(folder, name), "w") as script:
            script.write(text)
    with open(file) as opened:
        header = opened.readline().rstrip("\r\n").split(",")
    config = os.path.join(folder, "workers.yaml")
    with open(config, "w") as written:
        written.write(
            f"host: {{plugins: {arguments.plugins}}}\n"
            f"workers:\n  - plugin: aggregate.so\n    count: 2\n    input: {{lines: {file}}}\n"
            f"    params: {{header: true, key: {key}, value: {value}}}\n"
        )
    output = os.path.join(folder, "state/output/aggregate/aggregate.tsv")
    awk = "{} -F, -v header=1 -f rows.awk " + file + " | sort"
    split = (
        f"tail -n +2 {file} >body.csv && parallel --will-cite --pipepart -a body.csv --block -1 -j2 "
        f"mawk -F, -f rows.awk | mawk -F'\\t' -f parts.awk | sort"
    )
    names = f"-f {header[value - 1]} -g {header[key - 1]}"
    return [
        (HOSTLER, [], f"rm -rf state && {arguments.hostler} run -c {config} >&2 && cat {output}"),
        ("mawk, sort", ["mawk"], awk.format("mawk")),
        ("gawk, sort", ["gawk"], awk.format("gawk")),
        ("datamash", ["datamash"], f"datamash -t, --header-in -s -g {key} count {value} sum {value} min {value} max {value}"
         f" <{file} | tr , '\\t'"),
        ("Miller", ["mlr"], f"mlr --icsv --otsv stats1 -a count,sum,min,max {names} {file} | tail -n +2 | sort"),
        ("GNU parallel, 2 mawk", ["parallel", "mawk"], split),
    ]


def cpu_of_workers(arguments, folder):
    """Seconds of processor time, as the job's report has it"""
    command = [arguments.hostler, "results", "aggregate", "--report", "--json", "-c", f"{folder}/workers.yaml"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["cpu_seconds"]


def run(command, folder):
    """Seconds, seconds of processor time, the output"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    result = subprocess.run(["sh", "-ec", command], cwd=folder, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    taken = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode != 0:
        sys.exit(f"{command}: exit {result.returncode}: {result.stderr.decode()[-500:]}")
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hostler", type=os.path.abspath)
    parser.add_argument("plugins", type=os.path.abspath)
    parser.add_argument("file", type=os.path.abspath)
    parser.add_argument("key", type=int)
    parser.add_argument("value", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hostler-bench-") as folder:
        taken = {}
        expected = None
        for turn in range(arguments.rounds + 1):
            for name, programs, command in competitors(arguments, folder):
                if not all(shutil.which(program) for program in programs):
                    continue
                wall, cpu, output = run(command, folder)
                if name == HOSTLER:
                    cpu += cpu_of_workers(arguments, folder)
                expected = expected or output
                if output != expected:
                    sys.exit(f"{name} has written something else")
                if turn > 0:  # the first warms up
                    taken.setdefault(name, []).append((wall, cpu))
        print(f"{len(expected.splitlines())} keys, the same bytes from all\n")
        print("| | seconds | processor seconds | times hostler's |\n|---|--:|--:|--:|")
        own = statistics.median(wall for wall, _ in taken[HOSTLER])
        for name, times in taken.items():
            wall, cpu = (statistics.median(column) for column in zip(*times))
            print(f"| {name} | {wall:.2f} | {cpu:.2f} | {wall / own:.1f} |")


main()
