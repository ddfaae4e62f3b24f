// refuses: a coroutine that gives a Task takes no `T&&`
#include <kaido/task.h>

#include <string>

kaido::Task<std::size_t> length(std::string&& text) { co_return text.size(); }
