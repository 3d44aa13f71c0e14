/* Wrong: it refuses, in two lines. */
#define LIBRARY_REFUSES
#include "host_library.h"
