/* Wrong: it finds no memory when it is asked. */
#define LIBRARY_LACKS_MEMORY
#include "host_library.h"
