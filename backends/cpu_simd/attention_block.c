/* attention_block.c: what attention and its gradient share: packed heads, the scores of a block and their weights. */
#include <math.h>

#include "attention.h"
#include "exp_below.h"
#include "gemm.h"

bool tern_simd_attention_read(const tern_kit_call *call, int32_t q, tern_simd_attention *out) {
    const tern_kit_tensor *in = call->inputs + q;
    const tern_attention_attrs *attrs = call->attrs;
    *out = (tern_simd_attention){.call = call,
                                 .q = in,
                                 .k = in + 1,
                                 .v = in + 2,
                                 .mask = attrs->masked ? &call->inputs[call->n_inputs - 1] : NULL,
                                 .b = in->shape[0],
                                 .h = in->shape[1],
                                 .l = in->shape[2],
                                 .s = in[1].shape[2],
                                 .e = in->shape[3],
                                 .f = in[2].shape[3],
                                 .shared = in->shape[1] / in[1].shape[1],
                                 .scale = (float)attrs->scale,
                                 .causal = attrs->causal != 0};
    for (int32_t k = 0; k < call->n_outputs; k++) {
        const tern_kit_tensor *t = &call->outputs[k];
        if (t->rank == 4 && t->strides[3] != 1) return false;
    }
    return in->dtype == TERN_BT_FLOAT32;
}

void tern_simd_pack_head(const tern_kit_tensor *t, int64_t batch, int64_t head, bool across,
                         float *to) {
    const char *from = tern_simd_head(t, batch, head);
    if (across)
        tern_simd_pack_columns_f32(t->shape[3], t->shape[2], from, t->strides[3], t->strides[2],
                                   to);
    else
        tern_simd_pack_columns_f32(t->shape[2], t->shape[3], from, t->strides[2], t->strides[3],
                                   to);
}

/* ---- masks ----------------------------------------------------------------------------------- */

/* A row of the mask over the block's keys: whether each is hidden. */
static void hide(const tern_simd_attention *a, const char *mask, int64_t keys, float *row) {
    int64_t stride = a->mask->strides[3];
    for (int64_t j = 0; j < keys; j++)
        if (!mask[j * stride]) row[j] = -INFINITY;
}

static void add(const tern_simd_attention *a, const char *mask, int64_t keys, float *row) {
    const float *values = (const float *)(const void *)mask;
    int64_t stride = a->mask->strides[3];
    for (int64_t j = 0; j < keys; j++) row[j] += values[j * stride];
}

static void apply_mask(const tern_simd_attention *a, const tern_simd_block *block, int64_t row,
                       float *scores) {
    const int64_t *strides = a->mask->strides;
    bool hides = a->mask->dtype == TERN_BT_BOOL;
    int64_t at = block->batch * strides[0] + block->head * strides[1] +
                 (block->i + row) * strides[2] + block->j * strides[3];
    const char *mask = a->mask->data + at * (hides ? 1 : (int64_t)sizeof(float));
    if (hides)
        hide(a, mask, block->keys, scores);
    else
        add(a, mask, block->keys, scores);
}

/* Keys that are hidden by their order stay hidden whatever the mask adds. */
void tern_simd_hide(const tern_simd_attention *a, const tern_simd_block *block, int64_t row,
                    float *scores) {
    int64_t visible = tern_simd_visible(a, block, row);
    if (a->mask) apply_mask(a, block, row, scores);
    for (int64_t j = visible; j < tern_simd_whole(visible); j++) scores[j] = -INFINITY;
}

void tern_simd_scores(const tern_simd_attention *a, const tern_simd_block *block,
                      const float *queries, const float *keys, float *scores) {
    const tern_simd_sink sink = tern_simd_sums_to(scores, TERN_SIMD_KEYS, (double)a->scale, false);
    tern_simd_block_f32(block->rows, tern_simd_whole(block->keys), a->e, queries, 0, 0,
                        keys + block->j * a->e, TERN_SIMD_PANEL_F32 * a->e, TERN_SIMD_PANEL_F32,
                        &sink);
    for (int64_t row = 0; row < block->rows; row++)
        tern_simd_hide(a, block, row, scores + row * TERN_SIMD_KEYS);
}

float tern_simd_weigh(float *scores, int64_t seen, int64_t width, float *max) {
    f32v most = f32_set(*max), total = {0};
    for (int64_t j = 0; j < seen; j += F32_LANES) most = f32_greater(f32_load(scores + j), most);
    float now = f32_across_greater(most);
    if (now == -INFINITY) seen = 0;
    /* hidden keys have -inf and get 0, even where the greatest score is infinite */
    for (int64_t j = 0; j < seen; j += F32_LANES) {
        f32v x = f32_load(scores + j), hidden = f32_set(-INFINITY);
        f32v weight = f32_exp_below(x - now) * (1 / F32_BELOW_SCALE);
        weight = f32_select(x == hidden, f32_set(0), weight);
        total += weight;
        f32_store(scores + j, weight);
    }
    for (int64_t j = seen; j < width; j += F32_LANES) f32_store(scores + j, f32_set(0));
    *max = now;
    return f32_across_sum(total);
}
