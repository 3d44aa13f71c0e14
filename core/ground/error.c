/* error.c: the one place where errors latch. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Latched from the start and never written to, and so safe to use from every thread. */
static tern_ctx no_context;
static _Alignas(1 << TERN_HANDLE_LOW_BITS) tern_tensor_body no_tensor = {
    .self = (const tern_tensor *)&no_tensor,
    .ctx = &no_context,
    .flags = TERN_T_NIL,
    .shape = no_tensor.dims,
    .strides = no_tensor.dims,
};
static tern_ctx no_context = {
    .status = TERN_ERR_OUT_OF_MEMORY,
    .error = "no context: tern_open ran out of memory, or the context is NULL",
    .is_static = true,
    .nil = (tern_tensor *)&no_tensor,
};

tern_ctx *tern_no_context(void) {
    return &no_context;
}

void tern_text_tame(char *text, bool keeps_lines) {
    for (unsigned char *c = (unsigned char *)text; c && *c; c++) {
        if (keeps_lines && c[0] == '\n' && c[1] == '\t')
            c++;
        else if (*c < 0x20 || *c == 0x7f)
            *c = '?';
        else if (c[0] == 0xc2 && (c[1] & 0xe0) == 0x80) /* U+0080 to U+009F */
            c[0] = c[1] = '?';
    }
}

tern_status tern_fail(tern_ctx *ctx, tern_status status, const char *format, ...) {
    if (!ctx) return TERN_ERR_ARGUMENT;
    if (ctx->status != TERN_OK) return ctx->status;
    if (!format) format = "an error without a message";
    char *text = ctx->error;
    size_t size = sizeof ctx->error;
    if (ctx->error_place) {
        size_t place = ctx->error_place(ctx->error_place_user, text, size / 2);
        tern_text_tame(text, false);
        text += place;
        size -= place;
    }
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, size, format, args);
    va_end(args);
    if (length >= (int)size) memcpy(ctx->error + sizeof ctx->error - 4, "...", 4);
    tern_text_tame(text, strstr(format, "\n\t") != NULL);
    ctx->status = status == TERN_OK ? TERN_ERR_INTERNAL : status;
    if (ctx->on_error) ctx->on_error(ctx->on_error_user, ctx->status, ctx->error);
    return ctx->status;
}

tern_status tern_fail_memory(tern_ctx *ctx, size_t bytes) {
    return tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY,
                     "out of host memory: %zu bytes could not be allocated", bytes);
}

const char *tern_error(const tern_ctx *ctx) {
    if (!ctx) ctx = &no_context;
    return ctx->status == TERN_OK ? "" : ctx->error;
}

tern_status tern_error_clear(tern_ctx *ctx) {
    if (!ctx) return TERN_ERR_ARGUMENT;
    tern_status status = ctx->status;
    if (!ctx->is_static) ctx->status = TERN_OK;
    return status;
}

void tern_on_error(tern_ctx *ctx, tern_error_fn fn, void *user) {
    if (!ctx || ctx->is_static) return;
    ctx->on_error = fn;
    ctx->on_error_user = user;
}

void tern_on_error_place(tern_ctx *ctx, tern_error_place_fn fn, void *user) {
    if (!ctx || ctx->is_static) return;
    ctx->error_place = fn;
    ctx->error_place_user = user;
}

tern_status tern_latch_fault(tern_ctx *ctx, const tern_fault *fault) {
    if (fault->status == TERN_OK) return TERN_OK;
    return tern_fail(ctx, fault->status, "%s", fault->message);
}
