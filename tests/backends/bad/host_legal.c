/* Legal: a library for host operations. */
#include "host_library.h"
