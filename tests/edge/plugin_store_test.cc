#include "edge/plugin_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "edge/temp_dir.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

class PluginStoreTest : public testing::Test {
 protected:
  TempDir dir;
  PluginStore store{dir.path("store"), HOSTLER_BINARY};

  std::string drop(const std::string &name, const std::string &as = {}) {
    std::string path = dir.path(as.empty() ? name : as);
    fs::copy_file(std::string(HOSTLER_TEST_PLUGINS) + "/" + name, path, fs::copy_options::overwrite_existing);
    return path;
  }
  std::string refusal(const std::string &plugin, const std::string &pin = {}) const {
    const auto build = store.add(plugin, pin);
    return build ? "accepted" : build.error().text();
  }
};

TEST_F(PluginStoreTest, CopiesAndInspectsAPlugin) {
  const std::string plugin = drop("sums.so");
  const auto build = store.add(plugin, "");
  ASSERT_TRUE(build) << build.error().text();
  EXPECT_EQ(build->id, "sums");
  EXPECT_EQ(build->version, "1.0.0");
  EXPECT_EQ(build->flags, 1);
  EXPECT_TRUE(build->has_merge);
  EXPECT_EQ(build->hash.size(), 64U);
  EXPECT_EQ(build->library, dir.path("store/" + build->hash + "/sums.so"));
  EXPECT_EQ(read_file(build->library), read_file(plugin));
}

TEST_F(PluginStoreTest, KnowsABuildAgain) {
  const std::string plugin = drop("nothing.so");
  const auto first = store.add(plugin, "");
  ASSERT_TRUE(first) << first.error().text();
  // Another store cannot inspect, and need not.
  const PluginStore blind(dir.path("store"), "/no/such/binary");
  EXPECT_EQ(*blind.add(plugin, ""), *first);
  // The same bytes under another name are the same build, looked at once more.
  const auto other = store.add(drop("nothing.so", "other.so"), "");
  ASSERT_TRUE(other) << other.error().text();
  EXPECT_EQ(other->hash, first->hash);
  EXPECT_EQ(other->library, dir.path("store/" + first->hash + "/other.so"));
}

// What it copies passes through a folder in the store, which shows in the date of that.
TEST_F(PluginStoreTest, CopiesAFileThatHasNotChangedOnce) {
  const std::string plugin = drop("nothing.so");
  const auto first = store.add(plugin, "");
  ASSERT_TRUE(first) << first.error().text();
  const auto is_copied_again = [&] {
    const auto date = fs::file_time_type::clock::now() - std::chrono::hours(1);
    fs::last_write_time(dir.path("store"), date);
    const auto again = store.add(plugin, "");
    EXPECT_EQ(again.value_or(Build{}), *first);
    return fs::last_write_time(dir.path("store")) != date;
  };
  EXPECT_TRUE(is_copied_again()) << "it was too young";
  while (is_copied_again()) continue;  // until it is old enough
  EXPECT_FALSE(is_copied_again());
  EXPECT_NE(refusal(plugin, std::string(64, '0')).find("has sha256"), std::string::npos);
  fs::remove(first->library);
  EXPECT_TRUE(is_copied_again());
  EXPECT_TRUE(fs::exists(first->library));
  EXPECT_FALSE(is_copied_again());
  const auto other = store.add(drop("crash.so", "nothing.so"), "");
  ASSERT_TRUE(other) << other.error().text();
  EXPECT_EQ(other->id, "crash");
}

TEST_F(PluginStoreTest, InspectsAgainWhatItsNoteCannotBeReadOf) {
  const std::string plugin = drop("nothing.so");
  const auto first = store.add(plugin, "");
  ASSERT_TRUE(first) << first.error().text();
  ASSERT_TRUE(fs::remove(first->library + ".facts"));
  fs::create_directory(first->library + ".facts");  // can be opened, and not read
  EXPECT_EQ(store.add(plugin, "").value_or(Build{}), *first);
}

TEST_F(PluginStoreTest, TellsBuildsApart) {
  const auto first = store.add(drop("nothing.so", "plugin.so"), "");
  const auto second = store.add(drop("crash.so", "plugin.so"), "");
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->hash, second->hash);
  EXPECT_EQ(second->id, "crash");
  EXPECT_EQ(read_file(first->library), read_file(std::string(HOSTLER_TEST_PLUGINS) + "/nothing.so"));
}

TEST_F(PluginStoreTest, TakesAPluginThatIsPinned) {
  const std::string plugin = drop("nothing.so");
  const std::string hash = store.add(plugin, "")->hash;
  EXPECT_TRUE(store.add(plugin, hash));
  EXPECT_NE(refusal(plugin, std::string(64, '0')).find("has sha256 " + hash + ", pinned is 000"), std::string::npos);
}

