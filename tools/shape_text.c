#include "shape_text.h"

#include <errno.h>
#include <stdlib.h>

bool shape_parse(const char *text, tern_shape *out_shape) {
    *out_shape = (tern_shape){0, {0}};
    for (;;) {
        char *end;
        errno = 0;
        long long size = strtoll(text, &end, 10);
        if (end == text || errno || size < 1 || out_shape->rank >= TERN_MAX_RANK) return false;
        out_shape->dim[out_shape->rank++] = size;
        if (!*end) return true;
        if (*end != ',' && *end != 'x') return false;
        text = end + 1;
    }
}
