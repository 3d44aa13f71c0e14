/*
 * tern/ops.h: operations, with the names and arguments of PyTorch's (tern_add is torch.add, tern_linear is
 * torch.nn.functional.linear).
 *
 * Every function returns a tensor of the open scope, or nil after latching an error. Shapes broadcast and
 * dtypes promote as in PyTorch. The suffix _in_place is PyTorch's trailing underscore: the first argument is
 * overwritten and returned. `_scalar` functions take a number, which as in PyTorch changes the result's dtype
 * only if it is of a higher category (an int64 tensor + 1.5 is float32, a float16 tensor + 1.5 stays
 * float16).
 *
 * Operations without a C function of their own are called by name with values (tern_call). The
 * table of all of them, with their arguments, is ops.def.
 */
#ifndef TERN_OPS_H
#define TERN_OPS_H

#include "tern/ops_linalg.h"
#include "tern/ops_special.h"
#include "tern/ops_statistics.h"
#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- by name --------------------------------------------------------------------------------- */

/*
 * Calls an operation by PyTorch's name ("add", "nn.functional.linear"; "add_" is in place) with positional
 * values and named ones (a dict, or none). Returns what the operation returns: a tensor, a tuple, a number;
 * none after latching an error. If no argument is a tensor, ctx's default device is used.
 */
TERN_API tern_value tern_call(tern_ctx *ctx, const char *name, const tern_value *positional,
                              int n_positional, tern_value named);

/*
 * The same in two steps, for an operation that is called often: the name is looked up once. An operation that
 * was not found has first == 0, and invoking it is an error.
 */
typedef struct tern_operation {
    int32_t first; /* the row of its first overload, counted from 1 */
    int32_t in_place;
} tern_operation;
TERN_API tern_operation tern_find_operation(const char *name);
TERN_API tern_value tern_invoke(tern_ctx *ctx, tern_operation operation,
                                const tern_value *positional, int n_positional, tern_value named);

/* True if the name is in ops.def or functional.def, or an alias. */
TERN_API bool tern_op_exists(const char *name);

/* The table, row by row: the index-th operation's schema, kind ("primitive", "composite", "view", "create",
 * "host"), whether it has a gradient, and the family of kernels that it needs ("matmul"; "" if it has none of
 * its own); false past the end. */
typedef struct tern_op_info {
    const char *schema;
    const char *kind;
    bool differentiable;
    const char *kernel;
} tern_op_info;
TERN_API bool tern_op_at(size_t index, tern_op_info *out_info);

/* How the default device runs the index-th operation in a dtype: "kernel", "composite", "host" or "missing".
 */
TERN_API const char *tern_op_support(tern_ctx *ctx, size_t index, tern_dtype dtype);

/* ---- creation ---------------------------------------------------------------------------------
 * TERN_DTYPE_DEFAULT as dtype means PyTorch's default: float32, or the dtype that the numbers imply. */
TERN_API tern_tensor *tern_zeros(tern_ctx *ctx, tern_shape size, tern_dtype dtype);
TERN_API tern_tensor *tern_ones(tern_ctx *ctx, tern_shape size, tern_dtype dtype);
TERN_API tern_tensor *tern_full(tern_ctx *ctx, tern_shape size, double value, tern_dtype dtype);
TERN_API tern_tensor *tern_zeros_like(tern_tensor *input);
TERN_API tern_tensor *tern_ones_like(tern_tensor *input);
TERN_API tern_tensor *tern_full_like(tern_tensor *input, double value);
TERN_API tern_tensor *tern_empty_like(tern_tensor *input);

/* torch.arange(start, end, step): float32, PyTorch's own rounding. */
TERN_API tern_tensor *tern_arange(tern_ctx *ctx, double start, double end, double step);

/* torch.arange(end) of int64: 0, 1, ..., end - 1. */
TERN_API tern_tensor *tern_arange_i64(tern_ctx *ctx, int64_t end);
TERN_API tern_tensor *tern_linspace(tern_ctx *ctx, double start, double end, int64_t steps);

/* ---- random numbers: PyTorch's bits for one seed, from `generator` or (NULL) the context's --- */
TERN_API tern_tensor *tern_rand(tern_ctx *ctx, tern_shape size, tern_generator *generator);
TERN_API tern_tensor *tern_randn(tern_ctx *ctx, tern_shape size, tern_generator *generator);
TERN_API tern_tensor *tern_randint(tern_ctx *ctx, int64_t low, int64_t high, tern_shape size,
                                   tern_generator *generator);
