#include "edge/file_list.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "edge/temp_dir.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

class FileList : public testing::Test {
 protected:
  void make(std::initializer_list<const char *> names) {
    for (const char *name : names) {
      fs::create_directories(fs::path(dir.path(name)).parent_path());
      write_file(dir.path(name), name);
    }
  }
  // The paths below the folder, or the error.
  std::vector<std::string> list(std::initializer_list<const char *> patterns) {
    std::vector<std::string> absolute;
    for (const char *pattern : patterns) absolute.push_back(dir.path(pattern));
    const auto files = list_files(absolute);
    if (!files) return {files.error().text()};
    std::vector<std::string> names;
    for (const Input &file : *files) names.push_back(file.path.substr(dir.path().size() + 1));
    return names;
  }
  using Names = std::vector<std::string>;

  TempDir dir;
};

TEST_F(FileList, AWildcardStaysWithinItsFolder) {
  make({"a.txt", "b.txt", "c.log", "sub/d.txt"});
  EXPECT_EQ(list({"*.txt"}), (Names{"a.txt", "b.txt"}));
  EXPECT_EQ(list({"*/*.txt"}), (Names{"sub/d.txt"}));
}

TEST_F(FileList, TwoStarsCrossFoldersAlsoNone) {
  make({"a.txt", "x/a.txt", "x/y/a.txt", "x/y/b.log"});
  EXPECT_EQ(list({"**/a.txt"}), (Names{"a.txt", "x/a.txt", "x/y/a.txt"}));
  EXPECT_EQ(list({"x/**/a.txt"}), (Names{"x/a.txt", "x/y/a.txt"}));
  EXPECT_EQ(list({"**"}), (Names{"a.txt", "x/a.txt", "x/y/a.txt", "x/y/b.log"}));
  EXPECT_EQ(list({"**/y/*"}), (Names{"x/y/a.txt", "x/y/b.log"}));
  EXPECT_EQ(list({"**/**/y/**"}), (Names{"x/y/a.txt", "x/y/b.log"}));
  EXPECT_EQ(list({"**/x/**/y/**/*.log"}), (Names{"x/y/b.log"}));
}

TEST_F(FileList, AFileThatMatchesInManyWaysComesOnce) {
  make({"a/a/a/a/f", "a/f"});
  EXPECT_EQ(list({"**/a/**/a/**/f"}), (Names{"a/a/a/a/f"}));
  EXPECT_EQ(list({"**/a/**/f"}), (Names{"a/a/a/a/f", "a/f"}));
}

TEST_F(FileList, TheOrderIsThatOfTheBytesOfTheWholePath) {
  make({"b", "a/z", "a.b", "a-b", "B", "\xc3\xa4", "a0"});
  EXPECT_EQ(list({"**"}), (Names{"B", "a-b", "a.b", "a/z", "a0", "b", "\xc3\xa4"}));
}

TEST_F(FileList, PatternsKeepTheirOrderAndEachFileItsFirstPlace) {
  make({"a.txt", "b.txt", "c.txt"});
  EXPECT_EQ(list({"c.txt", "*.txt", "./a.txt", "a.txt"}), (Names{"c.txt", "a.txt", "b.txt"}));
}

TEST_F(FileList, DotFilesAreLeftOutUnlessAsked) {
  make({".hidden", "seen", ".git/config", "x/.hidden"});
  EXPECT_EQ(list({"**"}), (Names{"seen"}));
  EXPECT_EQ(list({".*"}), (Names{".hidden"}));
  EXPECT_EQ(list({"**/.hidden"}), (Names{".hidden", "x/.hidden"}));
  EXPECT_EQ(list({".git/*"}), (Names{".git/config"}));
  EXPECT_EQ(list({".*/*"}), (Names{".git/config"}));
}

TEST_F(FileList, TwoStarsFollowNoLinkToAFolderButNamesDo) {
  make({"real/a", "real/deep/b"});
  fs::create_directory_symlink("real", dir.path("link"));
  fs::create_directory_symlink("..", dir.path("real/up"));
  EXPECT_EQ(list({"**"}), (Names{"real/a", "real/deep/b"}));
  EXPECT_EQ(list({"link/**"}), (Names{"link/a", "link/deep/b"}));
  EXPECT_EQ(list({"l*/a"}), (Names{"link/a"}));
  EXPECT_EQ(list({"**/link/**"}), (Names{"link/a", "link/deep/b"}));
  EXPECT_EQ(list({"*/a"}), (Names{"link/a", "real/a"}));
  EXPECT_EQ(list({"**/up/real/a"}), (Names{"real/up/real/a"}));
}

TEST_F(FileList, PatternsLeaveOutFoldersAndPathsRefuseThem) {
  make({"file", "folder/x"});
  fs::create_symlink("file", dir.path("link"));
  fs::create_directory_symlink("folder", dir.path("folder-link"));
  EXPECT_EQ(list({"*"}), (Names{"file", "link"}));
  EXPECT_NE(list({"folder"})[0].find("is a folder"), std::string::npos);
  EXPECT_NE(list({"folder"})[0].find("/folder/*"), std::string::npos);
}

TEST_F(FileList, WhatIsNoRegularFileIsRefusedHoweverItIsNamed) {
  make({"file"});
  ASSERT_EQ(::mkfifo(dir.path("pipe").c_str(), 0600), 0);
  ASSERT_EQ(::mknod(dir.path("socket").c_str(), S_IFSOCK | 0600, 0), 0);
  fs::create_symlink("/dev/null", dir.path("device"));
  for (const char *pattern : {"pipe", "p*", "**/pipe"})
    EXPECT_NE(list({pattern})[0].find("/pipe\" is not a regular file but a pipe"), std::string::npos) << pattern;
  for (const char *pattern : {"socket", "s*"})
    EXPECT_NE(list({pattern})[0].find("/socket\" is not a regular file but a socket"), std::string::npos) << pattern;
  for (const char *pattern : {"device", "d*"})
    EXPECT_NE(list({pattern})[0].find("/device\" is not a regular file but a device"), std::string::npos) << pattern;
  EXPECT_EQ(list({"f*"}), (Names{"file"}));
}

