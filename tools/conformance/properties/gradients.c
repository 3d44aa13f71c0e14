/* Gradients against the reference's, those of gradients, and central differences. */
#include "property.h"

#include "tern/grad.h"

#include <stdio.h>
#include <string.h>

enum { MOST_OUTPUTS = 32 };

static results got, right; /* large, and one case runs at a time */

/* A call with leaves, and where a gradient is fed in. */
typedef struct taped {
    arguments call;
    tern_tensor *leaves[MOST_TENSORS], *outputs[MOST_OUTPUTS], *seeds[MOST_OUTPUTS];
    int n_leaves, n_outputs;
} taped;

static bool is_output(tern_value item) {
    return item.kind == TERN_VALUE_TENSOR && tern_has_grad_required(item.as.tensor);
}

/* The same seeds on every device. */
static void add_outputs(const property *p, tern_ctx *ctx, taped *tape, const char *label,
                        const tern_value *items, size_t count) {
    char name[48];
    tape->n_outputs = 0;
    for (size_t i = 0; i < count && tape->n_outputs < MOST_OUTPUTS; i++) {
        if (!is_output(items[i])) continue;
        tern_tensor *output = items[i].as.tensor;
        snprintf(name, sizeof name, "%s %zu", label, i);
        tape->outputs[tape->n_outputs] = output;
        tape->seeds[tape->n_outputs++] =
            drawn_seed(p, ctx, name, tern_shape_of(output), tern_dtype_of(output));
    }
}

static tern_status tape_call(property *p, tern_ctx *ctx, const drawn *d, taped *tape,
                             results *out) {
    tape->n_leaves = tape->n_outputs = 0;
    if (!arguments_make(ctx, d, &tape->call)) return tern_check(ctx);
    for (int i = 0; i < d->count; i++)
        if (d->of_case[i])
            tape->leaves[tape->n_leaves++] = tern_requires_grad(tape->call.tensors[i], true);
    tern_status status = property_call(p, ctx, "", tape->call.named, out);
    if (status == TERN_OK) add_outputs(p, ctx, tape, "seed", out->items, out->count);
    return status;
}

/* Puts the gradients in the place of results, none for what gets none. */
static tern_status tape_grad(tern_ctx *ctx, taped *tape, unsigned flags, results *out) {
    tern_tensor *gradients[MOST_TENSORS] = {NULL};
    out->count = 0;
    if (tape->n_outputs == 0) return TERN_OK;
    tern_grad(tape->outputs, tape->n_outputs, tape->leaves, tape->n_leaves, tape->seeds,
              flags | TERN_ALLOW_UNUSED, gradients);
    for (int i = 0; i < tape->n_leaves; i++)
        out->items[out->count++] = tern_tensor_value(gradients[i]);
    return tern_check(ctx);
}

/* One device's gradients, of first or second order. */
static tern_status differentiate(property *p, tern_ctx *ctx, const drawn *d, int order,
                                 results *out) {
    taped tape;
    tern_status status = tape_call(p, ctx, d, &tape, out);
    if (status != TERN_OK) return status;
    status = tape_grad(ctx, &tape, order > 1 ? TERN_CREATE_GRAPH : 0, out);
    if (status != TERN_OK || order == 1) return status;
    add_outputs(p, ctx, &tape, "second", out->items, out->count);
    return tape_grad(ctx, &tape, 0, out);
}

static void check_gradients(property *p) {
    drawn d;
    if (sample_is(p->sample, 'L')) p->with.layout = LAYOUT_PLAIN;
    if (!property_draw(p, &p->with, &d)) return;
    drawn plain = d;
    plain.layout = LAYOUT_PLAIN;
    char why[200];
    tern_status wrong = differentiate(p, p->reference, &plain, p->part, &right);
    snprintf(why, sizeof why, "%s", tern_error(p->reference));
    tern_error_clear(p->reference); /* it draws the other's seeds */
    tern_status status = differentiate(p, p->device, &d, p->part, &got);
    if (status == TERN_ERR_UNSUPPORTED && wrong != status) {
        p->t->skip = "the device does not support it";
        tern_error_clear(p->device);
    } else if (status == wrong && status != TERN_OK) {
        tern_error_clear(p->device);
    } else if (status == TERN_OK && wrong != TERN_OK) {
        case_fail(p->t, "there are gradients, but the reference refuses: %s", why);
    } else if (status == TERN_OK) {
        property_compare(p, "gradient", &got, p->reference, &right,
                         p->with.edges ? NEAR_SLOPE : NEAR_SCALE);
    }
}

/* ---- differences ----------------------------------------------------------------------------- */

