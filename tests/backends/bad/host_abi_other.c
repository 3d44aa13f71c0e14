/* Wrong: of another version, and not aware of it. */
#define LIBRARY_NAME "host_abi_other"
#define LIBRARY_ABI  (((uint32_t)TERN_HOST_LIBRARY_ABI_MAJOR + 7) << 16)
#include "host_library.h"
