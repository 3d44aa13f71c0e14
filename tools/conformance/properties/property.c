#include "property.h"

#include "tern/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- calls ----------------------------------------------------------------------------------- */

/* x + i cos(x) for a real x, and what is no floating tensor as it is: smooth, so that derivatives by x say
 * what those of the complex tensor are. */
static tern_value made_complex(tern_value value) {
    bool real = value.kind == TERN_VALUE_TENSOR && !tern_is_nil(value.as.tensor) &&
                tern_dtype_is_floating(tern_dtype_of(value.as.tensor));
    if (!real) return value;
    return tern_tensor_value(tern_complex(value.as.tensor, tern_cos(value.as.tensor)));
}

static tern_value all_complex(tern_ctx *ctx, tern_value named) {
    tern_value key, item, out = tern_dict_new(ctx, false);
    for (size_t i = 0; tern_dict_at(named, i, &key, &item); i++) {
        tern_value made = made_complex(item);
        if (item.kind == TERN_VALUE_LIST) {
            made = tern_list_new(ctx);
            for (size_t k = 0; k < tern_value_count(item); k++)
                tern_list_append(made, made_complex(tern_value_at(item, k)));
        }
        tern_dict_set_value(out, key, made);
    }
    return out;
}

/* Complex results as pairs of real numbers, which all checks understand. */
static void as_pairs(results *r) {
    for (size_t i = 0; i < r->count; i++) {
        tern_value *item = &r->items[i];
        bool is_complex = item->kind == TERN_VALUE_TENSOR && !tern_is_nil(item->as.tensor) &&
                          tern_dtype_is_complex(tern_dtype_of(item->as.tensor));
        if (is_complex) *item = tern_tensor_value(tern_view_as_real(item->as.tensor));
    }
}

tern_status property_call(const property *p, tern_ctx *ctx, const char *suffix, tern_value named,
                          results *out_results) {
    char name[REPORT_NAME];
    sample_operation(p->sample, suffix, name);
    tern_manual_seed(ctx, (int64_t)(p->with.seed % 1000003u) + 11);
    if (sample_is(p->sample, 'J')) named = all_complex(ctx, named);
    results_flatten(tern_call(ctx, name, NULL, 0, named), out_results);
    as_pairs(out_results);
    return tern_check(ctx);
}

bool property_draw(property *p, const setting *with, drawn *out_drawn) {
    if (sample_draw(p->reference, p->sample, with, out_drawn)) return true;
    case_fail(p->t, "its sample cannot be drawn: %s", tern_error(p->reference));
    tern_error_clear(p->reference);
    return false;
}

bool property_both(property *p, const drawn *d, results *out_got, results *out_right) {
    arguments mine, theirs;
    tern_status wrong = TERN_ERR_INTERNAL, status = TERN_ERR_INTERNAL;
    if (arguments_make(p->reference, d, &theirs))
        wrong = property_call(p, p->reference, "", theirs.named, out_right);
    if (arguments_make(p->device, d, &mine))
        status = property_call(p, p->device, "", mine.named, out_got);
    if (status == TERN_ERR_UNSUPPORTED && wrong != status) {
        p->t->skip = "the device does not support it";
        tern_error_clear(p->device);
    } else if (status != wrong && wrong != TERN_OK) {
        case_fail(p->t, "%s, but the reference refuses: %s",
                  status ? tern_error(p->device) : "it answers", tern_error(p->reference));
    }
    if (status == wrong) tern_error_clear(p->device);
    tern_error_clear(p->reference);
    return status == TERN_OK && wrong == TERN_OK;
}

/* ---- comparing ------------------------------------------------------------------------------- */

nearness nearness_of(const sample *s) {
    return sample_is(s, 'X') ? NEAR_BITS : sample_is(s, 'M') ? NEAR_NUMBER : NEAR_SCALE;
}

static double least_denormal(tern_dtype dtype) {
    return dtype == TERN_FLOAT64    ? 0x1p-1074
           : dtype == TERN_FLOAT16  ? 0x1p-24
           : dtype == TERN_BFLOAT16 ? 0x1p-133
                                    : 0x1p-149;
}

static double largest(tern_ctx *ctx, tern_tensor *tensor) {
    size_t count = (size_t)tern_numel(tensor);
    double most = 0, *all = tern_scope_alloc(ctx, (count + 1) * sizeof *all);
    if (!all || tern_to_doubles(tensor, all, count) != TERN_OK) return 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(all[i]) && fabs(all[i]) > most) most = fabs(all[i]);
    return most;
}

/* assert_close's tolerances times 4, since both sides are off by one; those of float16 and bfloat16 allow a
 * step of their own already. */
