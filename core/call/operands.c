/* operands.c: the tensors of a call. */
#include "operands.h"

#include <string.h>

#include "core/autograd/graph.h"
#include "core/context/generator.h"

static int count_tensors(const tern_value *args, int n_args) {
    int count = 0;
    for (int i = 0; i < n_args; i++) {
        if (args[i].kind == TERN_VALUE_TENSOR) count++;
        if (args[i].kind != TERN_VALUE_LIST && args[i].kind != TERN_VALUE_TUPLE) continue;
        for (size_t k = 0; k < tern_value_count(args[i]); k++)
            count += tern_value_at(args[i], k).kind == TERN_VALUE_TENSOR;
    }
    return count;
}

static void collect_list(tern_value list, tern_operands *out) {
    for (size_t k = 0; k < tern_value_count(list); k++) {
        tern_value item = tern_value_at(list, k);
        if (item.kind == TERN_VALUE_TENSOR) out->all[out->count++] = item.as.tensor;
    }
}

static bool has_list(const tern_value *args, int n_args) {
    for (int i = 0; i < n_args; i++)
        if (args[i].kind == TERN_VALUE_LIST || args[i].kind == TERN_VALUE_TUPLE) return true;
    return false;
}

bool tern_operands_collect(tern_ctx *ctx, const tern_value *args, int n_args, tern_operands *out) {
    out->count = 0;
    out->complex = false;
    out->all = out->few;
    int total = has_list(args, n_args) ? count_tensors(args, n_args) : 0;
    if (total > TERN_FEW_OPERANDS) {
        out->all = tern_scope_alloc(ctx, (size_t)total * sizeof *out->all);
        if (!out->all) return false;
    }
    for (int i = 0; i < n_args; i++) {
        if (args[i].kind == TERN_VALUE_TENSOR)
            out->all[out->count++] = args[i].as.tensor;
        else if (total && (args[i].kind == TERN_VALUE_LIST || args[i].kind == TERN_VALUE_TUPLE))
            collect_list(args[i], out);
    }
    return true;
}

/* The nil of no context joins any call: the context that made it nil has the error. */
static tern_ctx *context_in(const tern_value *value, tern_ctx *fallback) {
    if (value->kind != TERN_VALUE_TENSOR || !value->as.tensor) return fallback;
    tern_ctx *ctx = tern_context_of(value->as.tensor);
    return fallback && ctx->is_static ? fallback : ctx;
}

tern_ctx *tern_first_context(const tern_value *args, int n_args) {
    tern_ctx *ctx = n_args ? context_in(args, NULL) : NULL;
    if (ctx && !ctx->is_static) return ctx;
    ctx = NULL;
    for (int i = 0; i < n_args && (!ctx || ctx->is_static); i++) {
        ctx = context_in(&args[i], ctx);
        if (args[i].kind != TERN_VALUE_LIST && args[i].kind != TERN_VALUE_TUPLE) continue;
        for (size_t k = 0; k < tern_value_count(args[i]) && (!ctx || ctx->is_static); k++) {
            tern_value item = tern_value_at(args[i], k);
            ctx = context_in(&item, ctx);
        }
    }
    return ctx;
}

/* Says what is wrong with the k-th tensor of a call. */
static bool refuse(const tern_opcall *call, const tern_tensor *t, int k) {
    char name[64];
    tern_op_name(call->op, name);
    if (t && !tern_is_live(t))
        tern_fail_stale(t, name);
    else if (tern_is_nil(t))
        tern_fail(call->ctx, TERN_ERR_STATE,
                  "%s: tensor argument %d is nil or was dropped: check the call that made it", name,
                  k);
    else if (BODY(t)->ctx != call->ctx)
        tern_fail(call->ctx, TERN_ERR_ARGUMENT,
                  "%s: tensors of two contexts: one context belongs to one thread; "
                  "copy the values, or map one file of weights in both",
                  name);
    else
        tern_fail(call->ctx, TERN_ERR_ARGUMENT,
                  "%s: expected all tensors to be on the same device, but found at least two "
                  "devices, %s and %s: tern_to_device moves one",
                  name, call->lane->device->name, BODY(t)->lane->device->name);
    return false;
}

/* The parameter behind the one at `at`, or the parenthesis that closes them. */
static const char *next_parameter(const char *at) {
    bool quoted = false;
    int depth = 0;
    for (; *at; at++) {
        if (*at == '\'') quoted = !quoted;
        if (quoted) continue;
        if (depth == 0 && *at == ')') return at;
        if (depth == 0 && *at == ',') return at + 1 + strspn(at + 1, " ");
        depth += (*at == '[' || *at == '(') - (*at == ']' || *at == ')');
    }
    return at;
}

/* Parameter `i` of a schema, "Tensor|Number other"; NULL where there is none. */
static const char *parameter(const char *schema, int i) {
    const char *at = strchr(schema, '(') + 1;
    for (; *at && *at != ')'; at = next_parameter(at))
        if (*at != '*' && i-- == 0) return at; /* "*, " is no parameter */
    return NULL;
}

/* A generator that is gone, or another context's, is refused. */
static bool generator_fits(const tern_opcall *call, const tern_generator *given) {
    char name[64];
    const tern_generator_body *generator = tern_generator_of(given, tern_op_name(call->op, name));
    if (generator && generator->ctx == call->ctx) return true;
    tern_fail(call->ctx, generator ? TERN_ERR_ARGUMENT : TERN_ERR_STATE,
              generator ? "%s: the generator belongs to another context"
                        : "%s: the generator is gone, its scope has ended",
              name);
    return false;
}

/* Whether a parameter takes none: one of tensors does only where its schema says so ("Tensor?", or a
 * default). */
