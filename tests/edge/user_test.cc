// Workers that run as somebody else than the host, which must be root for this.
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <filesystem>

#include "edge/fleet_harness.h"
#include "edge/plugin_store.h"
#include "edge/this_machine.h"

namespace hostler {
namespace {

class UserTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!machine.powers().root) GTEST_SKIP() << "only root can run workers as somebody else";
    nobody = *machine.find_user("nobody");
    nobody.groups.push_back(12345);
    std::filesystem::permissions(h.dir.path(), std::filesystem::perms(0711));
    std::filesystem::create_directories(h.dir.path("home"));
    ASSERT_EQ(::chown(h.dir.path("home").c_str(), nobody.uid, nobody.gid), 0);
  }
  // The plugin is where its user can reach it.
  Start as_nobody(const char *what, const std::string &plugin = "confined.so") {
    Start start = h.start_of(plugin, {{"do", what}, {"file", h.dir.path("home/told")}});
    start.user = nobody;
    std::filesystem::copy_file(start.library, h.dir.path(plugin));
    std::filesystem::permissions(h.dir.path(plugin), std::filesystem::perms(0755));
    start.library = h.dir.path(plugin);
    return start;
  }

  FleetHarness h;
  ThisMachine machine;
  User nobody;
};

TEST_F(UserTest, AWorkerIsItsUserWithAllItsGroupsAndNoOther) {
  const WorkerId worker = h.launch(as_nobody("tell"));
  h.until([&] { return !read_file(h.dir.path("home/told")).empty() || h.seen[worker].status; });
  const std::string told = read_file(h.dir.path("home/told"));
  const std::string uid = std::to_string(nobody.uid);
  const std::string gid = std::to_string(nobody.gid);
  EXPECT_NE(told.find("\nuid " + uid + " " + uid + "\n"), std::string::npos) << told;
  EXPECT_NE(told.find("\ngid " + gid + " " + gid + "\n"), std::string::npos) << told;
  EXPECT_NE(told.find(" 12345"), std::string::npos) << told;
  // Which becoming somebody else takes away.
  EXPECT_NE(told.find("\ndeath 9\ndumpable 1\n"), std::string::npos) << told;
  h.fleet->stop(worker, StopWord::Cancel, 0);
  h.until_gone(worker);
  EXPECT_EQ(*h.seen[worker].status, (WaitStatus{false, 0, false}));
}

TEST_F(UserTest, TheCrashOfAnotherUsersWorkerIsReportedLikeAnyOther) {
  const WorkerId worker = h.launch(as_nobody("", "crash.so"));
  h.until_gone(worker);
  EXPECT_EQ(h.seen[worker].status->value, SIGSEGV);
  EXPECT_TRUE(h.seen[worker].crash);
}

TEST_F(UserTest, OutputsAreMadeByTheUserInAFolderOfItsOwn) {
  std::filesystem::create_directories(h.dir.path("out"));
  std::filesystem::permissions(h.dir.path("out"), std::filesystem::perms(0750));
  Start start = as_nobody("output");
  start.job = true;
  Lease lease;
  lease.id = 7;
  lease.end = 1;
  lease.kind = InputKind::Range;
  lease.inputs = {Input{"", 1, 0, 0, 0}};
  h.when_told = [&](WorkerId told, const WorkerMessage &message) {
    if (std::holds_alternative<Loaded>(message)) h.fleet->lease(told, lease);
    if (std::holds_alternative<LeaseEnded>(message)) h.fleet->dismiss(told);
  };
  const WorkerId worker = h.launch(start);
  h.until_gone(worker);
  const auto ended = h.seen[worker].all<SliceEnded>();
  ASSERT_EQ(ended.size(), 1U) << page_reason(h.seen[worker].page);
  EXPECT_EQ(read_file(ended[0].attempt_dir + "/uid"), std::to_string(nobody.uid) + "\n");
  struct stat output {};
  struct stat attempt {};
  ASSERT_EQ(::stat(h.dir.path("out").c_str(), &output), 0);
  ASSERT_EQ(::stat(ended[0].attempt_dir.c_str(), &attempt), 0);
  EXPECT_EQ(output.st_uid, ::geteuid());  // what is committed, the user cannot take away
  EXPECT_EQ(output.st_gid, nobody.gid);
  EXPECT_EQ(attempt.st_uid, nobody.uid);
}

TEST_F(UserTest, AnOutputThatTheUserCannotReachIsSaidBeforeItsPluginIsLoaded) {
  std::filesystem::create_directories(h.dir.path("closed/out"));
  std::filesystem::permissions(h.dir.path("closed"), std::filesystem::perms(0700));
  Start start = as_nobody("output");
  start.job = true;
  start.attempts_dir = h.dir.path("closed/out/.attempts");
  const WorkerId worker = h.launch(start);
  h.until_gone(worker);
  EXPECT_EQ(h.seen[worker].page.failed_before_run, 1U);
  EXPECT_NE(page_reason(h.seen[worker].page).find("cannot be used by nobody: Permission denied"), std::string::npos)
      << page_reason(h.seen[worker].page);
}

TEST_F(UserTest, AFolderOfAttemptsThatIsALinkElsewhereIsNotGivenAway) {
  std::filesystem::create_directories(h.dir.path("out"));
  std::filesystem::create_directories(h.dir.path("precious"));
  std::filesystem::create_directory_symlink(h.dir.path("precious"), h.dir.path("out/.attempts"));
  Start start = as_nobody("output");
  start.job = true;
  const WorkerId worker = h.launch(start);
  h.until_gone(worker);
  EXPECT_EQ(h.seen[worker].page.failed_before_run, 1U);
  struct stat precious {};
  ASSERT_EQ(::stat(h.dir.path("precious").c_str(), &precious), 0);
  EXPECT_EQ(precious.st_uid, ::geteuid());
}

TEST_F(UserTest, APluginIsInspectedAsTheUserOfItsEntry) {
  const std::string file = h.dir.path("home/who");
  ::setenv("HOSTLER_TEST_WHO", file.c_str(), 1);
  const PluginStore store(h.dir.path("store"), HOSTLER_BINARY);
  const auto build = store.add(std::string(HOSTLER_TEST_PLUGINS) + "/who_loads.so", "", nobody);
  ::unsetenv("HOSTLER_TEST_WHO");
  ASSERT_TRUE(build) << build.error().text();
  struct stat made {};
  ASSERT_EQ(::stat(file.c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, nobody.uid);
  EXPECT_EQ(made.st_gid, nobody.gid);
}

TEST(ThisMachine, KnowsItsUsersByNameAndByNumberAndRefusesOthers) {
  ThisMachine machine;
  const auto root = machine.find_user("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0U);
  EXPECT_EQ(machine.find_user("0")->name, root->name);
  const auto none = machine.find_user("no-such-user-here");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what, "there is no user \"no-such-user-here\" on this machine");
  EXPECT_FALSE(machine.find_user(""));
  EXPECT_FALSE(machine.find_user("3999999999"));
  EXPECT_FALSE(machine.find_user("4294967296"));  // not 0
  EXPECT_FALSE(machine.find_user("99999999999999999999"));
  EXPECT_EQ(machine.powers().uid, ::geteuid());
}

}  // namespace
}  // namespace hostler