static tolerance tolerance_for(const property *p, nearness near, tern_ctx *ctx,
                               tern_tensor *right) {
    double rtol, atol;
    tern_dtype dtype = tern_dtype_of(right);
    default_tolerance(dtype, &rtol, &atol);
    bool narrow = tern_dtype_size(dtype) == 2;
    tolerance limit = {.relative = rtol * (narrow ? 1 : 4), .absolute = 4 * least_denormal(dtype)};
    if (near == NEAR_SLOPE) limit.absolute = 4 * atol;
    if (near == NEAR_SLOPE) return limit;
    if (near == NEAR_NUMBER) {
        limit.signed_zeros = p->sample && !sample_is(p->sample, 'Z');
        if (p->sample && sample_is(p->sample, 'C')) limit.absolute = 4 * atol;
        return limit;
    }
    /* What is small may be a difference of numbers near 1, which float16 rounds on the way. */
    double scale = fmax(largest(ctx, right), narrow ? 0.5 : 0);
    limit.absolute = 4 * (atol + rtol * scale);
    limit.relative *= 2;
    return limit;
}

/* The right result as the host holds it. */
static bool take_home(tern_ctx *ctx, tern_tensor *right, stored_tensor *out) {
    size_t bytes = (size_t)tern_numel(right) * tern_dtype_size(tern_dtype_of(right));
    void *data = tern_scope_alloc(ctx, bytes);
    *out = (stored_tensor){tern_dtype_of(right), tern_shape_of(right), data, bytes};
    return data && tern_to_host(right, data, bytes) == TERN_OK;
}

void property_compare_one(property *p, const char *label, tern_value got, tern_ctx *right_ctx,
                          tern_value right, nearness near) {
    stored_tensor truth;
    comparison c = {.equal = true};
    if (got.kind == TERN_VALUE_NONE || right.kind == TERN_VALUE_NONE) {
        if (got.kind != right.kind)
            case_fail(p->t, "%s: a %s came, expected a %s", label, tern_kind_name(got.kind),
                      tern_kind_name(right.kind));
        return;
    }
    tern_tensor *tensor = result_tensor(right_ctx, right);
    if (tern_is_nil(tensor) || !take_home(right_ctx, tensor, &truth)) {
        case_fail(p->t, "%s: the reference: %s", label, tern_error(right_ctx));
        return;
    }
    tolerance limit = tolerance_for(p, near, right_ctx, tensor);
    bool bits = near == NEAR_BITS || !tern_dtype_is_floating(truth.dtype);
    if (bits)
        compare_bits(p->device, got, &truth, &c);
    else
        compare_result(p->device, got, &truth, TERN_DTYPE_DEFAULT, &limit, &c);
    if (!c.equal) case_fail(p->t, "%s: %s", label, c.what);
}

static bool same_shape(const tern_tensor *a, const tern_tensor *b) {
    tern_shape x = tern_shape_of(a), y = tern_shape_of(b);
    bool same = tern_dtype_of(a) == tern_dtype_of(b) && x.rank == y.rank;
    for (int32_t d = 0; same && d < x.rank; d++) same = x.dim[d] == y.dim[d];
    return same;
}

void property_compare(property *p, const char *label, const results *got, tern_ctx *right_ctx,
                      const results *right, nearness near) {
    char name[64];
    if (got->count != right->count) {
        case_fail(p->t, "%s: %zu results, expected %zu", label, got->count, right->count);
        return;
    }
    for (size_t i = 0; i < got->count && !p->t->failed; i++) {
        tern_value a = got->items[i], b = right->items[i];
        snprintf(name, sizeof name, "%s %zu", label, i);
        bool tensors = a.kind == TERN_VALUE_TENSOR && b.kind == TERN_VALUE_TENSOR;
        if (sample_is(p->sample, 'O') && tensors) {
            if (!same_shape(a.as.tensor, b.as.tensor))
                case_fail(p->t, "%s: another dtype or shape than the reference's", name);
            continue;
        }
        property_compare_one(p, name, a, right_ctx, b, near);
    }
}

/* ---- tensors --------------------------------------------------------------------------------- */

tern_tensor *counted(tern_ctx *ctx, tern_shape shape, tern_dtype dtype, double start, double step) {
    int64_t count = shape_count(&shape);
    double *data = tern_scope_alloc(ctx, (size_t)(count + 1) * sizeof *data);
    if (!data) return tern_nil(ctx);
    for (int64_t i = 0; i < count; i++) data[i] = start + step * (double)i;
    return tern_to_dtype(tern_from_data(ctx, data, shape, TERN_FLOAT64), dtype);
}

void expect_doubles(property *p, const char *label, tern_tensor *got, const double *right,
                    size_t count) {
    tern_ctx *ctx = tern_context_of(got);
    double *all = ctx ? tern_scope_alloc(ctx, (count + 1) * sizeof *all) : NULL;
    if (!all || tern_to_doubles(got, all, count) != TERN_OK) {
        case_fail(p->t, "%s: %s", label, tern_error(p->device));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (all[i] == right[i]) continue;
        case_fail(p->t, "%s: element %zu is %.17g, expected %.17g", label, i, all[i], right[i]);
        return;
    }
}

tern_tensor *drawn_seed(const property *p, tern_ctx *ctx, const char *label, tern_shape shape,
                        tern_dtype dtype) {
    stored_tensor made;
    recipe r = {.kind = 'f'};
    stream s = stream_of(label, p->with.seed, (uint64_t)p->with.round);
    if (!draw_elements(p->reference, &s, &r, dtype, &shape, &made)) return tern_nil(ctx);
    return tern_from_data(ctx, made.data, made.shape, made.dtype);
}
