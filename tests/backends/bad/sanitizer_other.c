/* Wrong: built with a sanitizer that no test of ours uses. */
#define PLUGIN_NAME       "sanitizer_other"
#define PLUGIN_SANITIZERS "hardware"
#include "plugin.h"
