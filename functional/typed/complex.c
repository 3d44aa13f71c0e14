/* complex.c: the C functions of tern/ops_complex.h. */
#include "functional/functional.h"
#include "tern/ops_complex.h"

tern_tensor *tern_complex(tern_tensor *real, tern_tensor *imag) {
    return TERN_CALL(complex, ARG_TENSOR(real), ARG_TENSOR(imag));
}
tern_tensor *tern_complex_polar(tern_tensor *abs, tern_tensor *angle) {
    return TERN_CALL(complex_polar, ARG_TENSOR(abs), ARG_TENSOR(angle));
}
tern_tensor *tern_real(tern_tensor *input) {
    return TERN_CALL(real, ARG_TENSOR(input));
}
tern_tensor *tern_imag(tern_tensor *input) {
    return TERN_CALL(imag, ARG_TENSOR(input));
}
tern_tensor *tern_conj(tern_tensor *input) {
    return TERN_CALL(conj, ARG_TENSOR(input));
}
tern_tensor *tern_resolve_conj(tern_tensor *input) {
    return TERN_CALL(resolve_conj, ARG_TENSOR(input));
}
tern_tensor *tern_H(tern_tensor *input) {
    return TERN_CALL(H, ARG_TENSOR(input));
}
tern_tensor *tern_mH(tern_tensor *input) {
    return TERN_CALL(mH, ARG_TENSOR(input));
}
tern_tensor *tern_angle(tern_tensor *input) {
    return TERN_CALL(angle, ARG_TENSOR(input));
}
tern_tensor *tern_sgn(tern_tensor *input) {
    return TERN_CALL(sgn, ARG_TENSOR(input));
}
tern_tensor *tern_isreal(tern_tensor *input) {
    return TERN_CALL(isreal, ARG_TENSOR(input));
}
