/*
 * Geometry of a launch, and tiles of its source (conv_winograd.h).
 */
#include "conv_winograd.h"

#include "simd_lanes.h"

#define LANES F32_LANES
#define PANEL WINOGRAD_PANEL

/* Tiles of a plane from which it pays. */
#define MIN_TILES 4

/* Bytes of a strip as it is read. */
#define STRIP_BYTES 262144

static bool is_dense(const tern_kit_tensor *t) {
    return t->dtype == TERN_BT_FLOAT32 && t->rank == 4 && t->strides[3] == 1;
}

static bool is_three_by_three(const tern_conv_attrs *attrs, const tern_kit_tensor *weight) {
    if (attrs->spatial != 2 || !is_dense(weight) || !tern_kit_is_contiguous(weight)) return false;
    for (int d = 0; d < 2; d++)
        if (weight->shape[d + 2] != 3 || attrs->stride[d] != 1 || attrs->dilation[d] != 1 ||
            attrs->padding[d] > 2)
            return false;
    return true;
}

/* Strips of about STRIP_BYTES, and so many that threads have some. */
static void cut(tern_simd_winograd *w) {
    int64_t row = w->columns * w->source_row * (int64_t)sizeof(float);
    int64_t rows = (STRIP_BYTES / row - 2) / 2, wanted = 8 / (w->n * w->groups);
    if (rows < 2) rows = 2;
    w->strips = (w->tiles[0] - 1) / rows + 1;
    if (w->strips < wanted) w->strips = wanted;
    if (w->strips > (w->tiles[0] + 1) / 2) w->strips = (w->tiles[0] + 1) / 2;
    w->strip = (w->tiles[0] - 1) / w->strips + 1;
}

bool tern_simd_winograd_plan(tern_simd_winograd *w, const tern_simd_conv_call *c,
                             const tern_conv_attrs *attrs, bool by_input, int64_t channels,
                             int64_t block) {
    const tern_kit_tensor *source = c->source, *result = c->result;
    if (!is_three_by_three(attrs, c->weight) || !is_dense(source) || !is_dense(result))
        return false;
    *w = (tern_simd_winograd){.n = source->shape[0],
                              .groups = attrs->groups,
                              .sources = source->shape[1] / attrs->groups,
                              .results = result->shape[1] / attrs->groups,
                              .block = block};
    for (int d = 0; d < 2; d++) {
        w->in[d] = source->shape[d + 2];
        w->out[d] = result->shape[d + 2];
        w->first[d] = by_input ? attrs->padding[d] - 2 : -attrs->padding[d];
        w->tiles[d] = (w->out[d] + 1) / 2;
    }
    if (w->n < 1 || w->sources < channels || w->results < channels ||
        w->tiles[0] * w->tiles[1] < MIN_TILES)
        return false;
    w->columns = 2 * w->tiles[1] + 2;
    w->source_row = (w->sources + LANES - 1) / LANES * LANES;
    w->source_place = tern_simd_conv_spaced(block * w->source_row, sizeof(float));
    cut(w);
    int64_t panels = (w->sources - 1) / PANEL + 1;
    w->turned = panels * PANEL * (2 * w->strip + 2) * w->columns;
    w->changed = WINOGRAD_PLACES * w->source_place;
    return true;
}

int64_t tern_simd_winograd_start(const tern_simd_winograd *w, int64_t index) {
    return w->tiles[0] * index / w->strips;
}

/* ---- the source as [position, channels] ------------------------------------------------------ */

/* `count` elements of a row of at most LANES channels. */
static void turn_row(const float *from, int64_t channel, int64_t channels, int64_t count,
                     float *to) {
    f32v x[LANES];
    for (int64_t i = 0; i < count; i += LANES, from += LANES, to += LANES * PANEL) {
        int64_t some = count - i < LANES ? count - i : LANES;
        if (some == LANES && channels == LANES) {
            f32_load_transposed(from, channel, x);
        } else {
            for (int64_t r = 0; r < LANES; r++)
                x[r] = r < channels ? f32_load_some(from + r * channel, some) : (f32v){0};
            f32_transpose(x);
        }
        for (int64_t p = 0; p < some; p++) f32_store(to + p * PANEL, x[p]);
    }
}

static void clear(float *to, int64_t positions) {
    for (int64_t p = 0; p < positions; p++) f32_store(to + p * PANEL, (f32v){0});
}

void tern_simd_winograd_turn(const tern_simd_planes *planes, const char *from, int64_t channels,
                             const int64_t *size, const int64_t *first, const int64_t *count,
                             float *to) {
    int64_t low = first[1] < 0 ? -first[1] : 0, high = size[1] - first[1];
    if (high > count[1]) high = count[1];
    if (low > high) low = high;
    const int64_t channel = planes->c / (int64_t)sizeof(float);
    for (int64_t c = 0; c < (channels + PANEL - 1) / PANEL * PANEL; c += LANES) {
        int64_t some = channels - c < LANES ? channels - c : LANES;
        float *panel = to + c / PANEL * PANEL * count[0] * count[1] + c % PANEL;
        for (int64_t y = 0; y < count[0]; y++, panel += count[1] * PANEL) {
            int64_t row = first[0] + y;
            if (row < 0 || row >= size[0] || some <= 0) {
                clear(panel, count[1]);
                continue;
            }
            const char *at = from + c * planes->c + row * planes->spatial[1];
            clear(panel, low);
            turn_row((const float *)(const void *)at + first[1] + low, channel, some, high - low,
                     panel + low * PANEL);
            clear(panel + high * PANEL, count[1] - high);
        }
    }
}

/* ---- tiles ----------------------------------------------------------------------------------- */

/* B' d B of a vector of channels. */
SIMD_INLINE void change_source(const float *d, int64_t row, float *to, int64_t place) {
    f32v x[4][4];
    SIMD_UNROLL
    for (int j = 0; j < 4; j++) {
        f32v d0 = f32_load(d + j * PANEL), d1 = f32_load(d + row + j * PANEL);
        f32v d2 = f32_load(d + 2 * row + j * PANEL), d3 = f32_load(d + 3 * row + j * PANEL);
        x[0][j] = d0 - d2;
        x[1][j] = d1 + d2;
        x[2][j] = d2 - d1;
        x[3][j] = d1 - d3;
    }
    SIMD_UNROLL
    for (int i = 0; i < 4; i++, to += 4 * place) {
        f32_store(to, x[i][0] - x[i][2]);
        f32_store(to + place, x[i][1] + x[i][2]);
        f32_store(to + 2 * place, x[i][2] - x[i][1]);
        f32_store(to + 3 * place, x[i][1] - x[i][3]);
    }
}

void tern_simd_winograd_sources(const tern_simd_winograd *w, const float *turned, int64_t first,
                                int64_t count, float *to) {
    tern_simd_winograd_change(w, 2 * w->strip + 2, w->columns * PANEL, w->source_row, first, count,
                              turned, to, w->source_place, change_source);
}
