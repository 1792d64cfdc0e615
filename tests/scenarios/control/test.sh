# The control socket: docs/control.md as it is written, and clients that behave badly.
source "$(dirname "$0")/../lib.sh"

drop tick.so sums.so
workers <<'END'
workers:
  - plugin: tick.so
    params: {interval: 0.01}
  - plugin: sums.so
    count: 1
    input: {range: {begin: 0, end: 1000}}
END
exits 0 hostler up
socket=state/hostler.sock
assert_eq "$(stat -c %a $socket)" 600 'mode of the socket'
http() { curl --silent --max-time 20 --output reply --write-out '%{http_code}' --unix-socket $socket "$@" || true; }

# Requests that make no sense are answered, with words.
told() { jq -e 'has("error") and has("where") and has("what") and has("hint")' reply >/dev/null || die "$(<reply)"; }
assert_eq "$(http http://x/v1/nothing)" 404
told
assert_in '/v1/status' "$(jq -r .hint reply)"
assert_eq "$(http -X POST http://x/v1/status)" 405
assert_eq "$(http -X DELETE http://x/v1/reload)" 405
assert_eq "$(http 'http://x/v1/wait?timeout_ms=soon')" 400
assert_eq "$(http -X POST http://x/v1/reload -d '{"fresh": 7}')" 400
assert_eq "$(http -X POST http://x/v1/reload -d '{"fresh": ["nobody"]}')" 409
assert_in 'no entry has this name' "$(jq -r .error reply)"
for query in 'wrokers=shown' 'workers=foo' 'workers' 'layout=wide' 'timeout_ms=1'; do
  assert_eq "$(http "http://x/v1/status?$query")" 400
  told
done
assert_eq "$(http 'http://x/v1/status?wrokers=shown')" 400
assert_eq "$(jq -r .error reply)" 'unknown key "wrokers" (did you mean "workers"?)'
assert_eq "$(http -X POST 'http://x/v1/check?fresh=a')" 400
assert_eq "$(http -X POST 'http://x/v1/stop?name=tick' -d '{"all": true}')" 400
assert_eq "$(http 'http://x/v1/status?workers=shown&layout=pretty')" 200
assert_eq "$(http -X POST http://x/v1/stop -d '{"all": true, "names": ["tick"]}')" 409
assert_in 'given names and all' "$(jq -r .error reply)"
head -c 30000000 /dev/zero >huge
assert_eq "$(http -X POST http://x/v1/reload --data-binary @huge)" 413
told
assert_eq "$(http -H "X: $(head -c 100000 /dev/zero | tr '\0' x)" http://x/v1/status)" 431
told
perl -MIO::Socket::UNIX -e '
  my $client = IO::Socket::UNIX->new(Peer => $ARGV[0]);
  syswrite $client, "rubbish\r\n\r\n";
  local $/;
  print <$client> =~ /\r\n\r\n(.*)/s;
' $socket >reply
told

# Clients that say nothing, half a request, or rubbish, hold up nobody.
perl -MIO::Socket::UNIX -e '
  my @said = ("", "GET", "POST /v1/reload HTTP/1.1\r\nContent-Length: 100\r\n\r\n{", "\0\1\2", "GET /v1/status HTTP/9.9\r\n\r\n",
              "POST /v1/reload HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n");
  $SIG{PIPE} = "IGNORE";
  for my $i (1 .. 60) {
    my $client = IO::Socket::UNIX->new(Peer => $ARGV[0]) or next;
    syswrite $client, $said[$i % @said];
    push @clients, $client;
  }
  $| = 1;
  print "there\n";
  sysread $clients[0], my $answer, 1; # half a request has no answer
' $socket >idle &
idle=$!
wait_until '[ -s idle ]'
assert_eq "$(http http://x/v1/status)" 200
kill "$idle"

# A slip of the keyboard is not taken for a wish for nothing.
before=$(pids tick)
assert_eq "$(http -X POST --data '{"nmaes": ["tick"]}' http://x/v1/stop)" 400
assert_in 'unknown key "nmaes" (did you mean "names"?)' "$(jq -r .error reply)"
assert_eq "$(http -X POST --data '{"frsh": ["tick"]}' http://x/v1/reload)" 400
assert_eq "$(pids tick)" "$before"

# A wrong configuration is 422 and changes nothing.
cp workers.yaml good.yaml
printf 'workers:\n  - {plugin: tick.so, cout: 2}\n' >workers.yaml
assert_eq "$(http -X POST http://x/v1/reload)" 422
assert_in 'count' "$(jq -r .error reply)"
assert_eq "$(pids tick)" "$before"
cp good.yaml workers.yaml

blocks sh <"$SOURCE_DIR/docs/control.md" >snippet.sh
exits 0 bash -eu snippet.sh
assert_in 'tick running' "$said"
assert_in 'true' "$said"
assert_nobody_left