static bool takes_none(const char *parameter) {
    if (strncmp(parameter, "Tensor", 6) != 0) return true;
    size_t type = strcspn(parameter, " "), length = strcspn(parameter + type + 1, ",)=");
    return memchr(parameter, '?', type) || parameter[type + 1 + length] == '=';
}

/* A bit for each parameter of a row that takes none, read from its schema once in a while. */
static uint32_t nones_of(tern_ctx *ctx, const tern_op *op) {
    tern_nones *known = &ctx->nones[(uintptr_t)op / sizeof *op % TERN_KNOWN_NONES];
    if (known->op == op) return known->taken;
    const char *at = strchr(op->schema, '(') + 1;
    *known = (tern_nones){op, 0};
    for (int i = 0; i < 32 && *at && *at != ')'; at = next_parameter(at)) {
        if (*at == '*') continue; /* "*, " is no parameter */
        if (takes_none(at)) known->taken |= UINT32_C(1) << i;
        i++;
    }
    return known->taken;
}

static bool none_fits(const tern_opcall *call, int i) {
    return nones_of(call->ctx, call->op) >> i & 1u || !parameter(call->op->schema, i);
}

/* C takes any number for an enumerator; -1 is "not given". */
static bool is_dtype(const tern_value *value) {
    return (unsigned)value->as.dtype + 1 <= TERN_DTYPE_COUNT ||
           tern_dtype_is_complex(value->as.dtype);
}

static bool is_real(const tern_value *value) {
    return (unsigned)value->as.dtype + 1 <= TERN_DTYPE_COUNT;
}

/* NULL stands for none. Latches where it is not taken and returns false. */
static bool arguments_fit(const tern_opcall *call) {
    char name[64];
    for (int i = 0; i < call->n_args; i++) {
        tern_value given = call->args[i];
        if (given.kind == TERN_VALUE_GENERATOR && !generator_fits(call, given.as.generator))
            return false;
        if (given.kind == TERN_VALUE_DTYPE && !is_dtype(&given)) {
            tern_call_fail(call, TERN_ERR_ARGUMENT, "%d is not a dtype", (int)given.as.dtype);
            return false;
        }
        if (given.kind != TERN_VALUE_NONE || none_fits(call, i)) continue;
        const char *wanted = parameter(call->op->schema, i);
        size_t type = strcspn(wanted, " "), length = strcspn(wanted + type + 1, ",)=");
        tern_fail(call->ctx, TERN_ERR_STATE,
                  "%s: argument '%.*s' is NULL: check the call that made it",
                  tern_op_name(call->op, name), (int)length, wanted + type + 1);
        return false;
    }
    return true;
}

static bool check(tern_opcall *call, tern_operands *tensors) {
    tern_ctx *ctx = call->ctx;
    call->lane = NULL;
    if (!arguments_fit(call)) return false;
    for (int k = 0; k < tensors->count; k++) {
        const tern_tensor *t = tensors->all[k];
        if (!tern_is_live(t)) return refuse(call, t, k);
        const tern_tensor_body *body = BODY(t);
        if (body->flags & (TERN_T_NIL | TERN_T_DROPPED) || body->ctx != ctx)
            return refuse(call, t, k);
        if (!call->lane) call->lane = body->lane;
        tensors->complex = tensors->complex || tern_is_complex(body->dtype);
        if (body->lane != call->lane && call->op->impl != tern_op_copy) return refuse(call, t, k);
    }
    for (int i = 0; i < call->n_args; i++)
        if (call->args[i].kind == TERN_VALUE_DTYPE && !is_real(&call->args[i]))
            tensors->complex = true;
    if (!call->lane) call->lane = ctx->n_lanes ? ctx->lanes[0] : NULL;
    return call->lane != NULL;
}

/* The tensors of arguments that are plain, all of one device: one look at each. False where one is not, or
 * is wrong. */
static bool take_plain(tern_opcall *call, tern_operands *out) {
    tern_lane *lane = NULL;
    out->count = 0;
    out->complex = false;
    out->all = out->few;
    for (int i = 0; i < call->n_args; i++) {
        const tern_value *arg = &call->args[i];
        if (arg->kind == TERN_VALUE_TENSOR) {
            if (!tern_is_live(arg->as.tensor)) return false;
            const tern_tensor_body *body = BODY(arg->as.tensor);
            if (body->flags & (TERN_T_NIL | TERN_T_DROPPED) || body->ctx != call->ctx ||
                (lane && body->lane != lane) || tern_is_complex(body->dtype))
                return false;
            lane = body->lane;
            out->few[out->count++] = arg->as.tensor;
        } else if (arg->kind == TERN_VALUE_NONE
                       ? !none_fits(call, i)
                       : arg->kind == TERN_VALUE_LIST || arg->kind == TERN_VALUE_TUPLE ||
                             arg->kind == TERN_VALUE_GENERATOR ||
                             (arg->kind == TERN_VALUE_DTYPE && !is_real(arg))) {
            return false;
        }
    }
    call->lane = lane;
    return lane != NULL;
}

bool tern_operands_take(tern_opcall *call, tern_operands *out) {
    return take_plain(call, out) ||
           (tern_operands_collect(call->ctx, call->args, call->n_args, out) && check(call, out));
}

bool tern_operands_need_grad(const tern_operands *tensors) {
    for (int k = 0; k < tensors->count; k++)
        if (tern_needs_grad(tensors->all[k])) return true;
    return false;
}

bool tern_call_records(const tern_opcall *call, const tern_operands *tensors) {
    return call->ctx->grad_enabled && call->op->grad && tern_operands_need_grad(tensors);
}
