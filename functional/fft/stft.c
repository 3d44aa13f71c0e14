/* stft.c: transforms of short stretches of a signal, and the signal from them. */
#include <string.h>

#include "fft.h"
#include "tern/memory.h"

/* ---- arguments ------------------------------------------------------------------------------- */

typedef struct frames {
    int64_t n, hop;
    tern_tensor *window; /* [n]; NULL: all 1 */
    bool center, normalized;
} frames;

/* The window at the middle of n, with zeros around it; NULL where there is none to multiply by. */
static tern_tensor *window_of(tern_opcall *call, tern_tensor *x, int64_t length, int64_t n) {
    tern_tensor *window = tern_arg_tensor(call, 4);
    if (window && (BODY(window)->rank != 1 || BODY(window)->numel != length)) {
        char text[TERN_SHAPE_TEXT];
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expected a 1D window tensor of size equal to win_length=%lld, but got "
                       "window with size %s",
                       (long long)length,
                       tern_shape_text(BODY(window)->rank, BODY(window)->shape, text));
        return call->ctx->nil;
    }
    if (length == n) return window;
    if (!window)
        window = TERN_CALL(new_ones, ARG_TENSOR(x), ARG_SHAPE(TERN_SHAPE(length)),
                           ARG_DTYPE(tern_real_dtype(BODY(x)->dtype)));
    int64_t left = (n - length) / 2;
    return TERN_CALL(constant_pad_nd, ARG_TENSOR(window),
                     ARG_SHAPE(TERN_SHAPE(left, n - length - left)));
}

/* n_fft, hop_length, win_length, window, center: arguments 1 to 5; false after latching. */
static bool frames_of(tern_opcall *call, tern_tensor *x, frames *out) {
    *out = (frames){.n = tern_arg_int(call, 1, 0), .center = tern_arg_bool(call, 5, true)};
    int64_t length = tern_arg_int(call, 3, out->n);
    out->hop = tern_arg_int(call, 2, out->n / 4);
    if (out->n < 1 || out->n > INT64_C(1) << 40)
        tern_call_fail(call, TERN_ERR_ARGUMENT, "expected n_fft above 0, but got n_fft=%lld",
                       (long long)out->n);
    else if (out->hop < 1)
        tern_call_fail(call, TERN_ERR_ARGUMENT, "expected hop_length > 0, but got hop_length=%lld",
                       (long long)out->hop);
    else if (length < 1 || length > out->n)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expected 0 < win_length <= n_fft, but got win_length=%lld and n_fft=%lld",
                       (long long)length, (long long)out->n);
    if (call->ctx->status == TERN_OK) out->window = window_of(call, x, length, out->n);
    return call->ctx->status == TERN_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* Half a frame more on both sides, so that frames are centred. */
static tern_tensor *centred(tern_tensor *x, int64_t half, const char *mode) {
    return TERN_CALL(pad, ARG_TENSOR(x), ARG_SHAPE(TERN_SHAPE(half, half)), tern_text(mode));
}

static tern_tensor *signals_of(tern_opcall *call, frames *f) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    char text[TERN_SHAPE_TEXT];
    if (BODY(x)->rank < 1 || BODY(x)->rank > 2 || !tern_is_continuous(BODY(x)->dtype)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expected a 1D or 2D tensor of floating or complex values, got %s of %s",
                       tern_shape_text(BODY(x)->rank, BODY(x)->shape, text),
                       tern_dtype_name(BODY(x)->dtype));
        return call->ctx->nil;
    }
    if (!frames_of(call, x, f)) return call->ctx->nil;
    if (tern_arg_given(call, 10) && f->center) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "align_to_window should only be set when center = False");
        return call->ctx->nil;
    }
    if (BODY(x)->rank == 1) x = tern_unsqueeze(x, 0);
    if (f->center) x = centred(x, f->n / 2, tern_arg_text(call, 6, "reflect"));
    return x;
}

/* [batch, frame, n] of [batch, time]. align_to_window: frames begin where the window does, the first and the
 * last reaching over the ends, which are zeros. */
