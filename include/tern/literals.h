/*
 * tern/literals.h: lists, tuples and dicts in one line, as Python writes them.
 *
 *     tern_value named = TERN_DICT(ctx, {"dim", tern_int(0)}, {"keepdim", tern_bool(true)});
 *     tern_value state = TERN_TENSORS(ctx, h, c);                          the (h, c) of an LSTM
 *     tern_value groups = TERN_LIST(
 *         ctx, TERN_DICT(ctx, {"params", tern_module_parameters_like(net, "!*.bias")}),
 *         TERN_DICT(ctx, {"params", tern_module_parameters_like(net, "*.bias")},
 *                   {"weight_decay", tern_float(0)}));
 *
 * All live in the open scope. The keys of a dict are copied; a text made with tern_text is not. The functions
 * return none after latching an error.
 */
#ifndef TERN_LITERALS_H
#define TERN_LITERALS_H

#include "tern/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An entry of a dict. */
typedef struct tern_entry {
    const char *key;
    tern_value value;
} tern_entry;

/* {key: value, ...}; a later entry with the same key replaces an earlier one. A NULL key is an error. */
TERN_API tern_value tern_dict_from(tern_ctx *ctx, const tern_entry *entries, size_t count);

/* [item, ...] */
TERN_API tern_value tern_list_from(tern_ctx *ctx, const tern_value *items, size_t count);

/* (item, ...) */
TERN_API tern_value tern_tuple_from(tern_ctx *ctx, const tern_value *items, size_t count);

/* (tensor, ...); NULL becomes None. A tensor of another context is an error. */
TERN_API tern_value tern_tensors_from(tern_ctx *ctx, tern_tensor *const *tensors, size_t count);

#ifndef __cplusplus
#define TERN_DICT(ctx, ...)                                                                        \
    tern_dict_from(ctx, (const tern_entry[]){__VA_ARGS__},                                         \
                   sizeof((const tern_entry[]){__VA_ARGS__}) / sizeof(tern_entry))
#define TERN_LIST(ctx, ...)                                                                        \
    tern_list_from(ctx, (const tern_value[]){__VA_ARGS__},                                         \
                   sizeof((const tern_value[]){__VA_ARGS__}) / sizeof(tern_value))
#define TERN_TUPLE(ctx, ...)                                                                       \
    tern_tuple_from(ctx, (const tern_value[]){__VA_ARGS__},                                        \
                    sizeof((const tern_value[]){__VA_ARGS__}) / sizeof(tern_value))
#define TERN_TENSORS(ctx, ...)                                                                     \
    tern_tensors_from(ctx, (tern_tensor *const[]){__VA_ARGS__},                                    \
                      sizeof((tern_tensor *const[]){__VA_ARGS__}) / sizeof(tern_tensor *))
#endif

#ifdef __cplusplus
}
#endif

#endif
