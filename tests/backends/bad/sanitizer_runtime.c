/* Wrong: linked to a library that has the name of a sanitizer's runtime. */
#define PLUGIN_NAME "sanitizer_runtime"
#include "plugin.h"

int tern_test_sanitizer_runtime(void);
__attribute__((constructor)) static void call(void) {
    tern_test_sanitizer_runtime();
}
