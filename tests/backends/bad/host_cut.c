/* Legal: a table of an earlier time, which ends before its qr. */
#define LIBRARY_NAME "host_cut"
#define LIBRARY_SIZE offsetof(tern_host_library, qr)
#include "host_library.h"
