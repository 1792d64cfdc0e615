# Clients that are broken, slow, huge, or a thousand and do nothing: the host goes on answering, within bounded memory and
# descriptors, and its workers notice nothing.
source "$(dirname "$0")/../lib.sh"

drop tick.so
workers <<'YAML'
workers:
  - plugin: tick.so
    count: 2
YAML
exits 0 hostler up
wait_until '[ "$(running tick)" = 2 ]'
host=$(host_pid)
workers_before=$(pids tick)
descriptors() { ls "/proc/$host/fd" | wc -l; }
memory_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$host/status"; }
before=$(descriptors)

python3 - state/hostler.sock <<'PY' || die 'a client was not answered'
import os, random, socket, sys

def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(sys.argv[1])
    return s

def status():
    with connect() as s:
        s.sendall(b"GET /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := s.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200"), answer[:100]

def send(s, data):
    try:
        s.sendall(data)
    except OSError:
        pass  # it was closed on us, as it should be

random.seed(4)
crowd = []
for _ in range(1000):  # idle
    crowd.append(connect())
status()
for _ in range(1500):  # more than are taken, each in the middle of a request
    crowd.append(connect())
    send(crowd[-1], b"POST /v1/reload HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
    if len(crowd) > 1500:
        crowd.pop(0).close()
status()
for _ in range(50):  # huge
    crowd.append(connect())
    send(crowd[-1], b"POST /v1/check HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 999999)
status()
for size in (1, 10, 100, 10000, 1000000):  # broken
    for prefix in (b"", b"GET ", b"POST /v1/reload HTTP/1.1\r\n", b"POST /v1/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"):
        with connect() as s:
            send(s, prefix + random.randbytes(size))
status()
for _ in range(300):  # asks and is gone
    with connect() as s:
        send(s, b"GET /v1/status HTTP/1.1\r\n\r\n" * 50)
    with connect() as s:
        send(s, b"GET /v1/wait?timeout_ms=60000 HTTP/1.1\r\n\r\n")
    with connect() as s:
        send(s, b"POST /v1/check HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
status()
PY

wait_until "[ $before -ge \$(descriptors) ]"
[ "$(memory_kib)" -lt $((512 * 1024)) ] || die "the host has grown to $(memory_kib) KiB"
echo "memory of the host after it all: $(memory_kib) KiB"
assert_eq "$(host_pid)" "$host" 'pid of the host'
assert_eq "$(pids tick)" "$workers_before" 'pids of the workers'
wait_until 'hostler reload >/dev/null 2>&1' 60 # those who asked before are served first
exits 0 hostler down
assert_nobody_left
