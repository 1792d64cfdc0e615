// The tables of the ledger. A change of them raises kLedgerSchema and says in Ledger::set_up() how the old ones become
// it.
#pragma once

namespace hostler {

inline constexpr int kLedgerSchema = 1;

// Positions in `slice` are global, all others local (core/slicing.h). `merge` is 1 for what merge() left: then input
// and begin are 0. Jobs are named by `key` so that one that begins anew leaves nothing to its successor.
inline constexpr const char *kLedgerTables = R"sql(
CREATE TABLE job(
  key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, id TEXT NOT NULL, output TEXT NOT NULL,
  kind INTEGER NOT NULL, slice_size INTEGER NOT NULL, unit INTEGER NOT NULL, base INTEGER NOT NULL,
  input_slice INTEGER NOT NULL, record_size INTEGER NOT NULL, range_begin INTEGER NOT NULL,
  range_end INTEGER NOT NULL, items_file TEXT NOT NULL,
  state INTEGER NOT NULL, reason TEXT NOT NULL, created_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
  output_told INTEGER NOT NULL DEFAULT 1) STRICT;
CREATE TABLE param(job INTEGER, name TEXT, value TEXT NOT NULL, PRIMARY KEY(job, name)) STRICT, WITHOUT ROWID;
CREATE TABLE input(job INTEGER, ordinal INTEGER, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  device INTEGER NOT NULL, inode INTEGER NOT NULL, PRIMARY KEY(job, ordinal)) STRICT, WITHOUT ROWID;
CREATE TABLE item(job INTEGER, ordinal INTEGER, item TEXT NOT NULL, PRIMARY KEY(job, ordinal)) STRICT, WITHOUT ROWID;
CREATE TABLE slice(job INTEGER, begin INTEGER, end INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL,
  temporaries INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY(job, begin)) STRICT, WITHOUT ROWID;
CREATE TABLE result(job INTEGER, merge INTEGER, input INTEGER, begin INTEGER, end INTEGER NOT NULL, data BLOB,
  files INTEGER NOT NULL, PRIMARY KEY(job, merge, input, begin)) STRICT;
CREATE TABLE counter(job INTEGER, merge INTEGER, name TEXT, total INTEGER NOT NULL, PRIMARY KEY(job, merge, name))
  STRICT, WITHOUT ROWID;
CREATE TABLE file(job INTEGER, merge INTEGER, input INTEGER, begin INTEGER, name TEXT,
  PRIMARY KEY(job, merge, input, begin, name)) STRICT, WITHOUT ROWID;
CREATE TABLE move(job INTEGER, merge INTEGER, input INTEGER, begin INTEGER, slice_begin INTEGER NOT NULL,
  slice_end INTEGER NOT NULL, attempt_dir TEXT NOT NULL, PRIMARY KEY(job, merge, input, begin)) STRICT, WITHOUT ROWID;
CREATE TABLE removal(path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
)sql";

// What came later: a ledger that has not got it yet gets it.
//
// stopped, paused: entries, services among the stopped ones, by an operator. attempt: what joblog tells (core/attempt.h);
// input -1 is the merge; no verdict is "done", and only what is not done can be looked up by its slice: of many millions
// of slices nearly all are done. trouble: what the row of a slice remembers of crashes (core/trouble.h). isolated: what is
// known of records, as long as the rows that begin there say that they are.
// of slices nearly all are done.
//
// checkpoint: of slices that have not ended, by where they begin; `slice` (that again) and `position` are global.
// checkpoint_counter, checkpoint_file: what all their segments have counted and written. aside: records that were put aside,
// by the slice that begins at `slice`.
inline constexpr const char *kLedgerLater = R"sql(
CREATE TABLE IF NOT EXISTS stopped(entry TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paused(entry TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS build(id INTEGER PRIMARY KEY, hash TEXT NOT NULL, library TEXT NOT NULL,
  UNIQUE(hash, library)) STRICT;
CREATE TABLE IF NOT EXISTS attempt(job INTEGER, seq INTEGER, input INTEGER NOT NULL, begin INTEGER NOT NULL,
  last_input INTEGER NOT NULL, end INTEGER NOT NULL, slices INTEGER NOT NULL, positions INTEGER NOT NULL,
  attempt INTEGER NOT NULL, verdict TEXT NOT NULL, code INTEGER NOT NULL, signal INTEGER NOT NULL,
  worker INTEGER NOT NULL, build INTEGER NOT NULL, began_at INTEGER NOT NULL, took_us INTEGER NOT NULL,
  reason TEXT NOT NULL, PRIMARY KEY(job, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attempt_failed ON attempt(job, input, begin) WHERE verdict <> '';
CREATE TABLE IF NOT EXISTS trouble(job INTEGER, begin INTEGER, text TEXT NOT NULL, PRIMARY KEY(job, begin))
  STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS isolated(job INTEGER, input INTEGER, begin INTEGER, end INTEGER NOT NULL, bytes BLOB,
  backtrace TEXT, PRIMARY KEY(job, input, begin)) STRICT;
CREATE TABLE IF NOT EXISTS checkpoint(job INTEGER, input INTEGER, begin INTEGER, slice INTEGER NOT NULL,
  position INTEGER NOT NULL, state_version INTEGER NOT NULL, attempt_dir TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY(job, input, begin)) STRICT;
CREATE TABLE IF NOT EXISTS checkpoint_counter(job INTEGER, input INTEGER, begin INTEGER, name TEXT,
  total INTEGER NOT NULL, PRIMARY KEY(job, input, begin, name)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint_file(job INTEGER, input INTEGER, begin INTEGER, name TEXT, size INTEGER NOT NULL,
  PRIMARY KEY(job, input, begin, name)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aside(job INTEGER, input INTEGER, begin INTEGER, end INTEGER NOT NULL,
  slice INTEGER NOT NULL, bytes BLOB NOT NULL, reason TEXT NOT NULL, PRIMARY KEY(job, input, begin)) STRICT;
CREATE INDEX IF NOT EXISTS aside_slice ON aside(job, input, slice);
CREATE TABLE IF NOT EXISTS usage(job INTEGER PRIMARY KEY, workers INTEGER NOT NULL, cpu_us INTEGER NOT NULL,
  peak_bytes INTEGER NOT NULL) STRICT;
)sql";

}  // namespace hostler
