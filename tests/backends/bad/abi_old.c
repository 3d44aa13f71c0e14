/* Wrong: built for ABI 0.1, whose operands were smaller, and not aware of it. */
#define PLUGIN_NAME "abi_old"
#define PLUGIN_ABI  UINT32_C(1)
#include "plugin.h"
