// refuses: T = Matrix
// refuses: User-provided type is not a SimpleAggregate
#include <kaido/function.h>

struct Matrix {
  double cells[9];
};

void invert(Matrix matrix);
KAIDO_FUNCTION(invert);
