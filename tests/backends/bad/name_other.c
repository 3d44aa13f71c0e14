/* Wrong: not the backend that its manifest promises. */
#define PLUGIN_NAME "somebody_else"
#include "plugin.h"
