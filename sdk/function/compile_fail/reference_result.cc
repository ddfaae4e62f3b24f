// refuses: return the object itself
#include <kaido/function.h>

const std::string& name();
KAIDO_FUNCTION(name);
