// refuses: Position = 1
// refuses: cannot change its caller's object
#include <kaido/function.h>

void fill(std::string& text);
KAIDO_FUNCTION(fill);