TEST_F(PluginStoreTest, CopiesLibrariesThatLieBesideIt) {
  const std::string plugin = drop("has_library.so");
  drop("libelsewhere.so");
  const auto build = store.add(plugin, "");
  ASSERT_TRUE(build) << build.error().text();
  EXPECT_TRUE(fs::exists(fs::path(build->library).parent_path() / "libelsewhere.so"));
  // Another library is another build, though the plugin is the same.
  fs::copy_file(std::string(HOSTLER_TEST_PLUGINS) + "/run_elsewhere.so", dir.path("libelsewhere.so"),
                fs::copy_options::overwrite_existing);
  EXPECT_NE(refusal(plugin).find("elsewhere"), std::string::npos) << "a symbol that is missing there";
}

TEST_F(PluginStoreTest, NamesALibraryThatIsMissing) {
  EXPECT_NE(refusal(drop("has_library.so")).find("libelsewhere.so"), std::string::npos);
}

TEST_F(PluginStoreTest, NamesBothSidesOfAMismatch) {
  const std::string plugin = drop("wrong_abi.so");
  EXPECT_EQ(refusal(plugin), plugin +
                                 ": plugin speaks ABI 7.42, this host 1.0: update hostler, or build the plugin with "
                                 "this hostler's hostler/plugin.h");
}

TEST_F(PluginStoreTest, TakesEveryMinorVersionUpToTheHostsOwnMajorOne) {
  EXPECT_NE(refusal(drop("newer_minor.so")).find("plugin speaks ABI 1.1, this host 1.0: update hostler"),
            std::string::npos);
  EXPECT_NE(refusal(drop("older_major.so")).find("plugin speaks ABI 0.1, this host 1.0: build the plugin with"),
            std::string::npos);
  EXPECT_EQ(refusal(drop("oldest.so")), "accepted");
}

TEST_F(PluginStoreTest, RefusesADescriptionThatIsNotOfTheAbiThatItNames) {
  EXPECT_NE(refusal(drop("short_about.so")).find("says it has 48 bytes, in ABI 1.0 it has 56"), std::string::npos);
  EXPECT_NE(refusal(drop("unknown_flag.so")).find("flags 0x2 has bits that this host does not know"),
            std::string::npos);
}

TEST_F(PluginStoreTest, RefusesWhatIsNoPluginAndSaysWhy) {
  EXPECT_NE(refusal(drop("no_run.so")).find("exports no run()"), std::string::npos);
  EXPECT_NE(refusal(drop("no_plugin.so")).find("exports no hostler_plugin"), std::string::npos);
  EXPECT_NE(refusal(drop("undefined_symbol.so")).find("nowhere_to_be_found"), std::string::npos);
  drop("libelsewhere.so");
  const std::string words = refusal(drop("run_elsewhere.so"));
  EXPECT_NE(words.find("run() is not the plugin's own"), std::string::npos) << words;
  EXPECT_NE(words.find("libelsewhere.so"), std::string::npos) << words;
}

TEST_F(PluginStoreTest, SurvivesAPluginThatDoesNotSurviveItsConstructor) {
  const std::string words = refusal(drop("crash_in_constructor.so"));
  EXPECT_NE(words.find("crashed (SIGSEGV, address not mapped, address 0x8) while being loaded"), std::string::npos)
      << words;
  EXPECT_NE(words.find(" in crash (crash_in_constructor.c:7)"), std::string::npos) << words;
  EXPECT_NE(refusal(drop("exit_in_constructor.so")).find("exited with 3 while being loaded"), std::string::npos);
}

TEST_F(PluginStoreTest, EndsAPluginThatHangsInItsConstructor) {
  const PluginStore impatient(dir.path("store"), HOSTLER_BINARY, std::chrono::seconds(2));  // it must get there
  const auto build = impatient.add(drop("hang_in_constructor.so"), "");
  ASSERT_FALSE(build);
  const std::string words = build.error().text();
  EXPECT_NE(words.find("did not finish loading within 2s"), std::string::npos) << words;
  EXPECT_NE(words.find(" in hang (hang_in_constructor.c:7)"), std::string::npos) << words;
}

TEST_F(PluginStoreTest, EndsWhatAConstructorHasStartedInASessionOfItsOwn) {
  const std::string file = dir.path("left");
  ::setenv("LEFT_BEHIND", file.c_str(), 1);
  const auto build = store.add(drop("leave_in_constructor.so"), "");
  ::unsetenv("LEFT_BEHIND");
  ASSERT_TRUE(build) << build.error().text();
  ASSERT_GT(read_pid(file), 0);
  EXPECT_TRUE(is_dead(read_pid(file)));
}

