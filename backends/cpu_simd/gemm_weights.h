/*
 * gemm_weights.h: right sides of products that are constant, packed once and kept by a device.
 *
 * A constant operand has a stamp, which names the contents of its storage (tern/backend.h). A weight whose
 * stamp is met for the second time is packed whole, in memory of its own, and serves until its stamp is
 * another one. Its memory then serves the new contents, so that launches that repeat never reach the heap.
 *
 * All of them together take at most an eighth of the host's memory. Where that is used up, or a place in the
 * table, those that no product has asked for lately make room; else the product packs for itself, as it does
 * for what is not constant. A launch that finds no memory gives all of them back and is run again.
 */
#ifndef TERN_CPU_SIMD_GEMM_WEIGHTS_H
#define TERN_CPU_SIMD_GEMM_WEIGHTS_H

#include <stdatomic.h>

#include "gemm.h"

typedef struct tern_simd_weight tern_simd_weight;

/* A device's. */
typedef struct tern_simd_weights {
    const tern_host *host;
    atomic_flag lock;
    uint64_t turn;           /* counts what products ask for */
    size_t bytes, limit;     /* of all that are packed; the most of that */
    tern_simd_weight *table; /* made for the first constant */
} tern_simd_weights;

void tern_simd_weights_init(tern_simd_weights *weights, const tern_host *host, size_t limit);

/* No product is under way. */
void tern_simd_weights_fini(tern_simd_weights *weights);

/* Gives back the memory of all that no product uses now; false where there was none. */
bool tern_simd_weights_drop(tern_simd_weights *weights);

/*
 * The weight that a product's b is; NULL where it is not kept, or not yet. `bytes` is what it takes packed, the
 * same for equal b. Any thread. Where *out_ready is false the caller packs it into *out_packed and says so.
 */
tern_simd_weight *tern_simd_weight_take(tern_simd_weights *weights, const tern_simd_product *p,
                                        size_t bytes, void **out_packed, bool *out_ready);
void tern_simd_weight_is_packed(tern_simd_weights *weights, tern_simd_weight *weight);
void tern_simd_weight_give(tern_simd_weights *weights, tern_simd_weight *weight);

#endif
