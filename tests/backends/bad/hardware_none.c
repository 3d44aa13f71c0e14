/* Legal, but finds no hardware. */
#define PLUGIN_NAME    "hardware_none"
#define PLUGIN_DEVICES 0
#include "plugin.h"
