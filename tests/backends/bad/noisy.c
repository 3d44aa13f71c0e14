/* Legal, but prints while it is loaded: a helper's answer must not be disturbed by it. */
#define PLUGIN_NAME "noisy"
#include "plugin.h"

__attribute__((constructor)) static void chatter(void) {
    printf("result\t0\tnoise\n");
    fflush(stdout);
}
