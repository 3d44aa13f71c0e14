/* nn_fixture.h: what the tests of modules and optimizers share: a context a test, readings, failures. */
#ifndef TERN_TESTS_NN_FIXTURE_H
#define TERN_TESTS_NN_FIXTURE_H

#include <criterion/criterion.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/optim.h"

static tern_ctx *ctx;

static inline void open_context(void) {
    ctx = tern_open("cpu_ref");
}
static inline void close_context(void) {
    tern_close(ctx);
    ctx = NULL;
}

#define CHECK_CLEAN() cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx))

/* The message latched is this one; it is cleared. */
#define CHECK_ERROR(text)                                                                          \
    do {                                                                                           \
        cr_assert_str_eq(tern_error(ctx), (text), "%s", tern_error(ctx));                          \
        tern_error_clear(ctx);                                                                     \
    } while (0)

#define CHECK_ERROR_HAS(text)                                                                      \
    do {                                                                                           \
        cr_assert_not_null(strstr(tern_error(ctx), (text)), "%s", tern_error(ctx));                \
        tern_error_clear(ctx);                                                                     \
    } while (0)

/* The index-th element, row-major. */
static inline double at(tern_tensor *tensor, int64_t index) {
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *flat = tern_reshape(tensor, TERN_SHAPE(-1));
    double value = tern_item(tern_select(flat, 0, index));
    tern_scope_end(scope);
    return value;
}

/* The bits of a float32 element. */
static inline uint32_t bits_at(tern_tensor *tensor, int64_t index) {
    float value = (float)at(tensor, index);
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline tern_tensor *floats(tern_shape shape, const float *data) {
    return tern_from_data(ctx, data, shape, TERN_FLOAT32);
}

static inline const char *repr_of(tern_value value) {
    static char text[8192];
    tern_value_repr(value, text, sizeof text);
    return text;
}

#endif
