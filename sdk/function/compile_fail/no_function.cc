// refuses: Only functions and member functions can be called remotely
#include <kaido/function.h>

int number = 5;
KAIDO_FUNCTION_AS("number", &number);
