/*
 * tern/backend_fused.h: the fused kernels of the plugin ABI, a part of tern/backend.h.
 *
 * All of them are optional: if a device does not have one, or its launch declines before it writes, the core
 * composes the same values from primitives. Each is specified here as a formula with shapes; a backend
 * implements those that are worthwhile. A family can be switched off (TERN_COMPOSED) for comparison.
 *
 * Floating dtypes only; all operands have the same dtype unless stated otherwise. float16 and bfloat16 are
 * computed in float32 and rounded once, when an output is written; statistics ("float32 or float64" below)
 * are float64 for float64 and float32 for all other dtypes. Sums may be added up in any order. The bits of a
 * gradient's `wants` select its outputs, which are in the order of the bits.
 */
#ifndef TERN_BACKEND_FUSED_H
#define TERN_BACKEND_FUSED_H

#include <stdint.h>

#define TERN_KERNEL_FUSED 128 /* the first id of a fused family */

enum {
    TERN_KERNEL_SOFTMAX = 128,
    TERN_KERNEL_LOG_SOFTMAX = 129,
    TERN_KERNEL_NORM = 130,
    TERN_KERNEL_MAP = 131, /* out = a program of steps over its inputs; see tern/backend.h */
    TERN_KERNEL_SOFTMAX_GRAD = 132,
    TERN_KERNEL_LOG_SOFTMAX_GRAD = 133,
    TERN_KERNEL_NORM_GRAD = 134,
    TERN_KERNEL_CROSS_ENTROPY = 135,
    TERN_KERNEL_CROSS_ENTROPY_GRAD = 136,
    TERN_KERNEL_ATTENTION = 137,
    TERN_KERNEL_ATTENTION_GRAD = 138,
    TERN_KERNEL_EMBEDDING_GRAD = 139,
    TERN_KERNEL_RECURRENT = 140,
    TERN_KERNEL_RECURRENT_GRAD = 141,
    TERN_KERNEL_MATMUL_MAP = 142,
    TERN_KERNEL_CONV_MAP = 143,
    TERN_KERNEL_REDUCE_LIST = 148
};

/*
 * SOFTMAX: y = exp(x - max) / sum(exp(x - max)) along dim.
 * LOG_SOFTMAX: y = (x - max) - log(sum(exp(x - max))).
 * SOFTMAX_GRAD: inputs g, y -> (g - sum(g y)) y. LOG_SOFTMAX_GRAD: inputs g, y -> g - exp(y) sum(g).
 *
 * x, and the gradient of it, may be narrower than y and g: float16 or bfloat16 beside float32, float32 beside
 * float64. If `supports` accepts only one dtype, the core converts x.
 */
typedef struct tern_softmax_attrs {
    int32_t dim;
    int32_t reserved;
} tern_softmax_attrs;

/*
 * NORM. Members STANDARD and RMS. With D the dimensions in the mask `dims`, over which statistics are
 * taken, and s_D the mean over D:
 *
 *     STANDARD   mean = s_D(x)   var = s_D((x - mean)^2)   rstd = 1 / sqrt(var + eps)
 *                y = (x - mean) rstd weight + bias
 *     RMS        rstd = 1 / sqrt(s_D(x^2) + eps)           y = x rstd weight
 *
 * Layer norm has the trailing dimensions in D, batch norm all but the second, group and instance norm
 * are over views [n, groups, c / groups, ...] and [n, c, ...].
 *
 * Inputs x, then the weight and the bias that `affine` names, each broadcast to x by strides of 0. Outputs y;
 * the mean (STANDARD alone) and rstd, of x's shape with size 1 in D, float32 or float64; and, if there is
 * another output, var likewise. x is not empty, here and in NORM_GRAD.
 */
enum { TERN_NORM_STANDARD = 1, TERN_NORM_RMS = 2 };
enum { TERN_NORM_WEIGHT = 1, TERN_NORM_BIAS = 2 };
typedef struct tern_norm_attrs {
    int32_t fn;
    uint32_t dims;   /* a bit for each dimension of D */
    uint32_t affine; /* TERN_NORM_* bits */
    int32_t reserved;
    double eps;
} tern_norm_attrs;

/*
 * NORM_GRAD: inputs g (the gradient of y), x, the mean (STANDARD alone), rstd, and the weight where
 * there is one. With h = (x - mean) rstd, or x rstd for RMS, and u = g weight:
 *
 *     dx = (u - s_D(u) - h s_D(u h)) rstd     STANDARD
 *     dx = (u - h s_D(u h)) rstd              RMS
 *     dweight = sum(g h)   dbias = sum(g)     over the dimensions of size 1 in that output
 */