TERN_API tern_tensor *tern_randperm(tern_ctx *ctx, int64_t n, tern_generator *generator);
TERN_API tern_tensor *tern_rand_like(tern_tensor *input);
TERN_API tern_tensor *tern_randn_like(tern_tensor *input);
TERN_API tern_tensor *tern_randint_like(tern_tensor *input, int64_t low, int64_t high);

/* Tensor.uniform_(a, b), Tensor.normal_(mean, std) */
TERN_API tern_tensor *tern_uniform_in_place(tern_tensor *input, double from, double to,
                                            tern_generator *generator);
TERN_API tern_tensor *tern_normal_in_place(tern_tensor *input, double mean, double std,
                                           tern_generator *generator);

/* ---- views: the result shares the input's storage -------------------------------------------- */
TERN_API tern_tensor *tern_view(tern_tensor *input, tern_shape size);
TERN_API tern_tensor *tern_reshape(tern_tensor *input, tern_shape shape); /* a copy if need be */
TERN_API tern_tensor *tern_flatten(tern_tensor *input, int start_dim, int end_dim);
TERN_API tern_tensor *tern_unsqueeze(tern_tensor *input, int dim);
TERN_API tern_tensor *tern_squeeze(tern_tensor *input, int dim);
TERN_API tern_tensor *tern_squeeze_all(tern_tensor *input);
TERN_API tern_tensor *tern_transpose(tern_tensor *input, int dim0, int dim1);
TERN_API tern_tensor *tern_t(tern_tensor *input);
TERN_API tern_tensor *tern_permute(tern_tensor *input, tern_shape dims);
TERN_API tern_tensor *tern_expand(tern_tensor *input, tern_shape size);
TERN_API tern_tensor *tern_narrow(tern_tensor *input, int dim, int64_t start, int64_t length);
TERN_API tern_tensor *tern_select(tern_tensor *input, int dim, int64_t index);
/* input[start:end:step] along dim; end = INT64_MAX means to the end. */
TERN_API tern_tensor *tern_slice(tern_tensor *input, int dim, int64_t start, int64_t end,
                                 int64_t step);
TERN_API tern_tensor *tern_as_strided(tern_tensor *input, tern_shape size, tern_shape stride,
                                      int64_t storage_offset);
/* torch.split: a tuple of views. */
TERN_API tern_value tern_split(tern_tensor *input, int64_t split_size, int dim);

/* ---- joins ----------------------------------------------------------------------------------- */
TERN_API tern_tensor *tern_cat(tern_tensor *const *tensors, int count, int dim);
TERN_API tern_tensor *tern_stack(tern_tensor *const *tensors, int count, int dim);

/* ---- copies ---------------------------------------------------------------------------------- */
TERN_API tern_tensor *tern_clone(tern_tensor *input);
TERN_API tern_tensor *tern_contiguous(tern_tensor *input);
/* Tensor.copy_(src): broadcasts, converts the dtype, crosses devices. */
TERN_API tern_tensor *tern_copy_in_place(tern_tensor *input, tern_tensor *src);
TERN_API tern_tensor *tern_fill_in_place(tern_tensor *input, double value);
TERN_API tern_tensor *tern_zero_in_place(tern_tensor *input);

