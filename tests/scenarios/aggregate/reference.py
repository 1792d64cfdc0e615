"""What plugins/aggregate must write, made by one thread in another way: reference.py KEY[,KEY...] VALUE|- FILE...

The files are CSV with a header, KEY and VALUE are names. Writes `expected.tsv`, and to `expected.skipped` FILE:BYTE of each
line that does not fit. Prints how many lines did.
"""

import re
import sys
from decimal import Decimal

QUOTED = r'"(?:[^"]|"")*"'
LINE = re.compile(f'(?:{QUOTED}|[^",]*)(?:,(?:{QUOTED}|[^",]*))*')
COLUMN = re.compile(f'({QUOTED}|[^",]*)(?:,|$)')
NUMBER = re.compile(r"[-+]?(?:[0-9]{1,18}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")


def columns(line):
    """None: it is not CSV"""
    if not LINE.fullmatch(line):
        return None
    found = []
    at = 0
    while True:
        match = COLUMN.match(line, at)
        text = match.group(1)
        found.append(text[1:-1].replace('""', '"') if text.startswith('"') else text)
        at = match.end()
        if not match.group(0).endswith(","):
            return found


def plain(number):
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def main():
    keys, value, files = sys.argv[1].split(","), sys.argv[2], sys.argv[3:]
    table = {}
    skipped = []
    lines = 0
    for name in files:
        with open(name, encoding="latin-1", newline="\n") as file:
            header = columns(file.readline().rstrip("\n").removesuffix("\r"))
            at = file.tell()
            for line in file:
                begin, at = at, at + len(line)
                line = line.removesuffix("\n").removesuffix("\r")
                if not line:
                    continue
                row = columns(line)
                fits = row is not None and len(row) == len(header)
                fits = fits and not any("\t" in row[header.index(key)] for key in keys)
                number = None
                if fits and value != "-":
                    text = row[header.index(value)]
                    fits = NUMBER.fullmatch(text) is not None
                    number = Decimal(text) if fits else None
                if not fits:
                    skipped.append(f"{name}:{begin}")
                    continue
                lines += 1
                table.setdefault("\t".join(row[header.index(key)] for key in keys), []).append(number)
    with open("expected.tsv", "w", encoding="latin-1", newline="\n") as out:
        for key in sorted(table):
            numbers = table[key]
            more = "" if value == "-" else "".join(f"\t{plain(n)}" for n in (sum(numbers), min(numbers), max(numbers)))
            out.write(f"{key}\t{len(numbers)}{more}\n")
    with open("expected.skipped", "w") as out:
        out.writelines(f"{line}\n" for line in skipped)
    print(lines)


main()
