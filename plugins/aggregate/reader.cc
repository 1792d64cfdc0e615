#include "reader.h"

namespace aggregate {
namespace {

constexpr size_t kMostShown = 40;

std::string column_name(size_t column) {
  return "column " + std::to_string(column + 1);
}

std::string shortened(std::string_view text) {
  return text.size() <= kMostShown ? std::string(text) : std::string(text.substr(0, kMostShown)) + "...";
}

std::string wrong_count(size_t has, const Columns &columns) {
  return "the line has " + std::to_string(has) + (has == 1 ? " column, " : " columns, ") +
         (columns.exact ? "the header " : "expected at least ") + std::to_string(columns.count);
}

}  // namespace

Reader::Result Reader::read(std::string_view line) {
  if (const std::string_view wrong = fields_.split(line); !wrong.empty()) return {{}, std::string(wrong)};
  const auto &fields = fields_.columns();
  if (columns_.exact ? fields.size() != columns_.count : fields.size() < columns_.count)
    return {{}, wrong_count(fields.size(), columns_)};

  Result result;
  result.row.stats.count = 1;
  if (columns_.value) {
    const auto value = parse_number(fields[*columns_.value]);
    if (!value)
      return {{}, column_name(*columns_.value) + " is '" + shortened(fields[*columns_.value]) + "', expected a number"};
    result.row.stats = Stats::of(*value);
  }
  if (tabs_in_key_) {
    for (const size_t column : columns_.key)
      if (fields[column].find('\t') != std::string_view::npos)
        return {{}, column_name(column) + " holds a tab, which cannot stand in the output"};
  }
  result.row.key = join_key();
  return result;
}

std::string_view Reader::join_key() {
  const auto &fields = fields_.columns();
  if (columns_.key.size() == 1) return fields[columns_.key.front()];
  key_.clear();
  for (const size_t column : columns_.key) {
    if (column != columns_.key.front() || !key_.empty()) key_ += '\t';
    key_ += fields[column];
  }
  return key_;
}

}  // namespace aggregate
