/* dims.c: dimensions as a program names them, counted from either end. */
#include "tensor.h"

bool tern_wrap_dim(tern_ctx *ctx, int rank, int64_t dim, int *out_dim) {
    int range = rank ? rank : 1;
    if (dim < -range || dim >= range) {
        tern_fail(ctx, TERN_ERR_INDEX,
                  "Dimension out of range (expected to be in range of [%d, %d], but got %lld)",
                  -range, range - 1, (long long)dim);
        return false;
    }
    *out_dim = (int)(dim < 0 ? dim + range : dim);
    return true;
}

bool tern_wrap_dims(tern_ctx *ctx, int rank, const tern_shape *dims, uint32_t *out_mask) {
    *out_mask = rank ? (1u << rank) - 1 : 0;
    if (dims->rank <= 0) return true;
    *out_mask = 0;
    for (int i = 0; i < dims->rank; i++) {
        int d;
        if (!tern_wrap_dim(ctx, rank, dims->dim[i], &d)) return false;
        if (rank && *out_mask & 1u << d) {
            tern_fail(ctx, TERN_ERR_ARGUMENT, "dim %d appears multiple times in the list of dims",
                      d);
            return false;
        }
        if (rank) *out_mask |= 1u << d;
    }
    return true;
}