typedef struct retraced {
    property *p;
    const drawn *d;
    arguments call;
} retraced;

/* A copy of the arguments with other tensors in the place of the leaves: they are met in one order. */
static tern_value replace(tern_ctx *ctx, tern_value value, const retraced *r,
                          tern_tensor *const *inputs) {
    tern_value out, key, item;
    switch (value.kind) {
    case TERN_VALUE_LIST:
        out = tern_list_new(ctx);
        for (size_t i = 0; i < tern_value_count(value); i++)
            tern_list_append(out, replace(ctx, tern_value_at(value, i), r, inputs));
        return out;
    case TERN_VALUE_DICT:
        out = tern_dict_new(ctx, false);
        for (size_t i = 0; tern_dict_at(value, i, &key, &item); i++)
            tern_dict_set(out, key.as.s, replace(ctx, item, r, inputs));
        return out;
    case TERN_VALUE_TENSOR:
        for (int i = 0, leaf = 0; i < r->call.count; i++) {
            if (r->call.tensors[i] == value.as.tensor)
                return r->d->of_case[i] ? tern_tensor_value(inputs[leaf]) : value;
            leaf += r->d->of_case[i];
        }
        return value;
    default: return value;
    }
}

/* All results that have a derivative, in one row. */
static tern_tensor *in_a_row(tern_ctx *ctx, const results *all) {
    tern_tensor *rows[MOST_OUTPUTS];
    int count = 0;
    for (size_t i = 0; i < all->count && count < MOST_OUTPUTS; i++) {
        tern_value item = all->items[i];
        if (item.kind == TERN_VALUE_TENSOR && tern_dtype_of(item.as.tensor) == TERN_FLOAT64)
            rows[count++] = tern_reshape(item.as.tensor, TERN_SHAPE(-1));
    }
    return count ? tern_cat(rows, count, 0) : tern_nil(ctx);
}

static tern_tensor *call_again(tern_ctx *ctx, tern_tensor *const *inputs, int n_inputs,
                               void *user) {
    retraced *r = user;
    (void)n_inputs;
    tern_value named = replace(ctx, r->call.named, r, inputs);
    return property_call(r->p, ctx, "", named, &got) == TERN_OK ? in_a_row(ctx, &got)
                                                                : tern_nil(ctx);
}

static void check_differences(property *p) {
    drawn d;
    tern_tensor *leaves[MOST_TENSORS];
    int count = 0;
    if (!property_draw(p, &p->with, &d)) return;
    retraced r = {p, &d, {.count = 0}};
    if (!arguments_make(p->device, &d, &r.call)) return;
    for (int i = 0; i < d.count; i++)
        if (d.of_case[i]) leaves[count++] = tern_requires_grad(r.call.tensors[i], true);
    tern_gradcheck(p->device, call_again, &r, leaves, count, 1e-6, 1e-5, 1e-3);
    if (tern_check(p->device) == TERN_ERR_UNSUPPORTED) {
        p->t->skip = "the device does not support it";
        tern_error_clear(p->device);
    }
}

/* ---- subjects -------------------------------------------------------------------------------- */

static bool is_differentiable(const sample *s, const traits *t) {
    (void)s;
    return t->differentiable;
}
static bool has_second(const sample *s, const traits *t) {
    return t->differentiable && !sample_is(s, 'H');
}
static bool is_smooth(const sample *s, const traits *t) {
    return t->differentiable && !sample_is(s, 'N');
}

static const variant orders[] = {{"plain", 0, LAYOUT_PLAIN, false, 1},
                                 {"transposed", 1, LAYOUT_TRANSPOSED, false, 1},
                                 {"expanded", 0, LAYOUT_EXPANDED, false, 1},
                                 {"drawn", 2, LAYOUT_PLAIN, false, 1},
                                 {"edges", 0, LAYOUT_PLAIN, true, 1}};
static const variant second[] = {{"plain", 0, LAYOUT_PLAIN, false, 2},
                                 {"drawn", 1, LAYOUT_PLAIN, false, 2}};
static const variant moderate[] = {{"plain", 0, LAYOUT_PLAIN, false, 0}};

const subject subject_gradients = {
    "properties/gradients",           is_differentiable, FLOAT_DTYPES, orders,
    sizeof orders / sizeof orders[0], check_gradients};
const subject subject_second = {"properties/second",
                                has_second,
                                DTYPE_BIT(TERN_FLOAT64) | DTYPE_BIT(TERN_FLOAT32),
                                second,
                                sizeof second / sizeof second[0],
                                check_gradients};
const subject subject_differences = {
    "properties/differences", is_smooth, DTYPE_BIT(TERN_FLOAT64), moderate, 1, check_differences};
