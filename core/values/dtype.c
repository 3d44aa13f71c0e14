/* dtype.c: the names of status codes and dtypes, and torch.promote_types. */
#include <string.h>

#include "tern/base.h"

const char *tern_status_name(tern_status status) {
    switch (status) {
    case TERN_OK: return "ok";
    case TERN_ERR_ARGUMENT: return "bad argument";
    case TERN_ERR_INDEX: return "index out of range";
    case TERN_ERR_NOT_FOUND: return "not found";
    case TERN_ERR_UNSUPPORTED: return "not supported";
    case TERN_ERR_OUT_OF_MEMORY: return "out of memory";
    case TERN_ERR_STATE: return "wrong state";
    case TERN_ERR_IO: return "input or output failed";
    case TERN_ERR_FORMAT: return "bad format";
    case TERN_ERR_DEVICE: return "device failed";
    case TERN_ERR_INTERNAL: return "internal error";
    }
    return "unknown status";
}

static const struct {
    const char *name;
    uint8_t size;
    bool floating, integral;
} dtypes[TERN_COMPLEX128 + 1] = {
    [TERN_FLOAT32] = {"float32", 4, true, false}, [TERN_FLOAT64] = {"float64", 8, true, false},
    [TERN_FLOAT16] = {"float16", 2, true, false}, [TERN_BFLOAT16] = {"bfloat16", 2, true, false},
    [TERN_INT64] = {"int64", 8, false, true},     [TERN_INT32] = {"int32", 4, false, true},
    [TERN_INT16] = {"int16", 2, false, true},     [TERN_INT8] = {"int8", 1, false, true},
    [TERN_UINT8] = {"uint8", 1, false, true},     [TERN_BOOL] = {"bool", 1, false, false},
    [TERN_COMPLEX64] = {.name = "complex64", 8},  [TERN_COMPLEX128] = {.name = "complex128", 16},
};

static bool is_dtype(tern_dtype dtype) {
    return (unsigned)dtype < sizeof dtypes / sizeof *dtypes && dtypes[dtype].name;
}

size_t tern_dtype_size(tern_dtype dtype) {
    return is_dtype(dtype) ? dtypes[dtype].size : 0;
}

const char *tern_dtype_name(tern_dtype dtype) {
    return is_dtype(dtype) ? dtypes[dtype].name : "?";
}

bool tern_dtype_is_floating(tern_dtype dtype) {
    return is_dtype(dtype) && dtypes[dtype].floating;
}

/* A small build may be without them. */
bool tern_dtype_is_complex(tern_dtype dtype) {
#ifdef TERN_NO_COMPLEX
    return (void)dtype, false;
#else
    return dtype == TERN_COMPLEX64 || dtype == TERN_COMPLEX128;
#endif
}

bool tern_dtype_is_integral(tern_dtype dtype) {
    return is_dtype(dtype) && dtypes[dtype].integral;
}

bool tern_dtype_parse(const char *text, tern_dtype *out_dtype) {
    static const struct {
        const char *name;
        tern_dtype dtype;
    } aliases[] = {{"float", TERN_FLOAT32},    {"double", TERN_FLOAT64},    {"half", TERN_FLOAT16},
                   {"long", TERN_INT64},       {"int", TERN_INT32},         {"short", TERN_INT16},
                   {"cfloat", TERN_COMPLEX64}, {"cdouble", TERN_COMPLEX128}};
    if (!text || !out_dtype) return false;
    if (strncmp(text, "torch.", 6) == 0) text += 6;
    for (int i = 0; i <= TERN_COMPLEX128; i++) {
        if (!dtypes[i].name || strcmp(text, dtypes[i].name) != 0) continue;
        *out_dtype = (tern_dtype)i;
        return true;
    }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (strcmp(text, aliases[i].name) != 0) continue;
        *out_dtype = aliases[i].dtype;
        return true;
    }
    return false;
}

static tern_dtype wider(tern_dtype a, tern_dtype b) {
    return dtypes[a].size >= dtypes[b].size ? a : b;
}

tern_dtype tern_promote_types(tern_dtype a, tern_dtype b) {
    if (!is_dtype(a)) return b;
    if (!is_dtype(b) || a == b) return a;
    if (a == TERN_BOOL) return b;
    if (b == TERN_BOOL) return a;
    if (tern_dtype_is_complex(a) || tern_dtype_is_complex(b)) {
        bool wide =
            a == TERN_COMPLEX128 || b == TERN_COMPLEX128 || a == TERN_FLOAT64 || b == TERN_FLOAT64;
        return wide ? TERN_COMPLEX128 : TERN_COMPLEX64;
    }
    if (dtypes[a].floating != dtypes[b].floating) return dtypes[a].floating ? a : b;
    if (dtypes[a].size != dtypes[b].size) return wider(a, b);
    /* Equal sizes that differ: neither holds the other's values, so the next dtype that holds both.
     */
    return dtypes[a].floating ? TERN_FLOAT32 : TERN_INT16;
}
