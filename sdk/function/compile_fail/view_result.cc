// refuses: The result must own its data
#include <kaido/function.h>

std::vector<std::string_view> words(std::string text);
KAIDO_FUNCTION(words);
