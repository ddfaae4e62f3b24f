// refuses: Position = 1
// refuses: Kaido cannot send the type of this parameter, or a type within it
#include <map>

#include <kaido/function.h>

struct Entry {
  std::string name;
  std::map<int, std::vector<void*>> handles;
};

void store(const std::vector<Entry>& entries);
KAIDO_FUNCTION(store);
