"""What faults.so is told: which calls of whom it is to meet, and what becomes of them."""

import mmap
import struct

EVERY = 1 << 30
HALF = 0  # instead of an errno: a transfer does half of what it was asked for
FAIL, STOP_BEFORE, STOP_AFTER = range(3)
WHO_STARTS, THE_HOST, A_WORKER = -1, -2, -3  # instead of a pid


class Rule:
    """Its layout is that of faults.c."""

    LAYOUT = struct.Struct("=iiiiiii44s128s")
    HITS, STOPPED = 16, 24  # where they stand

    def __init__(self, path):
        with open(path, "w+b") as file:
            file.truncate(self.LAYOUT.size)
            self.page = mmap.mmap(file.fileno(), self.LAYOUT.size)

    def arm(self, process, call, error=0, skip=0, times=EVERY, how=FAIL, place=""):
        self.disarm()
        self.LAYOUT.pack_into(self.page, 0, 0, error, skip, times, 0, how, 0, call.encode(), place.encode())
        struct.pack_into("=i", self.page, 0, process)

    def disarm(self):
        struct.pack_into("=i", self.page, 0, 0)

    def hits(self):
        return struct.unpack_from("=i", self.page, self.HITS)[0]

    def stopped(self):
        """The process that stands there, or 0."""
        return struct.unpack_from("=i", self.page, self.STOPPED)[0]
