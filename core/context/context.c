/* context.c: opening and closing contexts, and what a program asks of one. */
#define _GNU_SOURCE /* secure_getenv */
#include "scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/call/fused.h"
#include "core/call/op.h"
#include "core/ground/error.h"
#include "core/memory/block.h"
#include "core/memory/lasting.h"
#include "core/memory/slab.h"
#include "core/memory/storage.h"
#include "core/memory/uploads.h"
#include "core/plugin/host_library.h"
#include "generator.h"
#include "lane.h"

/* PyTorch's default generator starts from a seed that nobody chose. */
static uint64_t entropy(void) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)time(NULL) ^ (uint64_t)(uintptr_t)&seed;
    return seed;
}

static bool make_nil(tern_ctx *ctx) {
    ctx->nil = tern_slab_tensor(ctx);
    if (!ctx->nil) return false;
    tern_tensor_body *nil = BODY(ctx->nil);
    nil->flags = TERN_T_NIL;
    nil->frame = NULL;
    nil->lane = NULL;
    nil->dtype = TERN_FLOAT32;
    nil->rank = 0;
    nil->numel = nil->offset = 0;
    return true;
}

static void read_fallback_policy(tern_ctx *ctx) {
    const char *policy = secure_getenv("TERN_FALLBACK");
    if (!policy || !*policy || strcmp(policy, "error") == 0) return;
    ctx->warn_fallback = strcmp(policy, "warn") == 0;
    ctx->allow_fallback = ctx->warn_fallback || strcmp(policy, "allow") == 0;
    if (!ctx->allow_fallback)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "TERN_FALLBACK='%s': set it to error, warn or allow",
                  policy);
}

tern_ctx *tern_open(const char *device) {
    tern_ctx *ctx = tern_alloc_zeroed(1, sizeof *ctx);
    if (!ctx) return tern_no_context();
    ctx->grad_enabled = true;
    if (!make_nil(ctx) || !tern_frame_root(ctx)) {
        tern_slabs_free(ctx);
        tern_free(ctx);
        return tern_no_context();
    }
    ctx->generator = tern_generator_make(ctx, entropy());
    if (!ctx->generator) return ctx;
    read_fallback_policy(ctx);
    tern_fused_read_policy(ctx);
    if (ctx->status == TERN_OK) tern_lane_open(ctx, device);
    return ctx;
}

tern_status tern_close(tern_ctx *ctx) {
    if (!ctx) return TERN_OK;
    tern_status status = ctx->status;
    if (ctx->is_static) return status;
    for (int i = 0; i < ctx->n_lanes; i++) {
        tern_uploads_synchronize(ctx->lanes[i]);
        tern_lane_synchronize(ctx->lanes[i]);
    }
    status = ctx->status;
    tern_frames_release_all(ctx);
    for (int i = ctx->n_lanes; i-- > 0;) tern_lane_close(ctx->lanes[i]);
    tern_lasting_free(ctx);
    tern_slabs_free(ctx);
    tern_blocks_free(ctx);
    tern_free(ctx->backward_heap);
    tern_free(ctx);
    return status;
}

tern_status tern_check(tern_ctx *ctx) {
    ctx = tern_given(ctx);
    if (ctx->status == TERN_OK) tern_synchronize(ctx);
    return ctx->status;
}

/* ---- devices and statistics ------------------------------------------------------------------ */

const char *tern_device_name(const tern_ctx *ctx) {
    ctx = tern_given(ctx);
    return ctx->n_lanes ? ctx->lanes[0]->device->name : "";
}

bool tern_device_is_reference(const tern_ctx *ctx) {
    ctx = tern_given(ctx);
    return ctx->n_lanes && ctx->lanes[0]->device->speed == TERN_SPEED_REFERENCE;
}

const char *tern_device_reason(const tern_ctx *ctx) {
    ctx = tern_given(ctx);
    return ctx->n_lanes ? ctx->lanes[0]->device->reason : "";
}

tern_status tern_device_open(tern_ctx *ctx, const char *device) {
    ctx = tern_given(ctx);
    if (ctx->status == TERN_OK) tern_lane_open(ctx, device);
    return ctx->status;
}

tern_status tern_synchronize(tern_ctx *ctx) {
    ctx = tern_given(ctx);
    for (int i = 0; i < ctx->n_lanes && ctx->status == TERN_OK; i++)
        if (tern_uploads_synchronize(ctx->lanes[i]) == TERN_OK)
            tern_lane_synchronize(ctx->lanes[i]);
    return ctx->status;
}

tern_stats tern_stats_of(const tern_ctx *ctx) {
    ctx = tern_given(ctx);
    tern_stats stats = ctx->stats;
    stats.host_allocations = tern_alloc_count();
    stats.host_library = tern_host_library_name();
    stats.cached_bytes = 0;
    for (int i = 0; i < ctx->n_lanes; i++) stats.cached_bytes += ctx->lanes[i]->cached_bytes;
    return stats;
}

void tern_reset_peak(tern_ctx *ctx) {
    if (ctx && !ctx->is_static) ctx->stats.device_bytes_peak = ctx->stats.device_bytes;
}

void tern_empty_cache(tern_ctx *ctx) {
    ctx = tern_given(ctx);
    for (int i = 0; i < ctx->n_lanes; i++) tern_lane_empty_cache(ctx->lanes[i]);
    tern_blocks_free(ctx);
}
