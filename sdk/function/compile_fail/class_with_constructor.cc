// refuses: Position = 3
// refuses: Kaido cannot send the type of this parameter, or a type within it
// refuses: specialise kaido::Represent<T>
#include <kaido/function.h>

class Money {
 public:
  Money() = default;
  explicit Money(int cents) : cents_(cents) {}

 private:
  int cents_ = 0;
};

void pay(std::string to, double interest, Money amount);
KAIDO_FUNCTION(pay);
