/* Wrong: it is another library than its manifest says. */
#define LIBRARY_NAME "somebody_else"
#include "host_library.h"
