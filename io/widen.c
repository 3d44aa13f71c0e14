/* widen.c: unsigned integers and float8. */
#include "widen.h"

#include <math.h>
#include <string.h>

#include "bytes.h"
#include "tern/memory.h"

/*
 * sign | exponent | mantissa, in 8 bits. "fn" has no infinities, and NaN where all bits are set; "fnuz" neither
 * infinities nor -0, and NaN in its place (the OCP's 8-bit Floating Point Specification 1.0; Noune et al. 2022).
 */
typedef enum special { IEEE, FN, FNUZ } special;

typedef struct form {
    tern_wide wide;
    int mantissa, bias; /* bits, of the exponent; a bias of 0: an integer */
    special special;
} form;

static const form forms[] = {
    {{"uint16", 2, TERN_INT64}, 0, 0, IEEE},
    {{"uint32", 4, TERN_INT64}, 0, 0, IEEE},
    {{"uint64", 8, TERN_INT64}, 0, 0, IEEE},
    {{"float8_e4m3fn", 1, TERN_FLOAT32}, 3, 7, FN},
    {{"float8_e4m3fnuz", 1, TERN_FLOAT32}, 3, 8, FNUZ},
    {{"float8_e5m2", 1, TERN_FLOAT32}, 2, 15, IEEE},
    {{"float8_e5m2fnuz", 1, TERN_FLOAT32}, 2, 16, FNUZ},
    {{"float8_e8m0fnu", 1, TERN_FLOAT32}, 0, 127, FN}, /* without a sign */
};

const tern_wide *tern_wide_of(const char *torch_name) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].wide.name, torch_name) == 0) return &forms[i].wide;
    return NULL;
}

static float decode(const form *f, unsigned char byte) {
    if (f->mantissa == 0) return byte == 0xff ? NAN : ldexpf(1, byte - f->bias);
    int magnitude = byte & 0x7f, exponent = magnitude >> f->mantissa, all = 0x7f >> f->mantissa;
    int fraction = magnitude & ((1 << f->mantissa) - 1);
    if (f->special == FNUZ && byte == 0x80) return NAN;
    if (f->special == FN && magnitude == 0x7f) return NAN;
    float value;
    if (f->special == IEEE && exponent == all)
        value = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexpf((float)fraction, 1 - f->bias - f->mantissa);
    else
        value = ldexpf((float)(fraction | 1 << f->mantissa), exponent - f->bias - f->mantissa);
    return byte & 0x80 ? -value : value;
}

/* False where one is beyond int64. */
static bool widen(const form *f, const unsigned char *data, bool swapped, size_t count, void *out) {
    float table[256], *floats = out;
    int64_t *ints = out;
    for (int i = 0; f->bias && i < 256; i++) table[i] = decode(f, (unsigned char)i);
    for (size_t i = 0; i < count; i++, data += f->wide.size) {
        if (f->bias) {
            floats[i] = table[*data];
            continue;
        }
        uint64_t number = 0;
        for (uint32_t k = 0; k < f->wide.size; k++)
            number |= (uint64_t)data[swapped ? f->wide.size - 1 - k : k] << (8 * k);
        if (number > INT64_MAX) return false;
        ints[i] = (int64_t)number;
    }
    return true;
}

tern_tensor *tern_widened(tern_ctx *ctx, const char *path, const tern_wide *wide,
                          const unsigned char *data, bool swapped, tern_shape shape) {
    uint64_t count = 1, bytes;
    bool fits = true;
    for (int i = 0; i < shape.rank; i++)
        fits = fits && tern_size_mul(count, (uint64_t)shape.dim[i], &count);
    fits = fits && tern_size_mul(count, tern_dtype_size(wide->dtype), &bytes) && bytes <= SIZE_MAX;
    void *out = fits ? tern_alloc((size_t)bytes) : NULL;
    tern_tensor *tensor = tern_nil(ctx);
    if (!out)
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for a tensor of %s", path,
                  wide->name);
    else if (!widen((const form *)wide, data, swapped, (size_t)count, out))
        tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                  "%s: a tensor is %s and holds a number beyond int64, as which it would be read",
                  path, wide->name);
    else
        tensor = tern_from_data(ctx, out, shape, wide->dtype);
    tern_free(out);
    return tensor;
}
