/* Wrong: of another ABI's major number, and not aware of it. */
#define PLUGIN_NAME "abi_other"
#define PLUGIN_ABI  (((uint32_t)TERN_BACKEND_ABI_MAJOR + 7) << 16)
#include "plugin.h"