static tern_tensor *framed(tern_opcall *call, tern_tensor *x, const frames *f) {
    int64_t length = tern_arg_int(call, 3, f->n);
    if (tern_arg_bool(call, 10, false)) {
        int64_t left = (f->n - length) / 2, right = f->n - length - left;
        x = TERN_CALL(constant_pad_nd, ARG_TENSOR(x), ARG_SHAPE(TERN_SHAPE(left, right)));
    }
    if (tern_is_nil(x)) return x;
    if (BODY(x)->shape[1] >= f->n)
        return TERN_CALL(unfold, ARG_TENSOR(x), ARG_INT(1), ARG_INT(f->n), ARG_INT(f->hop));
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "expected 0 < n_fft <= %lld, the length of the signal, but got n_fft=%lld",
                   (long long)BODY(x)->shape[1], (long long)f->n);
    return call->ctx->nil;
}

/* stft(input, n_fft, hop_length, win_length, window, center, pad_mode, normalized, onesided, return_complex,
 * align_to_window) */
tern_value tern_op_stft(tern_opcall *call) {
    frames f;
    tern_tensor *input = tern_arg_tensor(call, 0), *x = signals_of(call, &f);
    if (tern_is_nil(x)) return tern_none();
    bool is_complex =
        tern_is_complex(BODY(x)->dtype) || (f.window && tern_is_complex(BODY(f.window)->dtype));
    bool onesided = tern_arg_bool(call, 8, !is_complex);
    if (!tern_arg_given(call, 9) && !is_complex)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "requires the return_complex parameter be given for real inputs: True");
    if (onesided && is_complex)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Cannot have onesided output if window or input is complex");
    tern_tensor *parts = framed(call, x, &f);
    if (f.window) parts = tern_mul(parts, f.window);
    if (tern_is_nil(parts)) return tern_none();
    parts = tern_fft_operand(call, parts, !onesided);
    tern_fft_norm norm = tern_arg_bool(call, 7, false) ? TERN_FFT_ORTHO : TERN_FFT_BACKWARD;
    double scale = tern_fft_scale(norm, true, (double)f.n);
    tern_tensor *out =
        onesided ? tern_fft_r2c(parts, 2, scale) : tern_fft_c2c(parts, TERN_SHAPE(2), true, scale);
    out = tern_transpose(out, 1, 2);
    if (BODY(input)->rank == 1) out = tern_squeeze(out, 0);
    return tern_result(call, tern_arg_bool(call, 9, true) ? out : tern_view_as_real(out));
}

/* ---- back ------------------------------------------------------------------------------------ */

/* The sum of frames [batch, frame, n], each where it lies: [batch, time]. */
static tern_tensor *overlapped(tern_tensor *parts, int64_t hop, int64_t length) {
    if (tern_is_nil(parts)) return parts;
    tern_shape shape = tern_shape_of(parts);
    tern_ctx *ctx = BODY(parts)->ctx;
    tern_tensor *places =
        tern_as_strided(tern_arange_i64(ctx, length), TERN_SHAPE(shape.dim[1], shape.dim[2]),
                        TERN_SHAPE(hop, 1), 0);
    places = tern_to_device(tern_reshape(places, TERN_SHAPE(-1)), tern_device_of(parts));
    tern_tensor *zeros =
        TERN_CALL(new_zeros, ARG_TENSOR(parts), ARG_SHAPE(TERN_SHAPE(shape.dim[0], length)));
    return TERN_CALL(index_add, ARG_TENSOR(zeros), ARG_INT(1), ARG_TENSOR(places),
                     ARG_TENSOR(tern_reshape(parts, TERN_SHAPE(shape.dim[0], -1))));
}

/* istft(input, n_fft, hop_length, win_length, window, center, normalized, onesided, length, return_complex): the
 * frames of [batch, frequency, frame], transformed back */