TEST_F(FileList, ALinkThatLeadsNowhereIsNamedWithWhatItPointsTo) {
  make({"a.txt"});
  fs::create_symlink("nowhere", dir.path("b.txt"));
  for (const char *pattern : {"b.txt", "*.txt", "**/b.txt", "[b].txt"})
    EXPECT_NE(list({pattern})[0].find("the link \"" + dir.path("b.txt") + "\" points to \"nowhere\": No such file"),
              std::string::npos)
        << pattern;
  fs::create_symlink("round", dir.path("round"));
  EXPECT_NE(list({"r*"})[0].find("points to \"round\": Too many levels of symbolic links"), std::string::npos);
  EXPECT_EQ(list({"a*"}), (Names{"a.txt"}));
}

TEST_F(FileList, SoIsOneInThePlaceOfAFolder) {
  make({"days/1/a.txt", "days/1/part/b.txt"});
  fs::create_directory_symlink("/not/mounted", dir.path("days/2"));
  const std::string words = "the link \"" + dir.path("days/2") + "\" points to \"/not/mounted\": No such file";
  for (const char *pattern : {"days/*/a.txt", "days/?/*.txt", "days/*/part/b.txt", "days/2/*.txt", "days/2/a.txt",
                              "days/2/deep/*.txt", "*/2/a.txt", "d*/2/part/b.txt", "*/2/*.txt"})
    EXPECT_NE(list({pattern})[0].find(words), std::string::npos) << pattern;
  EXPECT_EQ(list({"days/**/a.txt"}), (Names{"days/1/a.txt"})) << "two stars go through no link, so none is missing";
}

TEST_F(FileList, AFileOfNoSizeThatHasContentIsRefused) {
  make({"full"});
  write_file(dir.path("empty"), "");
  fs::create_symlink("/proc/self/status", dir.path("made-up"));
  for (const char *pattern : {"made-up", "m*"})
    EXPECT_NE(list({pattern})[0].find("/made-up\" says that its size is 0, and has content"), std::string::npos);
  EXPECT_EQ(list({"e*", "full"}), (Names{"empty", "full"}));
}

TEST_F(FileList, WhatMatchesNothingIsNamed) {
  make({"a"});
  EXPECT_NE(list({"*.txt"})[0].find("no file matches \"" + dir.path("*.txt")), std::string::npos);
  EXPECT_NE(list({"no/*.txt"})[0].find("No such file"), std::string::npos);
  EXPECT_NE(list({"*.{a,b}"})[0].find("braces"), std::string::npos);
  EXPECT_NE(list({"a/*"})[0].find("no file matches"), std::string::npos);
  const std::string nothing = dir.path("*.txt");
  EXPECT_TRUE(list_files({&nothing, 1}, NoMatch::Allowed).value().empty());
  const std::string nowhere = dir.path("no/**");
  EXPECT_FALSE(list_files({&nowhere, 1}, NoMatch::Allowed));
}

TEST_F(FileList, NamesBetweenWildcardsAreNotLookedFor) {
  make({"a/x/f1", "b/x/f2", "b/y/f3", "c"});
  EXPECT_EQ(list({"*/x/f?"}), (Names{"a/x/f1", "b/x/f2"}));
  EXPECT_EQ(list({"*/y/f3"}), (Names{"b/y/f3"}));
  EXPECT_EQ(list({"*/../c"}), (Names{"a/../c", "b/../c"}));
}

TEST_F(FileList, WildcardsInNamesAreReachedEscaped) {
  make({"a*b", "axb", "[1]"});
  EXPECT_EQ(list({"a\\*b"}), (Names{"a*b"}));
  EXPECT_EQ(list({"\\[1]"}), (Names{"[1]"}));
}

TEST_F(FileList, IdentityIsWhatStatSays) {
  make({"a.txt"});
  const std::vector<std::string> pattern{dir.path("*.txt")};
  const auto files = list_files(pattern);
  ASSERT_TRUE(files);
  struct stat info {};
  ASSERT_EQ(::stat(dir.path("a.txt").c_str(), &info), 0);
  const std::int64_t time = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  EXPECT_EQ(files->at(0), (Input{dir.path("a.txt"), 5, time, info.st_dev, info.st_ino}));
}

TEST_F(FileList, WhatCannotBeReadIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  make({"open/a", "shut/b", "secret"});
  fs::permissions(dir.path("shut"), fs::perms::none);
  fs::permissions(dir.path("secret"), fs::perms::none);
  EXPECT_NE(list({"**/a"})[0].find("shut\" cannot be read: Permission denied"), std::string::npos);
  EXPECT_NE(list({"s*"})[0].find("secret\" cannot be read"), std::string::npos);
  EXPECT_NE(list({"secret"})[0].find("secret\" cannot be read"), std::string::npos);
  fs::permissions(dir.path("shut"), fs::perms::owner_all);
}

TEST_F(FileList, DeepFoldersTakeNoDescriptors) {
  fs::path deep = dir.path();
  for (int i = 0; i < 300; ++i) deep /= "d";
  fs::create_directories(deep);
  write_file(deep / "f", "x");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{64, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_EQ(list({"**/f"}).at(0).size(), 2U * 300 + 1);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace hostler
