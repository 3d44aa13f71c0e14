/* ctc.c: ctc_loss (Graves et al. 2006): the sum over all alignments of a target to a sequence. */
#include <math.h>

#include "core/ops/compose.h"
#include "loss.h"

/* The logarithm of "cannot be": finite, so that no gradient is NaN. */
#define NEVER   (-1e30)
#define NO_PATH 1e29 /* a loss beyond it has no alignment */

/* A call in flight. Labels stand between blanks: [blank, t1, blank, t2, ..., blank]. */
typedef struct alignment {
    tern_opcall *call;
    tern_ctx *ctx;
    int64_t blank;
    tern_reduction reduction;
    bool zero_infinity;
    tern_tensor *log_probs; /* [T, N, C] */
    int64_t steps, batch, classes;
    int64_t *input_lengths, *target_lengths, *targets; /* on the host */
    int64_t places;                                    /* of the extended labels: 2 * longest + 1 */
    tern_tensor *emits; /* [T, N, places]: log-probability of each place's label */
    tern_tensor *skips; /* [N, places]: 0 where two places may be passed at once, else NEVER */
} alignment;

/* ---- reading what comes in ------------------------------------------------------------------- */

static tern_tensor *floats(const alignment *a, const float *data, tern_shape shape) {
    tern_tensor *tensor = tern_from_data(a->ctx, data, shape, TERN_FLOAT32);
    tensor = tern_to_dtype(tensor, tern_dtype_of(a->log_probs));
    return tern_to_device(tensor, tern_device_of(a->log_probs));
}

static tern_tensor *indices(const alignment *a, const int64_t *data, tern_shape shape) {
    tern_tensor *tensor = tern_from_data(a->ctx, data, shape, TERN_INT64);
    return tern_to_device(tensor, tern_device_of(a->log_probs));
}

/* Memory of the open scope for `rows` times `each` elements; NULL after latching. */
static void *space(const alignment *a, int64_t rows, int64_t each, size_t size) {
    uint64_t bytes;
    if (tern_size_mul((uint64_t)rows, (uint64_t)each, &bytes) && tern_size_mul(bytes, size, &bytes))
        return tern_scope_alloc(a->ctx, (size_t)bytes + size);
    tern_fail_memory(a->ctx, SIZE_MAX);
    return NULL;
}

static int64_t *host_integers(const alignment *a, tern_tensor *tensor) {
    size_t count = (size_t)tern_numel(tensor);
    int64_t *out = space(a, (int64_t)count, 1, sizeof *out);
    if (!out) return NULL;
    tern_tensor *wide = tern_contiguous(tern_to_dtype(tern_detach(tensor), TERN_INT64));
    return tern_to_host(wide, out, count * sizeof *out) == TERN_OK ? out : NULL;
}

/* Lengths as a tensor or a list, one a sample, from 0 to `most`. */
static int64_t *read_lengths(const alignment *a, const char *what, tern_value value, int64_t most) {
    int64_t *out = NULL;
    size_t count = tern_value_count(value);
    if (value.kind == TERN_VALUE_TENSOR) {
        count = (size_t)tern_numel(value.as.tensor);
        out = host_integers(a, value.as.tensor);
    } else {
        out = space(a, (int64_t)count, 1, sizeof *out);
        for (size_t i = 0; out && i < count; i++)
            out[i] = tern_value_as_int(tern_value_at(value, i));
    }
    if (!out) return NULL;
    bool ok = count == (size_t)a->batch;
    for (size_t i = 0; ok && i < count; i++) ok = out[i] >= 0 && out[i] <= most;
    if (ok) return out;
    tern_call_fail(a->call, TERN_ERR_ARGUMENT,
                   "%s must be %lld numbers from 0 to %lld, one per sample", what,
                   (long long)a->batch, (long long)most);
    return NULL;
}

/* The first label of a sample in the targets: [N, S], or all samples one after the other. */
static int64_t first_label(const alignment *a, const tern_tensor *targets, int64_t sample) {
    int64_t at = 0;
    if (tern_rank(targets) == 2) return sample * tern_size(targets, 1);
    for (int64_t i = 0; i < sample; i++) at += a->target_lengths[i];
    return at;
}

static bool check_targets(const alignment *a, const tern_tensor *targets) {
    int64_t longest = (a->places - 1) / 2, last = a->batch - 1;
    bool fits =
        tern_rank(targets) == 2
            ? tern_size(targets, 0) == a->batch && tern_size(targets, 1) >= longest
            : tern_rank(targets) == 1 &&
                  first_label(a, targets, last) + a->target_lengths[last] <= tern_numel(targets);
    for (int64_t i = 0; fits && i < a->batch; i++)
        for (int64_t k = 0; fits && k < a->target_lengths[i]; k++) {
            int64_t label = a->targets[first_label(a, targets, i) + k];
            fits = label >= 0 && label < a->classes;
        }
    if (!fits)
        tern_call_fail(a->call, TERN_ERR_ARGUMENT,
                       "targets must be [N, S], or the labels of all samples one after the "
                       "other, as many as target_lengths add up to, each from 0 to %lld",
                       (long long)a->classes - 1);
    return fits;
}