static tern_tensor *frames_back(tern_opcall *call, tern_tensor *x, const frames *f) {
    bool to_complex = tern_arg_bool(call, 9, false);
    int64_t half = f->n / 2 + 1, rows = BODY(x)->shape[1];
    bool onesided = tern_arg_bool(call, 7, rows != f->n);
    char text[TERN_SHAPE_TEXT];
    if (rows != (onesided ? half : f->n) || BODY(x)->shape[2] < 1 || (onesided && to_complex)) {
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "expected n_fft (/ 2 + 1 when onesided, which has no complex output) rows and "
            "at least one frame, but got input of shape %s, n_fft=%lld, onesided=%s",
            tern_shape_text(3, BODY(x)->shape, text), (long long)f->n, onesided ? "True" : "False");
        return call->ctx->nil;
    }
    tern_fft_norm norm = tern_arg_bool(call, 6, false) ? TERN_FFT_ORTHO : TERN_FFT_BACKWARD;
    double scale = tern_fft_scale(norm, false, (double)f->n);
    x = tern_transpose(x, 1, 2);
    if (to_complex) return tern_fft_c2c(x, TERN_SHAPE(2), false, scale);
    return tern_fft_c2r(onesided ? x : tern_narrow(x, 2, 0, half), 2, f->n, scale);
}

/* What the squares of the windows add up to at each time: [1, time]. */
static tern_tensor *envelope_of(tern_tensor *parts, const frames *f, int64_t length) {
    if (tern_is_nil(parts)) return parts;
    tern_shape shape = tern_shape_of(parts);
    shape.dim[0] = 1;
    tern_tensor *squares =
        f->window ? tern_square(f->window)
                  : TERN_CALL(new_ones, ARG_TENSOR(parts), ARG_SHAPE(TERN_SHAPE(f->n)));
    return overlapped(tern_expand(squares, shape), f->hop, length);
}

/* The times from `start` to `end`, with zeros where the frames end before. */
static tern_value cut_out(tern_opcall *call, tern_tensor *y, tern_tensor *envelope, int64_t start,
                          int64_t end) {
    int64_t have = BODY(y)->shape[1], stop = end < have ? end : have;
    if (stop < start) stop = start;
    if (start > have)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "the frames are too few to be centred");
    y = tern_narrow(y, 1, start, stop - start);
    envelope = tern_narrow(envelope, 1, start, stop - start);
    tern_tensor *least = tern_abs(envelope);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (stop > start && !(tern_item(TERN_CALL(min, ARG_TENSOR(least))) >= 1e-11))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "window overlap add min is below 1e-11: the squares of the windows "
                              "must not add up to 0 at any time");
    y = tern_fft_resized(tern_div(y, envelope), 1, end - start);
    bool one = BODY(tern_arg_tensor(call, 0))->rank == 2;
    return tern_result(call, one ? tern_squeeze(y, 0) : y);
}

tern_value tern_op_istft(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    frames f;
    char text[TERN_SHAPE_TEXT];
    if (!tern_is_complex(BODY(x)->dtype) || BODY(x)->rank < 2 || BODY(x)->rank > 3 ||
        BODY(x)->numel == 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "requires a complex-valued input tensor of 2 or 3 dimensions with "
                              "elements, got %s of %s",
                              tern_shape_text(BODY(x)->rank, BODY(x)->shape, text),
                              tern_dtype_name(BODY(x)->dtype));
    if (!frames_of(call, x, &f)) return tern_none();
    if (BODY(x)->rank == 2) x = tern_unsqueeze(x, 0);
    tern_tensor *parts = frames_back(call, x, &f);
    if (f.window) parts = tern_mul(parts, f.window);
    if (tern_is_nil(parts)) return tern_none();
    bool fits = true;
    int64_t steps = tern_dim_mul(f.hop, BODY(parts)->shape[1] - 1, &fits);
    int64_t whole = tern_dim_add(f.n, steps, &fits);
    int64_t start = f.center ? f.n / 2 : 0, end = whole - start;
    if (tern_arg_given(call, 8)) end = tern_dim_add(start, tern_arg_int(call, 8, 0), &fits);
    if (!fits || (tern_arg_given(call, 8) && end < start))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "hop_length=%lld or length=%lld is no length", (long long)f.hop,
                              (long long)tern_arg_int(call, 8, 0));
    tern_tensor *y = overlapped(parts, f.hop, whole);
    tern_tensor *envelope = envelope_of(parts, &f, whole);
    if (call->ctx->status != TERN_OK) return tern_none();
    return cut_out(call, y, envelope, start, end);
}
