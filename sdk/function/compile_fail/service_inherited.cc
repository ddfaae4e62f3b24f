// refuses: KAIDO_SERVICE lists a method that the class inherits
#include <kaido/service.h>

struct Base {
  int get() const;
};
struct Derived : Base {};
KAIDO_SERVICE(Derived, get);
auto service() { return kaido::serve(std::make_shared<Derived>()); }