/* Labels between blanks, and where a blank between them may be passed over: not between equal ones. */
static bool read_labels(alignment *a, const tern_tensor *targets) {
    int64_t *labels = space(a, a->batch, a->places, sizeof *labels);
    float *skips = space(a, a->batch, a->places, sizeof *skips);
    if (!labels || !skips) return false;
    for (int64_t i = 0; i < a->batch; i++) {
        int64_t *row = labels + i * a->places, first = first_label(a, targets, i);
        for (int64_t s = 0; s < a->places; s++) {
            bool label = s % 2 == 1 && s / 2 < a->target_lengths[i];
            row[s] = label ? a->targets[first + s / 2] : a->blank;
            bool passes = label && s >= 2 && row[s] != row[s - 2];
            skips[i * a->places + s] = passes ? 0.0f : (float)NEVER;
        }
    }
    tern_shape shape = TERN_SHAPE(a->batch, a->places);
    tern_tensor *index = tern_expand(tern_unsqueeze(indices(a, labels, shape), 0),
                                     TERN_SHAPE(a->steps, a->batch, a->places));
    /* A probability of 0 is as good as NEVER, and makes no inf - inf. */
    a->emits = tern_clamp(tern_gather(a->log_probs, 2, index), NEVER, INFINITY);
    a->skips = floats(a, skips, shape);
    return true;
}

static bool read_call(alignment *a, tern_tensor *targets) {
    int rank = tern_rank(a->log_probs);
    if (!tern_dtype_is_floating(tern_dtype_of(a->log_probs))) {
        tern_call_fail(a->call, TERN_ERR_ARGUMENT, "log_probs must have a floating dtype, got %s",
                       tern_dtype_name(tern_dtype_of(a->log_probs)));
        return false;
    }
    if (rank != 3 || a->blank < 0 || a->blank >= tern_size(a->log_probs, 2) ||
        tern_numel(a->log_probs) == 0) {
        tern_call_fail(a->call, TERN_ERR_ARGUMENT,
                       "log_probs must be [T, N, C] or [T, C], not empty, and blank (%lld) one "
                       "of the C labels",
                       (long long)a->blank);
        return false;
    }
    a->steps = tern_size(a->log_probs, 0);
    a->batch = tern_size(a->log_probs, 1);
    a->classes = tern_size(a->log_probs, 2);
    a->input_lengths = read_lengths(a, "input_lengths", tern_arg(a->call, 2), a->steps);
    if (!a->input_lengths) return false;
    a->target_lengths =
        read_lengths(a, "target_lengths", tern_arg(a->call, 3), tern_numel(targets));
    a->targets = a->target_lengths ? host_integers(a, targets) : NULL;
    if (!a->targets) return false;
    int64_t longest = 0;
    for (int64_t i = 0; i < a->batch; i++)
        if (a->target_lengths[i] > longest) longest = a->target_lengths[i];
    a->places = 2 * longest + 1;
    return check_targets(a, targets) && read_labels(a, targets);
}

/* ---- the recursion --------------------------------------------------------------------------- */

static tern_tensor *padded(tern_tensor *states, int64_t before, int64_t after) {
    return TERN_CALL(constant_pad_nd, ARG_TENSOR(states), ARG_SHAPE(TERN_SHAPE(before, after)),
                     ARG_FLOAT(NEVER));
}

/* The states moved by some places: what comes from there. */
static tern_tensor *moved(const alignment *a, tern_tensor *states, int64_t by) {
    if (by >= a->places) return tern_full_like(states, NEVER);
    return padded(tern_narrow(states, 1, 0, a->places - by), by, 0);
}

static tern_tensor *log_sum(tern_tensor *const *terms, int count) {
    return TERN_CALL(logsumexp, ARG_TENSOR(tern_stack(terms, count, 0)), ARG_INT(0));
}

/* 1 for samples whose sequence is longer than t, else 0: [N, 1] of bool. */
static tern_tensor *running(const alignment *a, int64_t t) {
    float *data = space(a, a->batch, 1, sizeof *data);
    if (!data) return tern_nil(a->ctx);
    for (int64_t i = 0; i < a->batch; i++) data[i] = t < a->input_lengths[i];
    return tern_gt_scalar(floats(a, data, TERN_SHAPE(a->batch, 1)), 0.5);
}

/* Log-probability of all ways to be at each place when a sample's sequence ends: [N, places]. */
static tern_tensor *last_states(const alignment *a) {
    int64_t open = a->places < 2 ? a->places : 2;
    tern_tensor *states =
        padded(tern_narrow(tern_select(a->emits, 0, 0), 1, 0, open), 0, a->places - open);
    for (int64_t t = 1; t < a->steps; t++) {
        tern_tensor *terms[] = {states, moved(a, states, 1),
                                tern_add(moved(a, states, 2), a->skips)};
        tern_tensor *next = tern_add(log_sum(terms, 3), tern_select(a->emits, 0, t));
        states = tern_where(running(a, t), next, states);
    }
    return states;
}

