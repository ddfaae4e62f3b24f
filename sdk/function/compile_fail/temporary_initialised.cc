// refuses: name it on the line above and pass the name
#include <kaido/sync/once_cell.h>

#include <memory>

struct Work {
  std::shared_ptr<int> value;
  kaido::Task<int> operator()() { co_return *value; }
};

kaido::OnceCell<int> cell;
auto make() { return cell.get_or_init(Work{}); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
