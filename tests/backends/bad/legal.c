/* Legal: one device of CPU type, no kernels. */
#include "plugin.h"
