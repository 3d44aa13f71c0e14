/* Wrong: needs a function that nobody has. */
#define PLUGIN_NAME "symbol_undefined"
#include "plugin.h"

void tern_test_nobody_has_this(void);
__attribute__((constructor)) static void call(void) {
    tern_test_nobody_has_this();
}
