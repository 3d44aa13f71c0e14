/*
 * split.c: a tensor as several views along a dimension: split, chunk, unbind, tensor_split and the
 * h, v, d forms.
 */
#include "core/ops/layout.h"
#include "functional.h"

/* The dim argument of a tensor that must have dimensions; false after latching. */
static bool split_dim(tern_opcall *call, tern_tensor *input, int64_t given, int *out_dim) {
    if (BODY(input)->rank > 0) return tern_wrap_dim(call->ctx, BODY(input)->rank, given, out_dim);
    tern_call_fail(call, TERN_ERR_ARGUMENT, "expected at least a 1-dimensional tensor");
    return false;
}

/* Parts beyond a dimension's size are empty. This many are more than any program means, and few enough to
 * be made at once. */
#define MAX_EMPTY_PARTS (1 << 20)

static bool parts_fit(tern_opcall *call, const tern_tensor *input, int dim, int64_t count) {
    if (count - BODY(input)->shape[dim] <= MAX_EMPTY_PARTS) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "%lld parts of a dimension of size %lld: at most %d may be empty",
                   (long long)count, (long long)BODY(input)->shape[dim], MAX_EMPTY_PARTS);
    return false;
}

/* Views of `count` successive lengths along dim; NULL lengths: `length` each, the last what remains.
 */
static tern_value split_into(tern_opcall *call, tern_tensor *input, int dim, const int64_t *lengths,
                             int64_t count, int64_t length) {
    tern_value parts = tern_tuple_new(call->ctx);
    int64_t start = 0;
    for (int64_t i = 0; i < count && call->ctx->status == TERN_OK; i++) {
        int64_t rest = BODY(input)->shape[dim] - start;
        int64_t n = lengths ? lengths[i] : length < rest ? length : rest;
        tern_list_append(parts, ARG_TENSOR(tern_narrow(input, dim, start, n)));
        start += n;
    }
    return call->ctx->status == TERN_OK ? parts : tern_none();
}

/* ---- split ---- */

static tern_value split_by_list(tern_opcall *call, tern_tensor *input, int dim, tern_value list) {
    size_t count = tern_value_count(list);
    int64_t *lengths = tern_scope_alloc(call->ctx, (count + 1) * sizeof *lengths), total = 0;
    if (!lengths) return tern_none();
    bool valid = true;
    for (size_t i = 0; i < count; i++) {
        lengths[i] = tern_value_as_int(tern_value_at(list, i));
        valid = valid && lengths[i] >= 0;
        total = tern_dim_add(total, lengths[i], &valid);
    }
    if (!valid || total != BODY(input)->shape[dim])
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "split_with_sizes expects split_sizes to have only non-negative "
                              "entries that sum exactly to %lld (input tensor's size at dimension "
                              "%d)",
                              (long long)BODY(input)->shape[dim], dim);
    return split_into(call, input, dim, lengths, (int64_t)count, 0);
}

