/* Legal: two accelerators. */
#define PLUGIN_NAME    "two"
#define PLUGIN_DEVICES 2
#define PLUGIN_TYPE    TERN_DEVICE_GPU
#include "plugin.h"
