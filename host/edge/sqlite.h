// SQLite in our words: one database file, statements prepared once, errors as values. Used by one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/error.h"

struct sqlite3_stmt;

namespace hostler {

struct SqlBlob {
  std::string_view bytes;
};
// A value for a `?`. Texts and blobs are not copied: they must live until the call has returned.
using SqlValue = std::variant<std::nullptr_t, std::int64_t, std::string_view, SqlBlob>;

// The row a query stands at; valid during the call that hands it out.
class SqlRow {
 public:
  explicit SqlRow(sqlite3_stmt *statement) : statement_(statement) {}
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  // The bytes of a text or a blob.
  [[nodiscard]] std::string_view bytes(int column) const;
  [[nodiscard]] std::string text(int column) const { return std::string(bytes(column)); }

 private:
  sqlite3_stmt *statement_;
};

class Database {
 public:
  enum class Access { ReadWrite, ReadOnly };
  // `path` is absolute, and as long as one likes. ReadWrite makes the file when it is missing (its folder must be there).
  [[nodiscard]] static Result<Database> open(const std::string &path, Access access);
  Database(Database &&) noexcept;
  Database &operator=(Database &&) noexcept;
  ~Database();

  // One statement, or several, without values. Does not count as a failure for failure_may_pass().
  [[nodiscard]] Result<void> execute(const char *script);
  // `sql` is a literal: it is prepared once and kept.
  [[nodiscard]] Result<void> run(const char *sql, std::initializer_list<SqlValue> values = {});
  // Calls `take` for each row, until it fails. Within it other statements may run, but not the same one.
  using TakeRow = std::function<Result<void>(const SqlRow &)>;
  [[nodiscard]] Result<void> each(const char *sql, std::initializer_list<SqlValue> values, const TakeRow &take);
  // The first column of the first row, if there is one.
  [[nodiscard]] Result<std::optional<std::int64_t>> number(const char *sql,
                                                           std::initializer_list<SqlValue> values = {});

  [[nodiscard]] bool in_transaction() const;
  // Did the last run(), each() or number() fail for something that may pass: a full disk, an I/O error, want of memory,
  // another process's lock?
  [[nodiscard]] bool failure_may_pass() const;

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostler
