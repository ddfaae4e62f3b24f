#include "sdk/function/text.h"

#include <string>

#include <gtest/gtest.h>

namespace kaido::detail {
namespace {

TEST(Text, KnowsUtf8) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x9a\x80"));
  EXPECT_TRUE(is_utf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"));  // Beside the surrogates; the last character.
  EXPECT_TRUE(is_utf8(std::string("a\0b", 3)));
  for (const char* bad : {"caf\xe9", "\xc3", "\xe6\xbc", "\xf0\x9f\x9a", "\x80", "\xff", "\xc0\xaf", "\xe0\x80\xaf",
                          "\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(bad)) << testing::PrintToString(std::string(bad));
  }
}

TEST(Text, LeavesAGoodTextAlone) {
  EXPECT_EQ(mend_text("no such file", 100), "no such file");
  EXPECT_EQ(mend_text("12345", 5), "12345");
}

TEST(Text, ReplacesWhatIsMalformed) {
  EXPECT_EQ(mend_text("caf\xe9.txt", 100), "caf\xef\xbf\xbd.txt");
  EXPECT_EQ(mend_text("\xe6\xbc", 100), "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Text, CutsWhatIsTooLongAndSaysHowMuch) {
  const std::string cut = mend_text(std::string(4U << 20, 'x'), 1000);
  EXPECT_LE(cut.size(), 1000U);
  EXPECT_GT(cut.size(), 900U);
  const std::size_t kept = cut.find_first_not_of('x');
  EXPECT_EQ(cut.substr(kept), "… (" + std::to_string((4U << 20) - kept) + " more bytes left out)");
}

TEST(Text, NeverCutsThroughACharacter) {
  std::string text;
  while (text.size() < 5000) text += "\xf0\x9f\x9a\x80";
  for (std::size_t most = 100; most < 110; ++most) {
    const std::string cut = mend_text(text, most);
    EXPECT_TRUE(is_utf8(cut)) << most;
    EXPECT_LE(cut.size(), most);
  }
  // Replacements are longer than what they replace.
  const std::string mended = mend_text(std::string(200, '\xff'), 300);
  EXPECT_TRUE(is_utf8(mended));
  EXPECT_LE(mended.size(), 300U);
}

TEST(Text, SaysWhatIsWrongWithAName) {
  EXPECT_FALSE(name_problem("the function", "geo::area"));
  EXPECT_FALSE(name_problem("the function", std::string(512, 'f')));
  EXPECT_EQ(name_problem("the function", "").value(), "the function has an empty name");
  EXPECT_NE(name_problem("the function", std::string(513, 'f')).value().find("513 bytes"), std::string::npos);
  const std::string not_utf8 = name_problem("the node", "n\xff").value();
  EXPECT_NE(not_utf8.find("the node"), std::string::npos);
  EXPECT_TRUE(is_utf8(not_utf8));
}

}  // namespace
}  // namespace kaido::detail
