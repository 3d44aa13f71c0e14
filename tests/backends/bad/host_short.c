/* Wrong: a table that ends before its functions begin. */
#define LIBRARY_NAME "host_short"
#define LIBRARY_SIZE 8
#include "host_library.h"
