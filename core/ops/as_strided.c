/*
 * as_strided.c: views by strides, and the scatter that undoes them.
 *
 * A gradient arrives in the view's shape; it is added into a flat buffer that stands for the whole
 * storage, and the input's own geometry is read out of that buffer. Overlapping views sum.
 */
#include "complex.h"
#include "core/autograd/graph.h"
#include "core/tensor/pairs.h"

static tern_value storage_too_small(const tern_opcall *call, const tern_shape *size,
                                    const tern_shape *stride, int64_t offset,
                                    const tern_tensor *input) {
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
    return tern_call_fail(
        call, TERN_ERR_ARGUMENT,
        "sizes %s, strides %s, storage offset %lld are out of bounds for storage of "
        "%lld elements",
        tern_shape_text(size->rank, size->dim, a), tern_shape_text(stride->rank, stride->dim, b),
        (long long)offset, (long long)tern_storage_numel(input));
}

/*
 * The first element behind those that a geometry reaches; -1 where it is out of any range. A stride
 * times its size fits for dimensions of one element and empty tensors too, so that views of a view
 * need not ask again.
 */
static int64_t extent(int rank, const int64_t *size, const int64_t *stride, int64_t offset) {
    int64_t last = offset, bound = offset;
    bool fits = true, empty = false;
    for (int d = 0; d < rank; d++) {
        if (size[d] < 0 || stride[d] < 0) return -1;
        empty = empty || size[d] == 0;
        int64_t span = tern_dim_mul(size[d] > 1 ? size[d] : 2, stride[d], &fits);
        bound = tern_dim_add(bound, span, &fits);
        if (fits && size[d] > 1) last += span - stride[d];
    }
    return !fits || bound == INT64_MAX ? -1 : empty ? 0 : last + 1;
}

/* Reads and checks size, stride and offset from argument `first` on. */
static bool geometry(tern_opcall *call, int first, tern_tensor *input, tern_shape *size,
                     tern_shape *stride, int64_t *offset) {
    *size = tern_arg_ints(call, first);
    *stride = tern_arg_ints(call, first + 1);
    *offset = tern_arg_int(call, first + 2, BODY(input)->offset);
    if (size->rank < 0 || stride->rank < 0) return false;
    if (size->rank != stride->rank || *offset < 0) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "mismatch in length of strides and shape, or a negative storage offset");
        return false;
    }
    int64_t reach = extent(size->rank, size->dim, stride->dim, *offset);
    if (reach < 0 || reach > tern_storage_numel(input)) {
        storage_too_small(call, size, stride, *offset, input);
        return false;
    }
    return true;
}

tern_value tern_op_as_strided(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_shape size, stride;
    int64_t offset;
    if (!geometry(call, 1, input, &size, &stride, &offset)) return tern_none();
    return ARG_TENSOR(tern_tensor_view(input, size.rank, size.dim, stride.dim, offset));
}

/* The geometry of node input 0, contiguous where it was saved as such: views of a base that is not
 * contiguous keep the strides of the storage. */
static tern_geometry input_geometry(const tern_node *node) {
    const tern_saved *saved = &node->inputs[0].saved;
    tern_geometry g = {.dtype = tern_node_input_dtype(node, 0),
                       .shape = tern_node_input_shape(node, 0),
                       .offset = saved->offset};
    g.strides.rank = g.shape.rank;
    if (!saved->strides) tern_contiguous_strides(g.shape.rank, g.shape.dim, g.strides.dim);
    for (int d = 0; saved->strides && d < g.shape.rank; d++) g.strides.dim[d] = saved->strides[d];
    return g;
}

/* Gradients are placed as real numbers, since a view may be of complex numbers and its base of real ones, or
 * the reverse. False after latching. */
static bool as_real(tern_ctx *ctx, tern_geometry *g) {
    if (tern_geometry_pairs(g)) return true;
    tern_fail(ctx, TERN_ERR_UNSUPPORTED,
              "as_strided: a gradient of complex numbers in %d dimensions needs one more",
              TERN_MAX_RANK);
    return false;
}

