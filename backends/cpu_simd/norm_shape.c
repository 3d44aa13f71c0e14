#include "norm_shape.h"

void tern_simd_norm_operand(norm_shape *s, const tern_kit_tensor *t, const tern_kit_tensor *x) {
    int32_t k = s->count++;
    for (int32_t d = 0; d < x->rank; d++)
        s->strides[k][d] = t->shape[d] == 1 && x->shape[d] != 1 ? 0 : t->strides[d];
    s->operands[k] = tern_kit_tensor_over(t->data, t->dtype, x->rank, x->shape, s->strides[k]);
}

void tern_simd_norm_number(norm_shape *s, int32_t dtype, const void *value,
                           const tern_kit_tensor *x) {
    static const int64_t standing[TERN_BACKEND_MAX_RANK];
    /* an operand that is read, whatever its type says */
    union {
        const void *read;
        char *data;
    } at = {.read = value};
    s->operands[s->count++] = tern_kit_tensor_over(at.data, dtype, x->rank, x->shape, standing);
}

void tern_simd_norm_cut(norm_shape *s, uint32_t dims) {
    const tern_kit_tensor *operands[TERN_KIT_WALK_OPERANDS];
    for (int32_t k = 0; k < s->count; k++) operands[k] = &s->operands[k];
    tern_kit_walk_begin(&s->kept, operands, s->count, dims);
    tern_kit_walk_begin(&s->pieces, operands, s->count, ~dims);
    s->elements = tern_kit_walk_count(&s->pieces);
    int32_t inner = s->kept.rank - 1, last = s->pieces.rank - 1;
    bool apart = last >= 0 && s->pieces.stride[0][last] != 1;
    s->by_columns = apart && inner >= 0 && s->kept.stride[0][inner] == 1;
    s->run = (tern_kit_row){1, {0}};
    s->columns = s->run;
    if (s->by_columns)
        s->columns = tern_kit_walk_row(&s->kept);
    else
        s->run = tern_kit_walk_row(&s->pieces);
}