/* ---- arithmetic ------------------------------------------------------------------------------ */
TERN_API tern_tensor *tern_add(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_add_alpha(tern_tensor *input, tern_tensor *other, double alpha);
TERN_API tern_tensor *tern_add_scalar(tern_tensor *input, double other);
TERN_API tern_tensor *tern_sub(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_sub_scalar(tern_tensor *input, double other);
TERN_API tern_tensor *tern_rsub_scalar(tern_tensor *input, double other); /* other - input */
TERN_API tern_tensor *tern_mul(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_mul_scalar(tern_tensor *input, double other);
TERN_API tern_tensor *tern_div(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_div_scalar(tern_tensor *input, double other);
TERN_API tern_tensor *tern_remainder(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_floor_divide(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_pow(tern_tensor *input, tern_tensor *exponent);
TERN_API tern_tensor *tern_pow_scalar(tern_tensor *input, double exponent);
TERN_API tern_tensor *tern_maximum(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_minimum(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_where(tern_tensor *condition, tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_addcmul(tern_tensor *input, tern_tensor *tensor1, tern_tensor *tensor2,
                                   double value);
TERN_API tern_tensor *tern_addcdiv(tern_tensor *input, tern_tensor *tensor1, tern_tensor *tensor2,
                                   double value);
TERN_API tern_tensor *tern_lerp(tern_tensor *input, tern_tensor *end, double weight);
TERN_API tern_tensor *tern_clamp(tern_tensor *input, double min, double max);

TERN_API tern_tensor *tern_add_in_place(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_add_alpha_in_place(tern_tensor *input, tern_tensor *other, double alpha);
TERN_API tern_tensor *tern_add_scalar_in_place(tern_tensor *input, double other);
TERN_API tern_tensor *tern_sub_in_place(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_mul_in_place(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_mul_scalar_in_place(tern_tensor *input, double other);
TERN_API tern_tensor *tern_div_in_place(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_div_scalar_in_place(tern_tensor *input, double other);
TERN_API tern_tensor *tern_maximum_in_place(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_addcmul_in_place(tern_tensor *input, tern_tensor *tensor1,
                                            tern_tensor *tensor2, double value);
TERN_API tern_tensor *tern_addcdiv_in_place(tern_tensor *input, tern_tensor *tensor1,
                                            tern_tensor *tensor2, double value);
TERN_API tern_tensor *tern_lerp_in_place(tern_tensor *input, tern_tensor *end, double weight);
TERN_API tern_tensor *tern_clamp_in_place(tern_tensor *input, double min, double max);
TERN_API tern_tensor *tern_neg_in_place(tern_tensor *input);
TERN_API tern_tensor *tern_abs_in_place(tern_tensor *input);
TERN_API tern_tensor *tern_sqrt_in_place(tern_tensor *input);
TERN_API tern_tensor *tern_reciprocal_in_place(tern_tensor *input);
TERN_API tern_tensor *tern_relu_in_place(tern_tensor *input);

/* ---- comparison and logic: bool results ------------------------------------------------------ */
TERN_API tern_tensor *tern_eq(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_ne(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_lt(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_le(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_gt(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_ge(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_eq_scalar(tern_tensor *input, double other);
TERN_API tern_tensor *tern_gt_scalar(tern_tensor *input, double other);
TERN_API tern_tensor *tern_ge_scalar(tern_tensor *input, double other);
TERN_API tern_tensor *tern_lt_scalar(tern_tensor *input, double other);
TERN_API tern_tensor *tern_logical_and(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_logical_or(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_logical_not(tern_tensor *input);

/* torch.equal: same shape and elements. */
TERN_API bool tern_equal(tern_tensor *input, tern_tensor *other);

/* ---- unary functions ------------------------------------------------------------------------- */
TERN_API tern_tensor *tern_neg(tern_tensor *input);
TERN_API tern_tensor *tern_abs(tern_tensor *input);
TERN_API tern_tensor *tern_sign(tern_tensor *input);
TERN_API tern_tensor *tern_square(tern_tensor *input);
TERN_API tern_tensor *tern_reciprocal(tern_tensor *input);
TERN_API tern_tensor *tern_sqrt(tern_tensor *input);
TERN_API tern_tensor *tern_rsqrt(tern_tensor *input);
TERN_API tern_tensor *tern_exp(tern_tensor *input);
TERN_API tern_tensor *tern_exp2(tern_tensor *input);
TERN_API tern_tensor *tern_expm1(tern_tensor *input);
TERN_API tern_tensor *tern_log(tern_tensor *input);
TERN_API tern_tensor *tern_log2(tern_tensor *input);
TERN_API tern_tensor *tern_log10(tern_tensor *input);
TERN_API tern_tensor *tern_log1p(tern_tensor *input);
TERN_API tern_tensor *tern_sin(tern_tensor *input);
TERN_API tern_tensor *tern_cos(tern_tensor *input);
TERN_API tern_tensor *tern_tan(tern_tensor *input);
TERN_API tern_tensor *tern_asin(tern_tensor *input);
TERN_API tern_tensor *tern_acos(tern_tensor *input);
TERN_API tern_tensor *tern_atan(tern_tensor *input);
TERN_API tern_tensor *tern_sinh(tern_tensor *input);
TERN_API tern_tensor *tern_cosh(tern_tensor *input);
TERN_API tern_tensor *tern_tanh(tern_tensor *input);
TERN_API tern_tensor *tern_asinh(tern_tensor *input);
TERN_API tern_tensor *tern_acosh(tern_tensor *input);
TERN_API tern_tensor *tern_atanh(tern_tensor *input);
TERN_API tern_tensor *tern_erf(tern_tensor *input);
TERN_API tern_tensor *tern_erfc(tern_tensor *input);
TERN_API tern_tensor *tern_erfinv(tern_tensor *input);
TERN_API tern_tensor *tern_floor(tern_tensor *input);
TERN_API tern_tensor *tern_ceil(tern_tensor *input);
TERN_API tern_tensor *tern_trunc(tern_tensor *input);
TERN_API tern_tensor *tern_round(tern_tensor *input);
TERN_API tern_tensor *tern_frac(tern_tensor *input);
TERN_API tern_tensor *tern_sigmoid(tern_tensor *input);
TERN_API tern_tensor *tern_relu(tern_tensor *input);
TERN_API tern_tensor *tern_isnan(tern_tensor *input);
TERN_API tern_tensor *tern_isinf(tern_tensor *input);
TERN_API tern_tensor *tern_isfinite(tern_tensor *input);

/* ---- reductions: `dims` of rank 0 means all dimensions --------------------------------------- */
TERN_API tern_tensor *tern_sum(tern_tensor *input);
TERN_API tern_tensor *tern_sum_dims(tern_tensor *input, tern_shape dims, bool keepdim);
TERN_API tern_tensor *tern_mean(tern_tensor *input);
TERN_API tern_tensor *tern_mean_dims(tern_tensor *input, tern_shape dims, bool keepdim);
TERN_API tern_tensor *tern_max(tern_tensor *input);
TERN_API tern_tensor *tern_min(tern_tensor *input);
/* torch.max(input, dim): the values; their positions go to *out_indices (int64), which may be NULL.
 */
TERN_API tern_tensor *tern_max_dim(tern_tensor *input, int dim, bool keepdim,
                                   tern_tensor **out_indices);
TERN_API tern_tensor *tern_min_dim(tern_tensor *input, int dim, bool keepdim,
                                   tern_tensor **out_indices);
TERN_API tern_tensor *tern_argmax(tern_tensor *input, int dim, bool keepdim);
TERN_API tern_tensor *tern_argmin(tern_tensor *input, int dim, bool keepdim);
TERN_API tern_tensor *tern_argmax_all(tern_tensor *input);
TERN_API tern_tensor *tern_any(tern_tensor *input);
TERN_API tern_tensor *tern_all(tern_tensor *input);
TERN_API tern_tensor *tern_sum_to_size(tern_tensor *input, tern_shape size);

/* ---- indexing -------------------------------------------------------------------------------- */
TERN_API tern_tensor *tern_gather(tern_tensor *input, int dim, tern_tensor *index);
TERN_API tern_tensor *tern_scatter_add(tern_tensor *input, int dim, tern_tensor *index,
                                       tern_tensor *src);
TERN_API tern_tensor *tern_scatter(tern_tensor *input, int dim, tern_tensor *index,
                                   tern_tensor *src);
TERN_API tern_tensor *tern_index_select(tern_tensor *input, int dim, tern_tensor *index);
/* Rows of weight [rows, width] by index: [*] -> [*, width]. */
TERN_API tern_tensor *tern_embedding(tern_tensor *input, tern_tensor *weight);

/* ---- matrices -------------------------------------------------------------------------------- */
TERN_API tern_tensor *tern_matmul(tern_tensor *input, tern_tensor *other);
TERN_API tern_tensor *tern_mm(tern_tensor *input, tern_tensor *mat2);
TERN_API tern_tensor *tern_bmm(tern_tensor *input, tern_tensor *mat2);
TERN_API tern_tensor *tern_addmm(tern_tensor *input, tern_tensor *mat1, tern_tensor *mat2);
TERN_API tern_tensor *tern_dot(tern_tensor *input, tern_tensor *tensor);
TERN_API tern_tensor *tern_outer(tern_tensor *input, tern_tensor *vec2);
/* x W^T + b: input [*, in], weight [out, in], bias [out] or NULL. */
TERN_API tern_tensor *tern_linear(tern_tensor *input, tern_tensor *weight, tern_tensor *bias);

/* ---- activations and losses ------------------------------------------------------------------ */
TERN_API tern_tensor *tern_softmax(tern_tensor *input, int dim);
TERN_API tern_tensor *tern_log_softmax(tern_tensor *input, int dim);
TERN_API tern_tensor *tern_gelu(tern_tensor *input);
TERN_API tern_tensor *tern_silu(tern_tensor *input);
TERN_API tern_tensor *tern_elu(tern_tensor *input, double alpha);
TERN_API tern_tensor *tern_leaky_relu(tern_tensor *input, double negative_slope);
TERN_API tern_tensor *tern_softplus(tern_tensor *input);
/* The input itself if `training` is false or p is 0. */
TERN_API tern_tensor *tern_dropout(tern_tensor *input, double p, bool training);

/* ---- normalisation: weight and bias may be NULL ---- */
TERN_API tern_tensor *tern_layer_norm(tern_tensor *input, tern_shape normalized_shape,
                                      tern_tensor *weight, tern_tensor *bias, double eps);
TERN_API tern_tensor *tern_rms_norm(tern_tensor *input, tern_shape normalized_shape,
                                    tern_tensor *weight, double eps);
TERN_API tern_tensor *tern_group_norm(tern_tensor *input, int64_t num_groups, tern_tensor *weight,
                                      tern_tensor *bias, double eps);
/* If `training` is true the batch's own statistics are used, and running_mean and running_var (which may be
 * NULL) are updated in place. */
TERN_API tern_tensor *tern_batch_norm(tern_tensor *input, tern_tensor *running_mean,
                                      tern_tensor *running_var, tern_tensor *weight,
                                      tern_tensor *bias, bool training, double momentum,
                                      double eps);

/* ---- convolutions -----------------------------------------------------------------------------
 * input [N, C, ...], weight [O, C, k...], bias [O] or NULL; for dilation, groups or different strides
 * per dimension use tern_call. */
TERN_API tern_tensor *tern_conv1d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                  int64_t stride, int64_t padding);
TERN_API tern_tensor *tern_conv2d(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                                  int64_t stride, int64_t padding);

/* ---- pooling: input [N, C, H, W] or [C, H, W] ---- */
TERN_API tern_tensor *tern_max_pool2d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                      int64_t padding);
TERN_API tern_tensor *tern_avg_pool2d(tern_tensor *input, int64_t kernel_size, int64_t stride,
                                      int64_t padding);
TERN_API tern_tensor *tern_adaptive_avg_pool2d(tern_tensor *input, int64_t height, int64_t width);

/* softmax(query key^T / sqrt(width) + mask) value; attn_mask (bool or floating) may be NULL. */
TERN_API tern_tensor *tern_scaled_dot_product_attention(tern_tensor *query, tern_tensor *key,
                                                        tern_tensor *value, tern_tensor *attn_mask,
                                                        bool is_causal);

/* ---- losses ---- */
TERN_API tern_tensor *tern_l1_loss(tern_tensor *input, tern_tensor *target,
                                   tern_reduction reduction);
TERN_API tern_tensor *tern_mse_loss(tern_tensor *input, tern_tensor *target,
                                    tern_reduction reduction);
TERN_API tern_tensor *tern_smooth_l1_loss(tern_tensor *input, tern_tensor *target,
                                          tern_reduction reduction);
TERN_API tern_tensor *tern_huber_loss(tern_tensor *input, tern_tensor *target,
                                      tern_reduction reduction);
/* input [N, C, ...] of log-probabilities, target [N, ...] of int64 class indices. */
TERN_API tern_tensor *tern_nll_loss(tern_tensor *input, tern_tensor *target,
                                    tern_reduction reduction);
/* input [N, C, ...] of logits; target class indices, or probabilities of input's shape. */
TERN_API tern_tensor *tern_cross_entropy(tern_tensor *input, tern_tensor *target,
                                         tern_reduction reduction);
TERN_API tern_tensor *tern_binary_cross_entropy_with_logits(tern_tensor *input, tern_tensor *target,
                                                            tern_reduction reduction);

#ifdef __cplusplus
}
#endif

#endif
