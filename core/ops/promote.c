/* promote.c: the dtype that a call of several operands computes in (torch.result_type). */
#include "core/call/op.h"

static int category(tern_dtype dtype) {
    if (tern_is_continuous(dtype)) return tern_is_complex(dtype) ? 3 : 2;
    return dtype == TERN_BOOL ? 0 : 1;
}

typedef struct promotion {
    tern_dtype dtype;
    bool any;
} promotion;

static void promote(promotion *p, tern_dtype dtype) {
    p->dtype = p->any ? tern_promote_types(p->dtype, dtype) : dtype;
    p->any = true;
}

/* A lower class changes the dtype only where its category is higher. */
static tern_dtype combine(promotion higher, promotion lower) {
    if (!higher.any) return lower.dtype;
    if (!lower.any || category(higher.dtype) >= category(lower.dtype)) return higher.dtype;
    if (category(higher.dtype) == 2) return tern_complex_dtype(higher.dtype);
    return tern_promote_types(higher.dtype, lower.dtype);
}

/* Whether all are tensors of one dtype, as they mostly are. */
static bool of_one_dtype(const tern_value *args, int count) {
    for (int i = 0; i < count; i++)
        if (args[i].kind != TERN_VALUE_TENSOR ||
            BODY(args[i].as.tensor)->dtype != BODY(args[0].as.tensor)->dtype)
            return false;
    return count > 0;
}

tern_dtype tern_result_type(const tern_value *args, int count) {
    if (of_one_dtype(args, count)) return BODY(args[0].as.tensor)->dtype;
    promotion dims = {TERN_FLOAT32, false}, zero = dims, number = dims;
    for (int i = 0; i < count; i++) {
        if (args[i].kind == TERN_VALUE_TENSOR) {
            const tern_tensor *t = args[i].as.tensor;
            promote(BODY(t)->flags & TERN_T_NUMBER ? &number
                    : BODY(t)->rank                ? &dims
                                                   : &zero,
                    BODY(t)->dtype);
        } else if (args[i].kind == TERN_VALUE_BOOL) {
            promote(&number, TERN_BOOL);
        } else if (args[i].kind == TERN_VALUE_INT) {
            promote(&number, TERN_INT64);
        } else if (args[i].kind == TERN_VALUE_FLOAT) {
            promote(&number, TERN_FLOAT32);
        }
    }
    promotion low = {combine(zero, number), zero.any || number.any};
    return combine(dims, low);
}
