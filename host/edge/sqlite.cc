#include "edge/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "edge/disk_error.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr int kBusyMilliseconds = 10'000;

struct CloseDatabase {
  void operator()(sqlite3 *database) const { sqlite3_close_v2(database); }
};
// SQLite makes a path of at most 512 bytes of whatever it is given, all links resolved; a state folder may lie deeper.
// So it gets a short path, through a descriptor of the folder, and takes it as it is.
sqlite3_vfs *literal_paths() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs copy = *sqlite3_vfs_find(nullptr);
    copy.zName = "hostler";
    copy.pNext = nullptr;
    copy.xFullPathname = [](sqlite3_vfs *, const char *path, int room, char *full) {
      if (std::strlen(path) >= static_cast<std::size_t>(room)) return SQLITE_CANTOPEN;
      std::strcpy(full, path);
      return SQLITE_OK;
    };
    return copy;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  return registered == SQLITE_OK ? &vfs : nullptr;
}

struct FinalizeStatement {
  void operator()(sqlite3_stmt *statement) const { sqlite3_finalize(statement); }
};
using StatementPtr = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// Leaves a statement as it was before its use, whatever happened.
class Use {
 public:
  explicit Use(sqlite3_stmt *statement) : statement_(statement) {}
  Use(const Use &) = delete;
  Use &operator=(const Use &) = delete;
  ~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

 private:
  sqlite3_stmt *statement_;
};

// A null pointer would bind NULL, also where a text or blob is merely empty.
const char *not_null(std::string_view bytes) {
  return bytes.data() == nullptr ? "" : bytes.data();
}

int bind(sqlite3_stmt *statement, int index, const SqlValue &value) {
  if (const auto *number = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, index, *number);
  if (const auto *text = std::get_if<std::string_view>(&value))
    return sqlite3_bind_text64(statement, index, not_null(*text), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  if (const auto *blob = std::get_if<SqlBlob>(&value))
    return sqlite3_bind_blob64(statement, index, not_null(blob->bytes), blob->bytes.size(), SQLITE_STATIC);
  return sqlite3_bind_null(statement, index);
}

std::string words(int code, sqlite3 *database) {
  const int number = database == nullptr ? 0 : sqlite3_system_errno(database);
  switch (code & 0xff) {
    case SQLITE_FULL: return "the disk is full";
    case SQLITE_IOERR:
      return fmt::format("I/O error{}{}", number == 0 ? "" : ": ", number == 0 ? "" : std::strerror(number));
    case SQLITE_CANTOPEN:
      return fmt::format("cannot be opened{}{}", number == 0 ? "" : ": ", number == 0 ? "" : std::strerror(number));
    case SQLITE_NOTADB: return "is not a ledger";
    case SQLITE_CORRUPT: return "is damaged";
    case SQLITE_BUSY: return "is locked by another process";
    case SQLITE_READONLY: return "cannot be written";
    default: return database == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database);
  }
}

const char *hint(int code) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return "put a copy of it back, or move it away with its -wal and -shm: jobs then begin from zero, in empty "
             "output "
             "folders";
    default: return "";
  }
}

// `number`: the errno behind it, or 0.
bool code_may_pass(int code, int number) {
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM: return true;
    case SQLITE_CANTOPEN: return may_pass(number);
    default: return false;
  }
}

}  // namespace

struct Database::Impl {
  std::string path;
  UniqueFd folder;  // outlives the database, which reaches its files through it
  std::unique_ptr<sqlite3, CloseDatabase> database;
  std::unordered_map<std::string_view, StatementPtr> statements;  // keys are literals
  bool failure_may_pass = false;

  tl::unexpected<Error> failed(int code) {
    failure_may_pass = code_may_pass(code, database == nullptr ? 0 : sqlite3_system_errno(database.get()));
    return tl::unexpected(Error{path, words(code, database.get()), hint(code), failure_may_pass});
  }

  Result<sqlite3_stmt *> prepare(const char *sql, std::initializer_list<SqlValue> values) {
    failure_may_pass = false;
    StatementPtr &kept = statements[sql];
    if (!kept) {
      sqlite3_stmt *made = nullptr;
      const int code = sqlite3_prepare_v3(database.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
      if (code != SQLITE_OK) return failed(code);
      kept.reset(made);
    }
    int index = 0;
    for (const SqlValue &value : values)
      if (const int code = bind(kept.get(), ++index, value); code != SQLITE_OK) return failed(code);
    return kept.get();
  }
};

bool SqlRow::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t SqlRow::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view SqlRow::bytes(int column) const {
  const void *data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string_view("")
                         : std::string_view(static_cast<const char *>(data), static_cast<std::size_t>(size));
}

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::Database(Database &&) noexcept = default;
Database &Database::operator=(Database &&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const std::string &path, Access access) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  const int flags = (access == Access::ReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const std::size_t slash = path.rfind('/');
  impl->folder.reset(::open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!impl->folder) return errno_error(errno, path, "cannot be opened");
  const std::string reached = fmt::format("/proc/self/fd/{}/{}", impl->folder.get(), path.substr(slash + 1));
  const sqlite3_vfs *vfs = literal_paths();
  sqlite3 *made = nullptr;
  const int code = sqlite3_open_v2(reached.c_str(), &made, flags, vfs == nullptr ? nullptr : vfs->zName);
  impl->database.reset(made);
  if (code != SQLITE_OK) return impl->failed(code);
  // Whatever keeps it from being opened for writing, SQLite then opens it for reading alone.
  if (access == Access::ReadWrite && sqlite3_db_readonly(made, "main") == 1)
    return fail(path, "cannot be opened for writing", "make it and its folder writable for the user that runs hostler");
  sqlite3_busy_timeout(made, kBusyMilliseconds);
  return Database(std::move(impl));
}

Result<void> Database::execute(const char *script) {
  const int code = sqlite3_exec(impl_->database.get(), script, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  sqlite3 *database = impl_->database.get();
  return tl::unexpected(
      Error{impl_->path, words(code, database), hint(code), code_may_pass(code, sqlite3_system_errno(database))});
}

Result<void> Database::run(const char *sql, std::initializer_list<SqlValue> values) {
  return each(sql, values, [](const SqlRow &) -> Result<void> { return {}; });
}

Result<void> Database::each(const char *sql, std::initializer_list<SqlValue> values, const TakeRow &take) {
  const Result<sqlite3_stmt *> statement = impl_->prepare(sql, values);
  if (!statement) return tl::unexpected(statement.error());
  const Use use(*statement);
  for (;;) {
    const int code = sqlite3_step(*statement);
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return impl_->failed(code);
    if (Result<void> taken = take(SqlRow(*statement)); !taken) return taken;
  }
}

Result<std::optional<std::int64_t>> Database::number(const char *sql, std::initializer_list<SqlValue> values) {
  std::optional<std::int64_t> found;
  const Result<void> done = each(sql, values, [&](const SqlRow &row) -> Result<void> {
    if (!found) found = row.integer(0);
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return found;
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(impl_->database.get()) == 0;
}

bool Database::failure_may_pass() const {
  return impl_->failure_may_pass;
}

}  // namespace hostler
