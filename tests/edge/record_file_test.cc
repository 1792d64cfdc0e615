#include "edge/record_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "edge/temp_dir.h"

namespace hostler {
namespace {

class RecordFile : public testing::Test {
 protected:
  void write(const std::string &text) {
    std::ofstream(dir_.path() + "/text") << text;
    struct stat status {};
    ASSERT_EQ(::stat((dir_.path() + "/text").c_str(), &status), 0);
    input_ = {dir_.path() + "/text", status.st_size, 0, status.st_dev, status.st_ino};
  }
  Result<FoundRecord> line(Interval block, std::optional<std::int64_t> at = {}) const {
    return find_record({input_, InputKind::Lines, block, at});
  }
  TempDir dir_;
  Input input_;
};

TEST_F(RecordFile, ForEachByteOfATextTheLineItIsPartOfIsFound) {
  const std::string text = "a\n\nlonger\nlast";
  write(text);
  const std::vector<Interval> lines{{0, 2}, {2, 3}, {3, 10}, {10, 14}};
  for (const Interval &each : lines)
    for (std::int64_t at = each.begin; at < each.end; ++at) {
      const auto found = line({0, 14}, at);
      ASSERT_TRUE(found) << at;
      EXPECT_EQ(found->at, each) << at;
      std::string bytes =
          text.substr(static_cast<std::size_t>(each.begin), static_cast<std::size_t>(each.end - each.begin));
      if (bytes.back() == '\n') bytes.pop_back();
      EXPECT_EQ(found->bytes, bytes) << at;
    }
}

TEST_F(RecordFile, ForEachBlockTheFirstLineThatStartsInItIsFoundAndWhetherItIsAlone) {
  const std::string text = "a\n\nlonger\nlast";
  write(text);
  const std::vector<std::int64_t> begins{0, 2, 3, 10};
  for (std::int64_t from = 0; from < 14; ++from)
    for (std::int64_t to = from + 1; to <= 14; ++to) {
      std::vector<std::int64_t> inside;
      for (const std::int64_t begin : begins)
        if (begin >= from && begin < to) inside.push_back(begin);
      const auto found = line({from, to});
      ASSERT_EQ(found.has_value(), !inside.empty()) << from << "-" << to;
      if (!found) continue;
      EXPECT_EQ(found->at.begin, inside[0]) << from << "-" << to;
      EXPECT_EQ(found->alone, inside.size() == 1) << from << "-" << to;
    }
}

TEST_F(RecordFile, ALineOfWhichTheBlockHoldsOnlyTheTailIsAnotherSlices) {
  write("a long line\nb\n");
  EXPECT_FALSE(line({3, 8}, 5));
  EXPECT_FALSE(line({3, 8}));
  EXPECT_TRUE(line({12, 14}, 12));
}

TEST_F(RecordFile, OfALongRecordOnlySoMuchIsKept) {
  write(std::string(200'000, 'x') + "\nshort\n");
  const auto found = line({0, 50'000});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->at, (Interval{0, 200'001}));
  EXPECT_EQ(found->bytes, std::string(static_cast<std::size_t>(kMostRecordBytes), 'x'));
  const auto record = find_record({input_, InputKind::Records, {200'001, 200'006}, {}});
  ASSERT_TRUE(record);
  EXPECT_EQ(record->bytes, "short");
}

TEST_F(RecordFile, AFileThatIsNotAsItWasPlannedSaysSo) {
  write("a\nb\n");
  Input other = input_;
  other.size = 3;
  EXPECT_FALSE(find_record({other, InputKind::Lines, {0, 3}, {}}));
  other = input_;
  other.path += ".gone";
  const auto gone = find_record({other, InputKind::Lines, {0, 3}, {}});
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().text().find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace hostler