static tern_tensor *in_reals(tern_tensor *grad) {
    return tern_is_nil(grad) || !tern_is_complex(BODY(grad)->dtype) ? grad : tern_pairs_of(grad);
}

/* The place of a geometry among real numbers, as a tensor of `dtype`. */
static tern_tensor *taken(tern_tensor *flat, const tern_geometry *g, tern_dtype dtype) {
    tern_tensor *place = tern_as_strided(flat, g->shape, g->strides, g->offset);
    return tern_is_complex(dtype) ? tern_of_pairs(place) : place;
}

static tern_shape shape_of_ints(tern_value ints) {
    tern_shape shape = {(int32_t)tern_value_count(ints), {0}};
    for (int d = 0; d < shape.rank; d++)
        shape.dim[d] = tern_value_as_int(tern_value_at(ints, (size_t)d));
    return shape;
}

/* src has the region's shape; false after latching. */
static bool region_fits(tern_opcall *call, const tern_tensor *src, const tern_shape *size) {
    bool same = BODY(src)->rank == size->rank;
    for (int d = 0; same && d < size->rank; d++) same = BODY(src)->shape[d] == size->dim[d];
    char have[TERN_SHAPE_TEXT], want[TERN_SHAPE_TEXT];
    if (!same)
        tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "expected src to have a size equal to the slice of self. src size = %s, slice "
            "size = %s",
            tern_shape_text(BODY(src)->rank, BODY(src)->shape, have),
            tern_shape_text(size->rank, size->dim, want));
    return same;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* A place that several elements of the input stand for gives each of them its part: what made the
 * input expanded sums them again. */
static tern_tensor *shared(tern_tensor *flat, tern_shape size, tern_shape stride, int64_t offset) {
    if (tern_is_nil(flat)) return flat;
    int64_t reach = tern_numel(flat);
    tern_tensor *places =
        tern_as_strided(tern_arange_i64(BODY(flat)->ctx, larger(reach, 1)), size, stride, offset);
    if (tern_is_nil(places) || !tern_has_overlap(places)) return flat;
    places = tern_reshape(tern_to_device(places, tern_device_of(flat)), TERN_SHAPE(-1));
    tern_tensor *ones =
        TERN_CALL(new_ones, ARG_TENSOR(flat), ARG_SHAPE(TERN_SHAPE(tern_numel(places))));
    tern_tensor *count = tern_scatter_add(tern_zeros_like(flat), 0, places, ones);
    return tern_div(flat, TERN_CALL(clamp, ARG_TENSOR(count), ARG_INT(1)));
}

/* Elements from the start of the storage to the last that one of both reaches, at least 1. */
static int64_t reach_of(const tern_geometry *a, const tern_geometry *b) {
    int64_t first = extent(a->shape.rank, a->shape.dim, a->strides.dim, a->offset);
    return larger(first, extent(b->shape.rank, b->shape.dim, b->strides.dim, b->offset));
}

static tern_tensor *beside(tern_tensor *made, const tern_tensor *grad) {
    if (tern_is_nil(made) || BODY(made)->lane == BODY(grad)->lane) return made;
    return tern_to_device(made, BODY(grad)->lane->device->name);
}

