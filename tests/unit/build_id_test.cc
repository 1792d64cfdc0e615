#include "core/build_id.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace hostler {
namespace {

std::string note(std::uint32_t type, std::string owner, std::string bytes) {
  const std::uint32_t sizes[] = {static_cast<std::uint32_t>(owner.size()), static_cast<std::uint32_t>(bytes.size()),
                                 type};
  owner.resize((owner.size() + 3) / 4 * 4);
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return std::string(reinterpret_cast<const char *>(sizes), sizeof sizes) + owner + bytes;
}
const std::string kGnu("GNU\0", 4);

TEST(BuildId, IsFoundAmongOtherNotes) {
  const std::string notes = note(1, kGnu, "abcd") + note(3, "Go", "xx") + note(3, kGnu, "\x01\xff\x7e");
  EXPECT_EQ(build_id_in(notes), "01ff7e");
  EXPECT_EQ(build_id_in(note(1, kGnu, "abcd")), "");
  EXPECT_EQ(build_id_in(""), "");
}

TEST(BuildId, OfNotesThatAreCutShortThereIsNone) {
  const std::string notes = note(3, kGnu, "12345678");
  for (std::size_t size = 0; size < notes.size(); ++size) EXPECT_EQ(build_id_in(notes.substr(0, size)), "") << size;
  EXPECT_EQ(build_id_in(note(3, kGnu, std::string(65, 'x'))), "");
}

}  // namespace
}  // namespace hostler
