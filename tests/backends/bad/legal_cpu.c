/* Legal: a plugin of the CPU family. */
#define PLUGIN_NAME "cpu_legal"
#include "plugin.h"
