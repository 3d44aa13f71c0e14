/*
 * fuzz_formulas.c: formulas and einsum's equations against any bytes.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing small texts.
 */
#include "fuzz_common.h"

#include <math.h>

#include "tern/formula.h"
#include "tern/grad.h"
#include "tern/ops.h"

static const double EPOCH = 1.75;

/* Of a number: a number, or a message in one line. False without one. */
static bool try_number(const char *text, double *out_number) {
    char message[200];
    bool done = tern_formula_eval(text, EPOCH, out_number, message, sizeof message);
    fuzz_require(done || (*message && !strchr(message, '\n')), "a formula without a message");
    *fuzz_accepted() += done;
    return done;
}

/* Over a tensor of that number: the same number, as both are computed in float64. */
static void try_one_name(tern_ctx *ctx, const char *text) {
    double number, other;
    bool done = try_number(text, &number);
    tern_value values = tern_dict_new(ctx, false);
    tern_dict_set(values, "epoch",
                  tern_tensor_value(tern_full(ctx, TERN_SHAPE(1), EPOCH, TERN_FLOAT64)));
    tern_tensor *y = tern_map(ctx, text, values);
    if (tern_check(ctx) == TERN_OK) {
        other = tern_item(y);
        fuzz_require(!done || number == other || (isnan(number) && isnan(other)),
                     "a formula gives another number over a tensor");
    } else {
        fuzz_check(ctx, tern_none());
    }
    tern_error_clear(ctx);
}

/* Over several tensors, of which some are integers, with its gradient: a result or a line of error each. */
static void try_several(tern_ctx *ctx, const char *text, tern_dtype dtype) {
    tern_value values = tern_dict_new(ctx, false);
    static const double numbers[] = {-1, 0, 1};
    tern_tensor *x =
        tern_to_dtype(tern_from_data(ctx, numbers, TERN_SHAPE(3), TERN_FLOAT64), dtype);
    tern_tensor *y = tern_full(ctx, TERN_SHAPE(1), 2, dtype);
    bool floats = tern_dtype_is_floating(dtype);
    if (floats) tern_requires_grad(x, true);
    tern_dict_set(values, "x", tern_tensor_value(x));
    tern_dict_set(values, "y", tern_tensor_value(y));
    tern_dict_set(values, "k", tern_int(3));
    tern_tensor *out = tern_map(ctx, text, values);
    if (tern_check(ctx) == TERN_OK) {
        ++*fuzz_accepted();
        fuzz_touch(ctx, tern_tensor_value(out), 0);
        fuzz_require(tern_numel(out) == 3 || tern_numel(out) == 1, "a result of another shape");
        if (floats && tern_has_grad_required(out)) tern_backward(tern_sum(out));
    }
    if (tern_check(ctx) != TERN_OK) fuzz_check(ctx, tern_none());
    tern_error_clear(ctx);
}

static void try_einsum(tern_ctx *ctx, const char *text) {
    tern_tensor *operands[] = {tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32),
                               tern_ones(ctx, TERN_SHAPE(3, 2), TERN_FLOAT32)};
    for (int count = 1; count <= 2; count++) {
        tern_tensor *out = tern_einsum(text, operands, count);
        bool done = tern_check(ctx) == TERN_OK;
        fuzz_check(ctx, done ? tern_tensor_value(out) : tern_none());
        tern_error_clear(ctx);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_ctx *ctx = fuzz_context();
    tern_scope scope = tern_scope_begin(ctx, 0);
    char *text = tern_scope_alloc(ctx, size + 1);
    fuzz_require(text != NULL, "out of memory");
    memcpy(text, data, size);
    try_one_name(ctx, text);
    try_several(ctx, text, TERN_FLOAT32);
    try_several(ctx, text, TERN_INT32);
    try_einsum(ctx, text);
    tern_scope_end(scope);
    return 0;
}

#ifdef FUZZ_SMOKE

static size_t seed_input(uint8_t *out, size_t room) {
    static const char *const texts[] = {
        "0.5 * (1 + cos(math.pi * epoch / 10)) if epoch < 5 else 0.1 ** epoch",
        "max(epoch, 2, epoch // 3 % 2) - min(-epoch, 1e-3)",
        "s = tanh(x); where(s > y, add(x, y, k), lerp(x, y, 0.25)) * k",
        "not (x >= 0 and y != k) or x == -inf",
        "add(x, y, 3) + sub(y, x * k, -k)",
        "gelu(x) + clamp(x * y, -1, k) + addcmul(x, y, y, k) + xlogy(x, y) / k",
        "ij,jk->ik",
        "...i, ji -> ...j"};
    return fuzz_seed_text(texts, sizeof texts / sizeof texts[0], out, room);
}

int main(int argc, char **argv) {
    return fuzz_smoke("fuzz_formulas", argc, argv, seed_input);
}

#endif
