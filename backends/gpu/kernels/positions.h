/* positions.h: from a position in row-major order to an offset in elements. */
FUNCTION i64 offset_of(i64 i, i64 rank, const i64 *shape, const i64 *stride) {
    i64 at = 0;
    if (rank == 1) return i * stride[0];
    for (i64 d = rank - 1; d >= 0; d--) {
        at += i % shape[d] * stride[d];
        i /= shape[d];
    }
    return at;
}

/* Where line `i` begins in an operand that begins at `at`. */
FUNCTION i64 line_at(const gpu_dims *outer, i64 at, const i64 *stride, i64 i) {
    return at + offset_of(i, outer->rank, outer->shape, stride);
}
