/* Stands for a sanitizer's runtime: only its file name matters. */
#include "tern/backend.h"

TERN_BACKEND_EXPORT int tern_test_sanitizer_runtime(void);
int tern_test_sanitizer_runtime(void) {
    return 0;
}
