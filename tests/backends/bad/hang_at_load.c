/* Wrong: its constructor never returns. */
#define _POSIX_C_SOURCE 200809L
#include <unistd.h>

#define PLUGIN_NAME "hang_at_load"
#include "plugin.h"

__attribute__((constructor)) static void hang(void) {
    for (;;) pause();
}
