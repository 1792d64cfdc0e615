#include "edge/known_builds.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "edge/temp_dir.h"

namespace hostler {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class KnownBuildsTest : public testing::Test {
 protected:
  KnownBuildsTest() {
    write_file(plugin, "plugin");
    known.plugin_hash = "hash";
    known.build.library = dir.path("copy.so");
    write_file(known.build.library, "copy");
  }
  // As it is now, read when it had not changed for so long.
  [[nodiscard]] Sight seen(const std::string &path, std::chrono::nanoseconds age) const {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return {path, status, age};
  }
  bool is_known(Sight sight) {
    known.sights = {std::move(sight)};
    builds.remember(plugin, known);
    return builds.find(plugin).has_value();
  }

  TempDir dir;
  std::string plugin = dir.path("p.so");
  KnownBuild known;
  KnownBuilds builds;
};

TEST_F(KnownBuildsTest, KnowsWhatHasNotChanged) {
  EXPECT_FALSE(builds.find(plugin));
  ASSERT_TRUE(is_known(seen(plugin, 10s)));
  EXPECT_EQ(builds.find(plugin)->plugin_hash, "hash");
  EXPECT_EQ(builds.find(plugin)->build, known.build);
  EXPECT_FALSE(builds.find(dir.path("other.so")));
}

TEST_F(KnownBuildsTest, DoesNotTrustAFileThatWasYoungWhenItWasRead) {
  EXPECT_FALSE(is_known(seen(plugin, 1s)));
  EXPECT_FALSE(is_known(seen(plugin, -1h))) << "the clock was set back";
}

TEST_F(KnownBuildsTest, NoticesAFileThatIsAnotherOne) {
  const Sight before = seen(plugin, 10s);
  write_file(dir.path("new.so"), "plugin");
  fs::rename(dir.path("new.so"), plugin);
  EXPECT_FALSE(is_known(before));
  EXPECT_TRUE(is_known(seen(plugin, 10s)));
}

TEST_F(KnownBuildsTest, NoticesAFileThatIsOverwrittenInPlaceAndDatedBack) {
  fs::last_write_time(plugin, fs::file_time_type::clock::now() - 1h);
  const Sight before = seen(plugin, 10s);
  const auto date = fs::last_write_time(plugin);
  // Not within the same tick of the clock as what came before: that is what the age is for.
  const auto changed_at = [&] {
    struct stat status {};
    EXPECT_EQ(::stat(plugin.c_str(), &status), 0);
    return std::pair(status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  };
  const auto then = changed_at();
  while (changed_at() == then) {
    write_file(plugin, "PLUGIN");
    fs::last_write_time(plugin, date);
  }
  EXPECT_FALSE(is_known(before));
}

TEST_F(KnownBuildsTest, NoticesAFileThatComesOrGoes) {
  const Sight none(dir.path("lib.so"));
  EXPECT_TRUE(is_known(none));
  write_file(dir.path("lib.so"), "library");
  EXPECT_FALSE(is_known(none));
  const Sight there = seen(dir.path("lib.so"), 10s);
  fs::remove(dir.path("lib.so"));
  EXPECT_FALSE(is_known(there));
  fs::create_directory(dir.path("lib.so"));
  EXPECT_FALSE(is_known(there));
}

TEST_F(KnownBuildsTest, KnowsNothingOfACopyThatIsGone) {
  ASSERT_TRUE(is_known(seen(plugin, 10s)));
  fs::remove(known.build.library);
  EXPECT_FALSE(builds.find(plugin));
}

}  // namespace
}  // namespace hostler
