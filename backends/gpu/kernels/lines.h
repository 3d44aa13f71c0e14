/* lines.h: where line `i` of operand `k` begins. */
FUNCTION i64 line_at(const gpu_dims *outer, i64 at, const i64 *stride, i64 i) {
    for (i64 d = outer->rank - 1; d >= 0; d--) {
        at += i % outer->shape[d] * stride[d];
        i /= outer->shape[d];
    }
    return at;
}
