/* Wrong: crashes in its constructor. */
#include <signal.h>

#define PLUGIN_NAME "crash_at_load"
#include "plugin.h"

__attribute__((constructor)) static void crash(void) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}
