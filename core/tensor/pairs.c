/* pairs.c: complex tensors as the real numbers that they consist of. */
#include "pairs.h"

tern_geometry tern_geometry_of(const tern_tensor *tensor) {
    const tern_tensor_body *body = BODY(tensor);
    tern_geometry g = {body->dtype, tern_shape_of(tensor), {body->rank, {0}}, body->offset};
    for (int d = 0; d < body->rank; d++) g.strides.dim[d] = body->strides[d];
    return g;
}

/* In real numbers: everything counts twice. A tensor's own geometry fits twice into 63 bits. */
static void double_steps(tern_geometry *g) {
    g->dtype = tern_real_dtype(g->dtype);
    g->offset *= 2;
    for (int d = 0; d < g->strides.rank; d++) g->strides.dim[d] *= 2;
}

bool tern_geometry_pairs(tern_geometry *g) {
    if (!tern_is_complex(g->dtype)) return true;
    if (g->shape.rank == TERN_MAX_RANK) return false;
    double_steps(g);
    g->shape.dim[g->shape.rank++] = 2;
    g->strides.dim[g->strides.rank++] = 1;
    return true;
}

const char *tern_geometry_join(tern_geometry *g) {
    int last = --g->shape.rank;
    g->strides.rank = last;
    if (last < 0 || g->shape.dim[last] != 2) return "Tensor must have a last dimension of size 2";
    if (g->strides.dim[last] != 1) return "Tensor must have a last dimension with stride 1";
    if (g->offset % 2) return "Tensor must have a storage_offset divisible by 2";
    g->offset /= 2;
    g->dtype = tern_complex_dtype(g->dtype);
    for (int d = 0; d < last; d++) {
        if (g->strides.dim[d] % 2)
            return "Tensor must have a stride divisible by 2 for all but last dimension";
        g->strides.dim[d] /= 2;
    }
    return NULL;
}

static tern_tensor *over(const tern_tensor *tensor, const tern_geometry *g) {
    return tern_tensor_over(BODY(tensor)->lane, BODY(tensor)->storage, g->dtype, g->shape.rank,
                            g->shape.dim, g->strides.dim, g->offset);
}

tern_tensor *tern_pairs_over(const tern_tensor *tensor) {
    tern_geometry g = tern_geometry_of(tensor);
    tern_geometry_pairs(&g);
    return over(tensor, &g);
}

tern_tensor *tern_part_over(const tern_tensor *tensor, int part) {
    tern_geometry g = tern_geometry_of(tensor);
    double_steps(&g);
    g.offset += part;
    return over(tensor, &g);
}
