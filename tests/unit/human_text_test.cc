#include "core/human_text.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

TEST(HumanText, SecondsGetCoarserAsTheyGrow) {
  EXPECT_EQ(human_seconds(0.44), "0.4s");
  EXPECT_EQ(human_seconds(9.96), "10s");
  EXPECT_EQ(human_seconds(59.6), "1m 0s");
  EXPECT_EQ(human_seconds(185), "3m 5s");
  EXPECT_EQ(human_seconds(7500), "2h 5m");
  EXPECT_EQ(human_seconds(4 * 86400 + 3 * 3600), "4d 3h");
  EXPECT_EQ(human_seconds(-1), "0.0s");
}

TEST(HumanText, BytesAndCountsHaveOneDecimal) {
  EXPECT_EQ(human_bytes(812), "812 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(12.3 * 1024 * 1024), "12.3 MiB");
  EXPECT_EQ(human_bytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(12345), "12.3k");
  EXPECT_EQ(human_count(4.5e6), "4.5M");
}

TEST(HumanText, RecordsAreCounted) {
  EXPECT_EQ(counted(0, "record"), "0 records");
  EXPECT_EQ(counted(1, "record"), "1 record");
  EXPECT_EQ(counted(12345, "record"), "12345 records");
  EXPECT_EQ(counted(1, "retry", "retries"), "1 retry");
  EXPECT_EQ(counted(2, "retry", "retries"), "2 retries");
}

TEST(HumanText, ColumnsAreCharactersNotBytes) {
  EXPECT_EQ(columns_of("größe → 3"), 9U);
  EXPECT_EQ(fit("größe", 5), "größe");
  EXPECT_EQ(fit("größen", 5), "größ…");
  EXPECT_EQ(fit("abc", 1), "…");
  EXPECT_EQ(fit("abc", 0), "");
}

TEST(HumanText, TableColumnsAreAsWideAsTheirWidestCell) {
  Table table;
  table.add({"NAME", "STATE", "NOTE"});
  table.add({"ü", "running", ""});
  table.add({"longer", "", "x"});
  EXPECT_EQ(table.text(),
            "NAME    STATE    NOTE\n"
            "ü       running\n"
            "longer           x\n");
}

}  // namespace
}  // namespace hostler