/* A path ends at the last label or at the blank after it; without labels, at the blank alone. A
 * sequence of no steps has one path to no labels, and none to any. */
static tern_tensor *path_losses(const alignment *a, tern_tensor *states) {
    int64_t *ends = space(a, a->batch, 2, sizeof *ends);
    float *closed = space(a, a->batch, 1, sizeof *closed);
    float *stepless = space(a, a->batch, 1, sizeof *stepless);
    if (!ends || !closed || !stepless) return tern_nil(a->ctx);
    for (int64_t i = 0; i < a->batch; i++) {
        ends[2 * i] = 2 * a->target_lengths[i];
        ends[2 * i + 1] = a->target_lengths[i] ? ends[2 * i] - 1 : 0;
        closed[i] = a->target_lengths[i] ? 0.0f : (float)NEVER;
        stepless[i] = a->target_lengths[i] ? (float)-NEVER : 0.0f;
    }
    tern_tensor *both = tern_gather(states, 1, indices(a, ends, TERN_SHAPE(a->batch, 2)));
    tern_tensor *terms[] = {
        tern_select(both, 1, 0),
        tern_add(tern_select(both, 1, 1), floats(a, closed, TERN_SHAPE(a->batch)))};
    tern_shape samples = TERN_SHAPE(a->batch);
    return tern_where(tern_reshape(running(a, 0), samples), tern_neg(log_sum(terms, 2)),
                      floats(a, stepless, samples));
}

/* The probabilities of all labels at all steps of each sequence, summed: [N]. */
static tern_tensor *mass_of(const alignment *a) {
    tern_tensor **inside = space(a, a->steps, 1, sizeof *inside);
    if (!inside) return tern_nil(a->ctx);
    for (int64_t t = 0; t < a->steps; t++) inside[t] = running(a, t);
    tern_tensor *mass = tern_exp(a->log_probs);
    mass = tern_where(tern_stack(inside, (int)a->steps, 0), mass, tern_zeros_like(mass));
    return tern_sum_dims(mass, TERN_SHAPE(0, 2), false);
}

/* The loss of samples without a path: infinite, and the gradient of every label within the sequence
 * is NaN, which the infinite slope of a root at 0 makes of the mass; with zero_infinity both are 0. */
static tern_tensor *without_path(const alignment *a, tern_tensor *mass, tern_tensor *lost) {
    if (a->zero_infinity) return tern_zeros_like(mass);
    tern_tensor *ones = tern_ones_like(mass);
    tern_tensor *nothing = tern_where(lost, tern_mul_scalar(mass, 0.0), ones);
    return tern_div(ones, tern_sqrt(nothing));
}

static tern_tensor *reduced(const alignment *a, tern_tensor *losses) {
    if (a->reduction != TERN_MEAN) return tern_reduce_loss(losses, a->reduction);
    float *lengths = space(a, a->batch, 1, sizeof *lengths);
    if (!lengths) return tern_nil(a->ctx);
    for (int64_t i = 0; i < a->batch; i++)
        lengths[i] = a->target_lengths[i] > 0 ? (float)a->target_lengths[i] : 1.0f;
    return tern_mean(tern_div(losses, floats(a, lengths, TERN_SHAPE(a->batch))));
}

/* (log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity) */
tern_value tern_op_ctc_loss(tern_opcall *call) {
    alignment a = {.call = call, .ctx = call->ctx, .log_probs = tern_arg_tensor(call, 0)};
    tern_tensor *targets = tern_arg_tensor(call, 1);
    bool single = tern_rank(a.log_probs) == 2;
    a.blank = tern_arg_int(call, 4, 0);
    a.zero_infinity = tern_arg_bool(call, 6, false);
    if (!tern_reduction_argument(call, 5, &a.reduction)) return tern_none();
    if (single) a.log_probs = tern_unsqueeze(a.log_probs, 1);
    if (single && tern_rank(targets) == 1) targets = tern_unsqueeze(targets, 0);
    if (!read_call(&a, targets)) return tern_none();
    tern_tensor *losses = path_losses(&a, last_states(&a));
    tern_tensor *lost = tern_gt_scalar(tern_detach(losses), NO_PATH);
    /* PyTorch's gradient is that of unnormalised log-probabilities: that of the mass is added. */
    tern_tensor *mass = mass_of(&a);
    tern_tensor *found = tern_add(losses, tern_sub(mass, tern_detach(mass)));
    losses = tern_where(lost, without_path(&a, mass, lost), found);
    tern_tensor *result = reduced(&a, losses);
    return tern_result(call, single && a.reduction == TERN_NO_REDUCTION ? tern_squeeze(result, 0)
                                                                        : result);
}
