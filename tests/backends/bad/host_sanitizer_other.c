/* Wrong: of a build with a sanitizer that no build has. */
#define LIBRARY_NAME       "host_sanitizer_other"
#define LIBRARY_SANITIZERS "other"
#include "host_library.h"