TEST_F(PluginStoreTest, StopsInspectingWhenItIsAskedTo) {
  std::stop_source stop;
  const std::string plugin = drop("hang_in_constructor.so");
  const PluginStore patient(dir.path("store"), HOSTLER_BINARY, std::chrono::hours(1));
  std::jthread asking([&] { stop.request_stop(); });
  const auto build = patient.add(plugin, "", {}, stop.get_token());
  ASSERT_FALSE(build);
  EXPECT_NE(build.error().what.find("the host is stopping"), std::string::npos) << build.error().text();
}

TEST_F(PluginStoreTest, ClearsWhatADeadHostLeftHalfMade) {
  ASSERT_TRUE(store.add(drop("nothing.so"), ""));
  fs::create_directory(dir.path("store") + "/.new-1-1");
  store.clear_workshops();
  EXPECT_FALSE(fs::exists(dir.path("store") + "/.new-1-1"));
  EXPECT_TRUE(store.add(drop("nothing.so"), ""));
}

TEST_F(PluginStoreTest, SurvivesAPluginThatWritesToEveryDescriptorInItsConstructor) {
  EXPECT_NE(refusal(drop("write_in_constructor.so")).find("disturbs its own inspection"), std::string::npos);
}

TEST_F(PluginStoreTest, RefusesAPluginThatIsCutAnywhere) {
  const std::string whole = read_file(std::string(HOSTLER_TEST_PLUGINS) + "/sums.so");
  std::vector<std::thread> threads;  // each is looked at for a second: it may be still being written
  for (std::size_t part = 1; part < 16; ++part)
    threads.emplace_back([&, part] {
      const std::string path = dir.path(std::to_string(part) + ".so");
      write_file(path, whole.substr(0, whole.size() * part / 16));
      EXPECT_NE(refusal(path).find("is cut short"), std::string::npos) << part;
    });
  for (std::thread &thread : threads) thread.join();
}

TEST_F(PluginStoreTest, RefusesFilesThatAreNoSharedObject) {
  write_file(dir.path("text.so"), "#!/bin/sh\n" + std::string(1000, 'x'));
  EXPECT_NE(refusal(dir.path("text.so")).find("is not a shared object"), std::string::npos);
  fs::create_directory(dir.path("folder.so"));
  EXPECT_NE(refusal(dir.path("folder.so")).find("is not a regular file"), std::string::npos);
  EXPECT_NE(refusal(dir.path("missing.so")).find("No such file"), std::string::npos);
  ASSERT_EQ(::mkfifo(dir.path("fifo.so").c_str(), 0600), 0);
  EXPECT_NE(refusal(dir.path("fifo.so")).find("is not a regular file"), std::string::npos);
}

// Half a copy is refused or, once it is whole, taken; it never crashes anybody.
TEST_F(PluginStoreTest, WaitsForAFileThatIsStillBeingWritten) {
  const std::string whole = read_file(std::string(HOSTLER_TEST_PLUGINS) + "/sums.so");
  const std::string path = dir.path("slow.so");
  write_file(path, whole.substr(0, whole.size() / 2));
  std::thread writer([&] { write_file(path, whole); });
  const auto build = store.add(path, "");
  writer.join();
  ASSERT_TRUE(build) << build.error().text();
  EXPECT_EQ(read_file(build->library), whole);
}

TEST_F(PluginStoreTest, LeavesNothingBehindOfWhatItRefused) {
  (void)refusal(drop("wrong_abi.so"));
  write_file(dir.path("text.so"), std::string(1000, 'x'));
  (void)refusal(dir.path("text.so"));
  for (const auto &entry : fs::directory_iterator(dir.path("store")))
    EXPECT_NE(entry.path().filename().string().front(), '.') << entry.path();
}

TEST_F(PluginStoreTest, MayBeUsedByManyAtOnce) {
  const std::string plugin = drop("sums.so");
  std::vector<std::string> hashes(8);
  std::vector<std::thread> threads;
  threads.reserve(hashes.size());
  for (std::string &hash : hashes)
    threads.emplace_back([&] {
      const auto build = store.add(plugin, "");
      hash = build ? build->hash : build.error().text();
    });
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(std::count(hashes.begin(), hashes.end(), hashes[0]), 8) << testing::PrintToString(hashes);
}

TEST_F(PluginStoreTest, MayBeReadByAWorkerOfAnotherUser) {
  const ::mode_t before = ::umask(077);
  const auto build = store.add(drop("nothing.so"), "");
  ::umask(before);
  ASSERT_TRUE(build) << build.error().text();
  for (const fs::path &path :
       {fs::path(build->library), fs::path(build->library).parent_path(), fs::path(dir.path("store"))})
    EXPECT_EQ(fs::status(path).permissions(), fs::perms(0755)) << path;
}

}  // namespace
}  // namespace hostler
