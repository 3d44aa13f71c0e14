/* Wrong: leaves the process without a word. */
#define PLUGIN_NAME "exit_at_load"
#include "plugin.h"

__attribute__((constructor)) static void leave(void) {
    _Exit(0);
}