tern_value tern_op_split(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_value how = tern_arg(call, 1);
    int dim;
    if (!split_dim(call, input, tern_arg_int(call, 2, 0), &dim)) return tern_none();
    if (how.kind != TERN_VALUE_INT) return split_by_list(call, input, dim, how);
    int64_t length = how.as.i, size = BODY(input)->shape[dim];
    if (length < 0 || (length == 0 && size != 0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "split expects split_size be positive, but got split_size=%lld for "
                              "dimension size of %lld",
                              (long long)length, (long long)size);
    int64_t count = length == 0 || size == 0 ? 1 : (size - 1) / length + 1;
    return split_into(call, input, dim, NULL, count, length);
}

tern_value tern_op_split_with_sizes(tern_opcall *call) {
    return tern_op_split(call);
}
tern_value tern_op_unsafe_split(tern_opcall *call) {
    return tern_op_split(call);
}

tern_value tern_op_chunk(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int64_t chunks = tern_arg_int(call, 1, 1);
    int dim;
    if (!split_dim(call, input, tern_arg_int(call, 2, 0), &dim)) return tern_none();
    if (chunks <= 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "chunk expects `chunks` to be greater than 0, got: %lld",
                              (long long)chunks);
    int64_t size = BODY(input)->shape[dim], length = size / chunks + (size % chunks != 0);
    int64_t count = length ? (size - 1) / length + 1 : chunks;
    if (!parts_fit(call, input, dim, count)) return tern_none();
    return split_into(call, input, dim, NULL, count, length);
}

tern_value tern_op_unbind(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int dim;
    if (!split_dim(call, input, tern_arg_int(call, 1, 0), &dim)) return tern_none();
    tern_value parts = tern_tuple_new(call->ctx);
    for (int64_t i = 0; i < BODY(input)->shape[dim] && call->ctx->status == TERN_OK; i++)
        tern_list_append(parts, ARG_TENSOR(tern_select(input, dim, i)));
    return call->ctx->status == TERN_OK ? parts : tern_none();
}

/* ---- tensor_split: by positions, or into near equal sections ---- */

static tern_value split_at(tern_opcall *call, tern_tensor *input, int dim, const int64_t *at,
                           size_t count) {
    tern_value parts = tern_tuple_new(call->ctx);
    int64_t start = 0;
    for (size_t i = 0; i <= count && call->ctx->status == TERN_OK; i++) {
        int64_t end = i < count ? at[i] : INT64_MAX;
        tern_list_append(parts, ARG_TENSOR(tern_slice(input, dim, start, end, 1)));
        start = end;
    }
    return call->ctx->status == TERN_OK ? parts : tern_none();
}

static tern_value split_sections(tern_opcall *call, tern_tensor *input, int dim, int64_t sections) {
    if (sections <= 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "number of sections must be larger than 0, got %lld",
                              (long long)sections);
    if (!parts_fit(call, input, dim, sections)) return tern_none();
    int64_t size = BODY(input)->shape[dim], start = 0;
    tern_value parts = tern_tuple_new(call->ctx);
    for (int64_t i = 0; i < sections && call->ctx->status == TERN_OK; i++) {
        int64_t length = size / sections + (i < size % sections);
        tern_list_append(parts, ARG_TENSOR(tern_narrow(input, dim, start, length)));
        start += length;
    }
    return call->ctx->status == TERN_OK ? parts : tern_none();
}

/* By a number of sections, a list of positions, or a tensor of either. */
static tern_value split_by(tern_opcall *call, tern_tensor *input, int64_t given_dim,
                           tern_value how) {
    int dim;
    if (!split_dim(call, input, given_dim, &dim)) return tern_none();
    if (tern_value_is_number(how)) return split_sections(call, input, dim, tern_value_as_int(how));
    bool tensor = how.kind == TERN_VALUE_TENSOR;
    if (tensor && (BODY(how.as.tensor)->dtype != TERN_INT64 || BODY(how.as.tensor)->rank > 1))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expected tensor_indices_or_sections to be a zero-dimensional or "
                              "one-dimensional tensor of dtype long, but got %d dimensions of %s",
                              BODY(how.as.tensor)->rank,
                              tern_dtype_class(BODY(how.as.tensor)->dtype));
    if (tensor && BODY(how.as.tensor)->rank == 0)
        return split_sections(call, input, dim, tern_item_i64(how.as.tensor));
    size_t count = tensor ? (size_t)BODY(how.as.tensor)->numel : tern_value_count(how);
    int64_t *at = tensor ? tern_host_copy(call->ctx, how.as.tensor, TERN_INT64)
                         : tern_host_buffer(call->ctx, (int64_t)count, sizeof *at);
    if (!at) return tern_none();
    for (size_t i = 0; !tensor && i < count; i++) at[i] = tern_value_as_int(tern_value_at(how, i));
    tern_value parts = split_at(call, input, dim, at, count);
    tern_host_give(call->ctx, at);
    return parts;
}

tern_value tern_op_tensor_split(tern_opcall *call) {
    return split_by(call, tern_arg_tensor(call, 0), tern_arg_int(call, 2, 0), tern_arg(call, 1));
}
tern_value tern_op_tensor_split_sections(tern_opcall *call) {
    return tern_op_tensor_split(call);
}
tern_value tern_op_tensor_split_tensor(tern_opcall *call) {
    return tern_op_tensor_split(call);
}

/* hsplit, vsplit, dsplit: sections must divide the dimension. */
static tern_value split_fixed(tern_opcall *call, int dim, int least_rank) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_value how = tern_arg(call, 1);
    if (BODY(input)->rank < least_rank)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "requires a tensor with at least %d dimension, but got a tensor with "
                              "%d dimensions!",
                              least_rank, BODY(input)->rank);
    int64_t sections = tern_value_is_number(how) ? tern_value_as_int(how) : 1;
    if (sections <= 0 || BODY(input)->shape[dim] % sections != 0)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "attempted to split along dimension %d, but the size of the dimension "
            "%lld is not divisible by the split_size %lld!",
            dim, (long long)BODY(input)->shape[dim], (long long)sections);
    return split_by(call, input, dim, how);
}

tern_value tern_op_hsplit(tern_opcall *call) {
    return split_fixed(call, BODY(tern_arg_tensor(call, 0))->rank == 1 ? 0 : 1, 1);
}
tern_value tern_op_vsplit(tern_opcall *call) {
    return split_fixed(call, 0, 2);
}
tern_value tern_op_dsplit(tern_opcall *call) {
    return split_fixed(call, 2, 3);
}
tern_value tern_op_hsplit_at(tern_opcall *call) {
    return tern_op_hsplit(call);
}
tern_value tern_op_vsplit_at(tern_opcall *call) {
    return tern_op_vsplit(call);
}
tern_value tern_op_dsplit_at(tern_opcall *call) {
    return tern_op_dsplit(call);
}

/* ---- C functions ---- */

tern_value tern_split(tern_tensor *tensor, int64_t split_size, int dim) {
    return TERN_CALL_VALUE(split, ARG_TENSOR(tensor), ARG_INT(split_size), ARG_INT(dim));
}
