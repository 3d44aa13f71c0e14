#include "plain_text.h"

#include "tern/memory.h"

#include <string.h>

const char *plain_text(tern_ctx *ctx, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = tern_scope_alloc(ctx, size);
    if (!copy) return "";
    memcpy(copy, text, size);
    tern_text_tame(copy, false);
    return copy;
}
