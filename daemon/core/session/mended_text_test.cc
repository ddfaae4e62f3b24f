#include "daemon/core/session/mended_text.h"

#include <string>

#include <gtest/gtest.h>

#include "proto/base/utf8.h"
#include "proto/base/random.h"

namespace kaido::daemon {
namespace {

constexpr std::uint64_t kSeed = 20261129;

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const base::Utf8Piece piece = base::first_utf8_piece(text);
    if (!piece.valid) return false;
    text.remove_prefix(piece.size);
  }
  return true;
}

TEST(MendedText, RightTextIsCopiedAsItIs) {
  const std::string with_nul("a\0b", 3);
  for (const std::string& text :
       {std::string(), std::string("plain"), std::string("h\xc3\xa9llo \xf0\x9f\x9a\x80"), with_nul}) {
    EXPECT_EQ(mended_text(text, 100), text);
  }
}

TEST(MendedText, EachWrongByteBecomesOneMark) {
  EXPECT_EQ(mended_text("caf\xe9", 100), "caf\xef\xbf\xbd");
  EXPECT_EQ(mended_text("\xff\xfe!", 100), "\xef\xbf\xbd\xef\xbf\xbd!");
  EXPECT_EQ(mended_text("\xc3", 100), "\xef\xbf\xbd") << "cut off in the middle of a character";
  EXPECT_EQ(mended_text("\xc0\xaf", 100), "\xef\xbf\xbd\xef\xbf\xbd") << "overlong";
}

TEST(MendedText, IsCutBetweenCharactersAndSaysHowLongItWas) {
  EXPECT_EQ(mended_text("12345", 5), "12345");
  EXPECT_EQ(mended_text("123456", 5), "12345… (6 bytes in all)");
  EXPECT_EQ(mended_text("1234\xc3\xa9", 5), "1234… (6 bytes in all)");
  EXPECT_EQ(mended_text("\xff\xff", 5), "\xef\xbf\xbd… (2 bytes in all)") << "the mark is longer than the byte";
}

TEST(MendedText, WhatWasCutBeforeStillSaysHowLongItWas) {
  const std::string once = mended_text(std::string(1'000'000, 'x'), 100);
  EXPECT_EQ(once, std::string(100, 'x') + "… (1000000 bytes in all)");
  EXPECT_EQ(mended_text(once, 100), once);
  EXPECT_EQ(mended_text(once, 50), std::string(50, 'x') + "… (1000000 bytes in all)");
  EXPECT_EQ(mended_text(once, 200), once);
  EXPECT_EQ(mended_text("ab… (1 bytes in all)", 4), "ab… (22 bytes in all)")
      << "less than there is: somebody's words, and no note of ours";
  EXPECT_EQ(mended_text("… ( bytes in all)", 100), "… ( bytes in all)");
  EXPECT_EQ(mended_text(" bytes in all)", 100), " bytes in all)");
}

TEST(MendedText, IsUtf8WhateverCame) {
  base::Random random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random.below(64), ' ');
    for (char& c : text) c = static_cast<char>(random.below(256));
    const std::string mended = mended_text(text, 40);
    ASSERT_TRUE(is_utf8(mended)) << "seed " << kSeed << ", round " << round;
    ASSERT_LE(mended.size(), 40U + 32U);
  }
}

}  // namespace
}  // namespace kaido::daemon
