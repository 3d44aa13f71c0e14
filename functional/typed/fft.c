/* fft.c: the C functions of tern/ops_fft.h. */
#include "functional/functional.h"
#include "tern/ops_fft.h"

/* What C says for None: a length of 0, a shape of rank 0, NULL. */
static tern_value length(int64_t n) {
    return n ? ARG_INT(n) : tern_none();
}
static tern_value text(const char *norm) {
    return norm ? tern_text(norm) : tern_none();
}
#define GIVEN(shape)     ((shape).rank ? ARG_SHAPE(shape) : tern_none())
#define CALL_ONE(id)     TERN_CALL(id, ARG_TENSOR(input), length(n), ARG_INT(dim), text(norm))
#define CALL_SEVERAL(id) TERN_CALL(id, ARG_TENSOR(input), GIVEN(s), GIVEN(dim), text(norm))

tern_tensor *tern_fft(tern_tensor *input, int64_t n, int dim, const char *norm) {
    return CALL_ONE(fft);
}
tern_tensor *tern_ifft(tern_tensor *input, int64_t n, int dim, const char *norm) {
    return CALL_ONE(ifft);
}
tern_tensor *tern_rfft(tern_tensor *input, int64_t n, int dim, const char *norm) {
    return CALL_ONE(rfft);
}
tern_tensor *tern_irfft(tern_tensor *input, int64_t n, int dim, const char *norm) {
    return CALL_ONE(irfft);
}
tern_tensor *tern_hfft(tern_tensor *input, int64_t n, int dim, const char *norm) {
    return CALL_ONE(hfft);
}
tern_tensor *tern_ihfft(tern_tensor *input, int64_t n, int dim, const char *norm) {
    return CALL_ONE(ihfft);
}
tern_tensor *tern_fft2(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(fft2);
}
tern_tensor *tern_ifft2(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(ifft2);
}
tern_tensor *tern_rfft2(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(rfft2);
}
tern_tensor *tern_irfft2(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(irfft2);
}
tern_tensor *tern_hfft2(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(hfft2);
}
tern_tensor *tern_ihfft2(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(ihfft2);
}
tern_tensor *tern_fftn(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(fftn);
}
tern_tensor *tern_ifftn(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(ifftn);
}
tern_tensor *tern_rfftn(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(rfftn);
}
tern_tensor *tern_irfftn(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(irfftn);
}
tern_tensor *tern_hfftn(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(hfftn);
}
tern_tensor *tern_ihfftn(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm) {
    return CALL_SEVERAL(ihfftn);
}

tern_tensor *tern_fftfreq(tern_ctx *ctx, int64_t n, double d) {
    return TERN_CALL_CTX(ctx, fftfreq, ARG_INT(n), ARG_FLOAT(d));
}
tern_tensor *tern_rfftfreq(tern_ctx *ctx, int64_t n, double d) {
    return TERN_CALL_CTX(ctx, rfftfreq, ARG_INT(n), ARG_FLOAT(d));
}
tern_tensor *tern_fftshift(tern_tensor *input) {
    return TERN_CALL(fftshift, ARG_TENSOR(input));
}
tern_tensor *tern_ifftshift(tern_tensor *input) {
    return TERN_CALL(ifftshift, ARG_TENSOR(input));
}

tern_tensor *tern_fftconvolve(tern_tensor *x, tern_tensor *y, const char *mode) {
    return TERN_CALL(fftconvolve, ARG_TENSOR(x), ARG_TENSOR(y),
                     mode ? tern_text(mode) : tern_none());
}
tern_tensor *tern_stft(tern_tensor *input, int64_t n_fft, int64_t hop_length, tern_tensor *window) {
    return TERN_CALL(stft, ARG_TENSOR(input), ARG_INT(n_fft), ARG_INT(hop_length), tern_none(),
                     ARG_TENSOR(window), ARG_BOOL(true), tern_none(), ARG_BOOL(false), tern_none(),
                     ARG_BOOL(true));
}
tern_tensor *tern_istft(tern_tensor *input, int64_t n_fft, int64_t hop_length,
                        tern_tensor *window) {
    return TERN_CALL(istft, ARG_TENSOR(input), ARG_INT(n_fft), ARG_INT(hop_length), tern_none(),
                     ARG_TENSOR(window));
}
