/* shapes.c: shapes, formulas with named tensors, the limits of dtypes. */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

bool dist_join(tern_ctx *ctx, const char *name, tern_shape a, tern_shape b, tern_shape *out_shape) {
    if (a.rank < 0 || a.rank + b.rank > TERN_MAX_RANK) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: a shape of %d and %d dimensions: at most %d fit",
                  name, (int)a.rank, (int)b.rank, TERN_MAX_RANK);
        return false;
    }
    for (int i = 0; i < b.rank; i++) a.dim[a.rank + i] = b.dim[i];
    a.rank += b.rank;
    *out_shape = a;
    return true;
}

bool dist_fits(tern_shape a, tern_shape b) {
    if (a.rank > b.rank) return false;
    for (int i = 1; i <= a.rank; i++) {
        int64_t size = a.dim[a.rank - i];
        if (size != 1 && size != b.dim[b.rank - i]) return false;
    }
    return true;
}

tern_tensor *dist_sum_last(tern_tensor *x, int n) {
    tern_shape dims = {n, {0}};
    if (n == 0) return x;
    for (int i = 0; i < n; i++) dims.dim[i] = -1 - i;
    return tern_sum_dims(x, dims, false);
}

void dist_names_put(dist_names *names, const char *name, tern_tensor *tensor) {
    names->prefix[names->count] = "";
    names->name[names->count] = name;
    names->tensor[names->count++] = tensor;
}

void dist_names_add(dist_names *names, const char *prefix, const dist_body *d) {
    for (int i = 0; i < DIST_PARAMETERS && d->family->parameter[i]; i++) {
        dist_names_put(names, d->family->parameter[i], d->parameter[i]);
        names->prefix[names->count - 1] = prefix;
    }
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Whether the formula uses the name: tern_map takes no others. */
static bool uses(const char *formula, const char *name) {
    size_t length = strlen(name);
    for (const char *at = strstr(formula, name); at; at = strstr(at + 1, name))
        if ((at == formula || !is_word(at[-1])) && !is_word(at[length])) return true;
    return false;
}

tern_tensor *dist_map(tern_ctx *ctx, const char *formula, const dist_names *names) {
    tern_value values = tern_dict_new(ctx, false);
    char name[32];
    for (int i = 0; i < names->count; i++) {
        snprintf(name, sizeof name, "%s%s", names->prefix[i], names->name[i]);
        if (uses(formula, name)) tern_dict_set(values, name, tern_tensor_value(names->tensor[i]));
    }
    return tern_map(ctx, formula, values);
}

tern_tensor *dist_map_x(const char *formula, tern_tensor *x) {
    dist_names names = {0};
    dist_names_put(&names, "x", x);
    return dist_map(tern_context_of(x), formula, &names);
}

double dist_tiny(tern_dtype dtype) {
    return dtype == TERN_FLOAT64 ? DBL_MIN : dtype == TERN_FLOAT16 ? 0x1p-14 : 0x1p-126;
}

double dist_eps(tern_dtype dtype) {
    switch (dtype) {
    case TERN_FLOAT64: return DBL_EPSILON;
    case TERN_FLOAT16: return 0x1p-10;
    case TERN_BFLOAT16: return 0x1p-7;
    default: return FLT_EPSILON;
    }
}
