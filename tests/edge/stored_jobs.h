// Jobs and steps for the tests of the ledger and its neighbours.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/job_store.h"
#include "core/output_layout.h"
#include "edge/temp_dir.h"

namespace hostler {

// Ten numbers a slice.
inline StoredJob range_job(const std::string &name, std::int64_t count, const std::string &output) {
  StoredJob job;
  job.name = name;
  job.id = name + "-1";
  job.identity.input.kind = InputKind::Range;
  job.identity.input.end = count;
  job.identity.output = output;
  job.identity.params = {{"top", "20"}};
  job.manifest = Manifest(InputKind::Range, {{"", count, 0, 0, 0}}, 10, 1, 0, {}, 1);
  return job;
}

inline StoredJob lines_job(const std::string &name, const std::vector<Input> &inputs, const std::string &output) {
  StoredJob job;
  job.name = name;
  job.id = name + "-1";
  job.identity.input.kind = InputKind::Lines;
  job.identity.input.slice = 10;
  job.identity.output = output;
  job.manifest = Manifest(InputKind::Lines, inputs, 10, 1, 0, {}, 1);
  return job;
}

inline RowDelta put_row(std::int64_t begin, std::int64_t end, SliceState state) {
  return {std::nullopt, SliceRow{begin, end, state, 0, 0, {}}};
}

// Writes the files of an attempt as a worker would, and gives the step that commits them.
inline MoveFiles attempt(const std::string &job, const std::string &output, std::int64_t begin,
                         const std::vector<std::string> &files, const std::string &text = "text") {
  MoveFiles move;
  move.job = job;
  move.slice = {begin, begin + 10};
  move.begin = begin;
  move.end = begin + 10;
  move.attempt_dir = output + "/.attempts/0-" + std::to_string(begin) + ".7";
  move.files = files;
  std::filesystem::create_directories(move.attempt_dir);
  for (const std::string &file : files) write_file(move.attempt_dir + "/" + file, text);
  return move;
}

inline std::string part_path(const std::string &output, std::int64_t begin, const std::string &name) {
  return output + "/" + output_path({false, 0, begin}, name);
}

}  // namespace hostler