void tern_grad_as_strided(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_geometry in = input_geometry(node);
    tern_geometry view = {BODY(grad_out[0])->dtype, shape_of_ints(tern_node_arg(node, 1)),
                          shape_of_ints(tern_node_arg(node, 2)), in.offset};
    tern_value offset = tern_node_arg(node, 3);
    if (offset.kind != TERN_VALUE_NONE) view.offset = tern_value_as_int(offset);
    tern_dtype dtype = in.dtype;
    if (!as_real(node->ctx, &in) || !as_real(node->ctx, &view)) return;
    tern_tensor *g = in_reals(grad_out[0]);
    if (tern_is_nil(g)) return;
    int64_t reach = reach_of(&view, &in);
    tern_tensor *buffer = beside(tern_zeros(node->ctx, TERN_SHAPE(reach), BODY(g)->dtype), g);
    /* Overlapping elements sum: one index per element of the view, added in turn. */
    tern_tensor *index = beside(tern_as_strided(tern_arange_i64(node->ctx, larger(reach, 1)),
                                                view.shape, view.strides, view.offset),
                                g);
    tern_tensor *flat = tern_scatter_add(buffer, 0, tern_reshape(index, TERN_SHAPE(-1)),
                                         tern_reshape(g, TERN_SHAPE(-1)));
    grads[0] = taken(shared(flat, in.shape, in.strides, in.offset), &in, dtype);
}

tern_value tern_op_as_strided_scatter(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *src = tern_arg_tensor(call, 1);
    tern_shape size, stride;
    int64_t offset;
    if (!geometry(call, 2, input, &size, &stride, &offset) || !region_fits(call, src, &size))
        return tern_none();
    /* A copy of the whole storage keeps the geometry of both. */
    int64_t reach = tern_storage_numel(input), one = 1;
    tern_tensor *whole = tern_tensor_over(BODY(input)->lane, BODY(input)->storage,
                                          BODY(input)->dtype, 1, &reach, &one, 0);
    tern_tensor *copy = tern_tensor_new(BODY(input)->lane, BODY(input)->dtype, 1, &reach);
    tern_copy_raw(copy, whole);
    if (tern_is_nil(copy)) return tern_none();
    tern_tensor *region =
        tern_tensor_over(BODY(input)->lane, BODY(copy)->storage, BODY(input)->dtype, size.rank,
                         size.dim, stride.dim, offset);
    if (!tern_is_nil(region) && tern_has_overlap(region))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "%s", tern_overlap_refusal);
    tern_copy_raw(region, src);
    return ARG_TENSOR(tern_tensor_over(BODY(input)->lane, BODY(copy)->storage, BODY(input)->dtype,
                                       BODY(input)->rank, BODY(input)->shape, BODY(input)->strides,
                                       BODY(input)->offset));
}

void tern_grad_as_strided_scatter(tern_node *node, tern_tensor *const *grad_out,
                                  tern_tensor **grads) {
    tern_geometry in = input_geometry(node);
    tern_geometry view = {tern_node_input_dtype(node, 1), shape_of_ints(tern_node_arg(node, 2)),
                          shape_of_ints(tern_node_arg(node, 3)),
                          tern_value_as_int(tern_node_arg(node, 4))};
    tern_dtype dtype = in.dtype, view_dtype = view.dtype;
    if (!as_real(node->ctx, &in) || !as_real(node->ctx, &view)) return;
    tern_tensor *g = in_reals(grad_out[0]);
    if (tern_is_nil(g)) return;
    /* The gradient in the storage's own layout: both regions are read from it. */
    tern_tensor *flat =
        beside(tern_zeros(node->ctx, TERN_SHAPE(reach_of(&view, &in)), BODY(g)->dtype), g);
    tern_copy_in_place(tern_as_strided(flat, in.shape, in.strides, in.offset), g);
    if (tern_node_needs(node, 1)) grads[1] = taken(tern_clone(flat), &view, view_dtype);
    if (tern_node_needs(node, 0)) {
        tern_tensor *rest = tern_clone(flat);
        tern_zero_in_place(tern_as_strided(rest, view.shape, view.strides, view.offset));
        grads[0] = taken(rest, &in, dtype);
    }
}

tern_tensor *tern_as_strided(tern_tensor *input, tern_shape size, tern_shape stride,
                             int64_t storage_offset) {
    return TERN_CALL(as_strided, ARG_TENSOR(input), ARG_SHAPE(size), ARG_SHAPE(stride),
                     ARG_INT(storage_offset));
}
