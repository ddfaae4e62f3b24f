// refuses: Which methods? List them with KAIDO_SERVICE
#include <kaido/service.h>

struct Counter {
  int get() const;
};
auto service() { return kaido::serve(std::make_shared<Counter>()); }