enum { TERN_WANTS_INPUT = 1, TERN_WANTS_WEIGHT = 2, TERN_WANTS_BIAS = 4 };
typedef struct tern_norm_grad_attrs {
    int32_t fn;
    uint32_t dims;
    uint32_t affine; /* TERN_NORM_WEIGHT or 0: whether there is a weight among the inputs */
    uint32_t wants;  /* TERN_WANTS_* bits, in the order of the outputs */
} tern_norm_grad_attrs;

/*
 * CROSS_ENTROPY. Members INDEX and PROBABILITIES. Inputs x [n, c, m], the target (INDEX: int64 [n, m];
 * PROBABILITIES: [n, c, m]) and, where `weighted`, w [c]. With p = log_softmax of x along c, and
 * s = smoothing:
 *
 *     INDEX          t = target[n, m]; nothing (loss 0, weight 0) where t is ignore_index, else
 *                    loss = -(1 - s) w[t] p[t] - s / c sum_c(w p)       weight of the element: w[t]
 *     PROBABILITIES  q = (1 - s) target + s / c;  loss = -sum_c(w p q)  weight of the element: 1
 *
 * w is 1 without weights. A target outside [0, c) that is not ignore_index sets the queue's error: BAD_INDEX,
 * "Target 7 is out of bounds.".
 *
 * Outputs: the loss, [n, m] or, reduced, rank 0 (MEAN: the sum over the sum of the elements' weights,
 * which for PROBABILITIES is n m; SUM); the maximum of x along c and log(sum(exp(x - max))), both [n, m],
 * float32 or float64; and the sum of the weights, rank 0, float32 or float64.
 *
 * CROSS_ENTROPY_GRAD: inputs g (of the loss's shape), x, target, the maximum, the logarithm, the sum of
 * weights, w where weighted -> the gradient of x. With e = exp((x - max) - log), r = g for NONE and SUM,
 * g / (sum of weights) for MEAN:
 *
 *     INDEX          0 for ignored elements, else with a = (1 - s) w[t], b = s / c:
 *                    dx[k] = r ((a + b sum_c(w)) e[k] - a [k = t] - b w[k])
 *     PROBABILITIES  dx[k] = r (sum_c(w q) e[k] - w[k] q[k])
 */
enum { TERN_CROSS_ENTROPY_INDEX = 1, TERN_CROSS_ENTROPY_PROBABILITIES = 2 };
enum { TERN_REDUCTION_NONE = 0, TERN_REDUCTION_MEAN = 1, TERN_REDUCTION_SUM = 2 };
typedef struct tern_cross_entropy_attrs {
    int32_t fn;
    int32_t reduction; /* TERN_REDUCTION_* */
    int32_t weighted;  /* 0 or 1 */
    int32_t reserved;
    int64_t ignore_index; /* INDEX alone */
    double smoothing;
} tern_cross_entropy_attrs;

/*
 * ATTENTION: inputs q [b, h, l, e], k [b, h', s, e], v [b, h', s, f] and, where `masked`, a mask that is
 * broadcast to [b, h, l, s] by strides of 0: bool (false takes part no more) or of q's dtype (added).
 * Head i of q meets head i / (h / h') of k and v.
 *
 *     score = scale q k^T + mask      -inf where j > i and `causal`
 *     lse = log(sum_s(exp(score)))    out = exp(score - lse) v
 *
 * Outputs out [b, h, l, f] and lse [b, h, l], float32 or float64. In a row without a score above -inf (all
 * keys are masked, or the scores are NaN) out and lse are 0.
 *
 * ATTENTION_GRAD: inputs g, q, k, v, out, lse, the mask where there is one -> dq, dk, dv. With
 * p = exp(score - lse) and d = sum_f(g out):
 *
 *     dv = p^T g     ds = p (g v^T - d)     dq = scale ds k     dk = scale ds^T q
 *
 * with dk and dv summed over the heads of q that share them. ds is 0, and no product, for pairs that
 * `causal` or a bool mask hides; p and ds are 0 in the rows above. The mask gets no gradient.
 */
typedef struct tern_attention_attrs {
    double scale;
    int32_t causal; /* 0 or 1 */
    int32_t masked; /* 0 or 1 */
} tern_attention_attrs;

