#include "lines.h"

typedef struct all_lines {
    const tern_kit_tensor *tensor[LINES_TENSORS];
    int32_t tensors;
    tern_kit_walk walk;
    tern_kit_row row;
    line_group whole; /* its data and count aside */
    void (*work)(void *arg, const line_group *group);
    void *arg;
} all_lines;

/* Lines [begin, end), counted along the rows. */
static void run(void *arg, int64_t begin, int64_t end) {
    const all_lines *l = arg;
    tern_kit_walk walk = l->walk;
    int64_t first = begin % l->row.length;
    tern_kit_walk_seek(&walk, begin / l->row.length);
    while (begin < end) {
        line_group group = l->whole;
        int64_t rest = l->row.length - first;
        group.count = rest < end - begin ? rest : end - begin;
        for (int32_t k = 0; k < l->tensors; k++)
            group.data[k] = tern_kit_at(l->tensor[k], walk.offset[k] + first * l->row.stride[k]);
        l->work(l->arg, &group);
        begin += group.count;
        first = 0;
        tern_kit_walk_next(&walk);
    }
}

void tern_simd_each_line(const tern_kit_call *call, int32_t dim, int64_t grain,
                         void (*work)(void *arg, const line_group *group), void *arg) {
    all_lines l = {.tensor = {&call->inputs[0], &call->outputs[0]},
                   .tensors = 1 + call->n_outputs,
                   .work = work,
                   .arg = arg};
    if (call->n_outputs > 1) l.tensor[2] = &call->outputs[1];
    bool scalar = l.tensor[0]->rank == 0;
    l.whole.length = scalar ? 1 : l.tensor[0]->shape[dim];
    for (int32_t k = 0; k < l.tensors && !scalar; k++) l.whole.along[k] = l.tensor[k]->strides[dim];
    tern_kit_walk_begin(&l.walk, l.tensor, l.tensors, scalar ? 0 : 1u << dim);
    l.row = tern_kit_walk_row(&l.walk);
    for (int32_t k = 0; k < l.tensors; k++) l.whole.across[k] = l.row.stride[k];
    int64_t lines = tern_kit_walk_count(&l.walk) * l.row.length;
    int64_t some = grain / l.whole.length + 1;
    if (lines <= some)
        run(&l, 0, lines);
    else
        call->host->parallel_for(lines, some, run, &l);
}
