/* GATHER, SCATTER, INDEX_SELECT, INDEX_ADD and EMBEDDING_GRAD: kernels/index.inc, embedding.inc. */
#include "call.h"

/* An operand with another shape or strides. */
typedef struct view {
    tern_operand operand;
    int64_t shape[TERN_BACKEND_MAX_RANK], strides[TERN_BACKEND_MAX_RANK];
} view;

/* An index of one dimension as one of `like`'s rank that lies along `dim` and stands still elsewhere. */
static const tern_operand *along(view *v, const tern_operand *index, const tern_operand *like,
                                 int32_t dim) {
    v->operand = *index;
    for (int32_t d = 0; d < like->rank; d++) {
        v->shape[d] = like->shape[d];
        v->strides[d] = d == dim && index->rank ? index->strides[0] : 0;
    }
    v->operand.rank = like->rank;
    v->operand.shape = v->shape;
    v->operand.strides = v->strides;
    return &v->operand;
}

/* What an index kernel is started with. */
typedef struct indexing {
    const tern_operand *out, *index, *in; /* in: what is read, or src */
    const tern_operand *shape;            /* the positions: of the index, or of what is as long */
    int32_t dim;
    int64_t size; /* of the dimension that the index names */
    int32_t kind; /* of the flag */
    int32_t reduce;
    const tern_index_attrs *scale; /* NULL: as it is */
} indexing;

static int32_t run(const gpu_call *call, const indexing *x, bool writes) {
    const tern_operand *all[] = {x->shape, x->out, x->index, x->in};
    bool scalar = x->shape->rank == 0;
    int32_t number_class = gpu_class(call);
    gpu_walk walk;
    gpu_walk_make(&walk, all, 4, scalar ? 0 : 1u << x->dim);
    gpu_index_launch l = {.count = walk.count,
                          .length = scalar ? 1 : x->shape->shape[x->dim],
                          .size = x->size,
                          .dim = x->dim};
    const tern_operand *const *own = all + 1;
    l.outer.rank = walk.rank;
    for (int32_t d = 0; d < walk.rank; d++) {
        l.outer.shape[d] = walk.shape[d];
        for (int32_t k = 0; k < 3; k++) l.outer.stride[k][d] = walk.stride[k + 1][d];
    }
    for (int32_t k = 0; k < 3; k++) {
        l.at[k] = gpu_at(own[k]);
        l.step[k] = scalar ? 0 : own[k]->strides[x->dim];
    }
    if (x->scale) l.alpha = gpu_bits(number_class, x->scale->alpha, x->scale->alpha_i);
    bool moves = x->reduce == TERN_SCATTER_SET;
    gpu_variant variant = {GPU_SOURCE_INDEX,
                           moves ? GPU_I64 : number_class,
                           {{"RAW", tern_kit_size(x->out->dtype)},
                            {"REDUCE", x->reduce},
                            {"DTYPE", moves ? 0 : x->out->dtype},
                            {"SCALED", x->scale != NULL},
                            {"KIND", x->kind}}};
    gpu_program *program;
    int32_t status = gpu_find(call, &variant, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_flag_argument(call), gpu_of(x->out), gpu_of(x->index),
                                gpu_of(x->in), GPU_VALUE(l)};
    return gpu_start(call, program, writes, arguments, GPU_COUNT_OF(arguments),
                     writes ? l.count : l.count * l.length);
}

static int64_t size_of(const tern_operand *operand, int32_t dim) {
    return operand->rank ? operand->shape[dim] : 1;
}

int32_t gpu_gather(const gpu_call *call) {
    const tern_operand *in = call->inputs, *out = call->outputs;
    int32_t dim = ((const tern_index_attrs *)call->attrs)->dim;
    indexing x = {out, in + 1, in, out, dim, size_of(in, dim), GPU_BAD_INDEX, 0, NULL};
    return run(call, &x, false);
}

int32_t gpu_scatter(const gpu_call *call) {
    const tern_operand *index = call->inputs, *out = call->outputs;
    const tern_index_attrs *attrs = call->attrs;
    indexing x = {out,           index,         index + 1,
                  index,         attrs->dim,    size_of(out, attrs->dim),
                  GPU_BAD_INDEX, attrs->reduce, NULL};
    return run(call, &x, true);
}

int32_t gpu_index_select(const gpu_call *call) {
    const tern_operand *in = call->inputs, *out = call->outputs;
    int32_t dim = ((const tern_index_attrs *)call->attrs)->dim;
    view v;
    indexing x = {
        out, along(&v, in + 1, out, dim), in, out, dim, size_of(in, dim), GPU_BAD_SLICE, 0, NULL};
    return run(call, &x, false);
}

int32_t gpu_index_add(const gpu_call *call) {
    const tern_operand *index = call->inputs, *src = call->inputs + 1, *out = call->outputs;
    const tern_index_attrs *attrs = call->attrs;
    view v;
    indexing x = {out,        along(&v, index, src, attrs->dim), src,           src,
                  attrs->dim, size_of(out, attrs->dim),          GPU_BAD_SLICE, TERN_SCATTER_ADD,
                  attrs};
    return run(call, &x, true);
}

int32_t gpu_embedding_grad(const gpu_call *call) {
    const tern_operand *g = call->inputs, *index = call->inputs + 1, *out = call->outputs;
    const tern_embedding_grad_attrs *attrs = call->attrs;
    int32_t number_class = gpu_class(call);
    gpu_line_launch l = {.lines = out->shape[1],
                         .length = index->shape[0],
                         .step = {g->strides[0], index->strides[0], out->strides[0]},
                         .at = {gpu_at(g), gpu_at(index), gpu_at(out)},
                         .value = {out->shape[0], attrs->padding}};
    l.outer.stride[0][0] = g->strides[1];
    l.outer.stride[2][0] = out->strides[1];
    gpu_variant variant = {GPU_SOURCE_EMBEDDING,
                           number_class,
                           {{"DTYPE", g->dtype}, {"DIVIDES", attrs->by_frequency != 0}}};
    gpu_program *program;
    tern_bbuffer *sums = NULL;
    uint64_t bytes = (uint64_t)(out->shape[0] * out->shape[1]) * 2 * sizeof(double);
    int32_t status = gpu_find(call, &variant, &program);
    if (status == TERN_BACKEND_OK) status = gpu_scratch(call, bytes, &sums);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_flag_argument(call), gpu_of(g),   gpu_of(index),
                                GPU_BUFFER(sums),        gpu_of(out), GPU_VALUE(l)};
    status = gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.lines);
    gpu_scratch_end(call, sums);
    return status;
}
