// The arithmetic of word_count.
#include "sdk/examples/count.h"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "sdk/examples/report.h"

namespace word_count {
namespace {

using namespace std::chrono_literals;

TEST(Count, WordsStandBetweenAnyWhiteSpace) {
  EXPECT_EQ(count(" a b\ta\n\v\f\r  c"), (Counts{{"a", 2}, {"b", 1}, {"c", 1}}));
  EXPECT_TRUE(count(" \n ").empty());
  EXPECT_TRUE(count("").empty());
}

TEST(FirstPiece, CutsAtWhiteSpaceOnly) {
  EXPECT_EQ(first_piece("one two three", 5), "one two");
  EXPECT_EQ(first_piece("one two", 3), "one");
  EXPECT_EQ(first_piece("onetwo", 3), "onetwo");
  EXPECT_EQ(first_piece("short", 100), "short");
  EXPECT_EQ(first_piece("", 3), "");
}

TEST(FirstPiece, PiecesCountAsTheWhole) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += std::to_string(i * i % 37) + (i % 5 == 0 ? "\n\n" : " ");
  Counts sum;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view piece = first_piece(rest, 16);
    rest.remove_prefix(piece.size());
    for (const auto& [word, number] : count(piece)) sum[word] += number;
  }
  EXPECT_EQ(sum, count(text));
}

TEST(Report, SumsUpAndSorts) {
  Report report;
  report.add("n1", Counts{{"b", 2}, {"a", 2}}, 10, 1ms);
  report.add("n2", Counts{{"b", 1}, {"c", 1}}, 5, 2ms);
  EXPECT_EQ(report.total(), 6);
  EXPECT_EQ(report.bytes, 15U);
  EXPECT_EQ(report.top(2), (std::vector<std::pair<std::string, std::int64_t>>{{"b", 3}, {"a", 2}}));
  EXPECT_EQ(report.latencies.at("n1").size(), 1U);
}

}  // namespace
}  // namespace word_count
