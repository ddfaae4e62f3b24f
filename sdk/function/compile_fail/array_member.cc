// refuses: T = Matrix
// refuses: struct_without_base_classes_and_with_std_array_for_arrays
#include <kaido/function.h>

struct Matrix {
  double cells[9];
};

void invert(Matrix matrix);
KAIDO_FUNCTION(invert);