/*
 * EMBEDDING_GRAD: inputs g [n, e], index (int64 [n]) -> out [rows, e], the sum over n of g at index, zero in
 * rows without an index and in row `padding`. With `by_frequency` each row is divided by the number of its
 * indices. An index outside [0, rows) sets the queue's error.
 */
typedef struct tern_embedding_grad_attrs {
    int64_t padding;      /* a row, or -1 */
    int32_t by_frequency; /* 0 or 1 */
    int32_t reserved;
} tern_embedding_grad_attrs;

/*
 * RECURRENT: one layer in one direction over a whole sequence. Members LSTM, GRU, TANH and RELU. Inputs
 * x [t, n, i], h0 [n, h], c0 [n, h] (LSTM alone), w [k h, i], u [k h, h] and, where `biased`, b [k h]
 * and d [k h]; k is 4, 3, 1, 1. With a = w x_t + b and, for each gate, its h rows; s the sigmoid; in the
 * order of time, or against it where `reverse`:
 *
 *     LSTM   a += u h + d;  i, f, o = s(a_0), s(a_1), s(a_3);  g = tanh(a_2)
 *            c = f c + i g;  h = o tanh(c)
 *     GRU    r, z = s(a_0 + u_0 h + d_0), s(a_1 + u_1 h + d_1);  m = u_2 h + d_2
 *            q = tanh(a_2 + r m);  h = (h - q) z + q
 *     TANH   h = tanh(a + u h + d)           RELU likewise
 *
 * Outputs y [t, n, h], every h; for LSTM and GRU what the gradient needs: LSTM the gates i, f, g, o and
 * GRU r, z, q, m, both [t, n, 4 h], and for LSTM every c, [t, n, h].
 *
 * float16 and bfloat16: the h and c that the next step reads may be rounded or not.
 *
 * RECURRENT_GRAD: inputs dy [t, n, h], dh [n, h] and (LSTM alone) dc [n, h], the gradients of the last
 * h and c; x, h0, (c0), w, u; y, (gates, cells) -> dx, dh0, (dc0), dw, du and, where `biased`, db and
 * dd. Against the order of the steps, with h and c after a step, h' and c' before it, e = dh + dy_t and
 * v = u h + d, the hidden state's share of the gates:
 *
 *     LSTM   dc += e o (1 - tanh(c)^2);  da_0 = dc g i (1 - i);  da_1 = dc c' f (1 - f)
 *            da_2 = dc i (1 - g^2);  da_3 = e tanh(c) o (1 - o);  dv = da;  dc = dc f
 *     GRU    da_2 = e (1 - z) (1 - q^2);  dv_2 = da_2 r;  dv_0 = da_0 = da_2 m r (1 - r)
 *            dv_1 = da_1 = e (h' - q) z (1 - z)
 *     TANH   dv = da = e (1 - h^2)          RELU   e where h > 0, else 0
 *
 *     dh = dv u, and for GRU e z more;  dx_t = da w;  over all steps and rows
 *     dw = sum(da^T x_t)   du = sum(dv^T h')   db = sum(da)   dd = sum(dv)
 */
enum {
    TERN_RECURRENT_LSTM = 1,
    TERN_RECURRENT_GRU = 2,
    TERN_RECURRENT_TANH = 3,
    TERN_RECURRENT_RELU = 4
};
typedef struct tern_recurrent_attrs {
    int32_t fn;
    int32_t biased;  /* 0 or 1 */
    int32_t reverse; /* 0 or 1 */
    int32_t reserved;
} tern_recurrent_attrs;

/*
 * REDUCE_LIST: any number of inputs of one dtype and any shapes, and one output vector with one element per
 * input: out[k] is input k reduced over all elements by REDUCE's member `fn`. The attributes are
 * tern_reduce_attrs, with dims 0. supports sees one input; the family has no plans.
 */

/*
 * MATMUL_MAP, CONV_MAP: a product or a convolution whose result goes through a program of MAP before it is
 * written. The first `n_operands` inputs are those of MATMUL (a, b and, where there are three, c) or CONV
 * (x, w and, where there are three, the bias); those that follow are the program's inputs from the second on,
 * each of out's shape by strides of 0, in a buffer. With p what MATMUL or CONV gives:
 *
 *     out = program(p, inputs[n_operands], ...)
 *
 * p has the program's dtype, float64 for float64 and else float32, and is not rounded to that of out. The
 * program has one output. The attributes, tern_matmul_map_attrs and tern_conv_map_attrs, are in
 * tern/backend.h; `fn` is the program's number of steps, as for MAP.
 */

#endif
