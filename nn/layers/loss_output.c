/* loss_output.c: losses that hold their output layer: LinearCrossEntropyLoss and the adaptive softmax
 * (Grave et al. 2017). */
#include <math.h>

#include "layers.h"

typedef struct output_loss {
    tern_module module;
    int64_t in_features, num_classes;
    tern_optional_int ignore_index;
    tern_shape out_features;
    tern_value options;
    tern_int_list cutoffs;
    double label_smoothing, div_value;
    const char *reduction, *device;
    bool bias, head_bias;
    tern_dtype dtype;
    tern_tensor *weight;
    tern_module *linear, *tail;
} output_loss;

static const tern_field fields[] = {
    TERN_FIELD(output_loss, in_features, in_features),
    TERN_FIELD(output_loss, num_classes, num_classes),
    TERN_FIELD(output_loss, n_classes, num_classes),
    TERN_FIELD(output_loss, cutoffs, cutoffs),
    TERN_FIELD(output_loss, ignore_index, ignore_index),
    TERN_FIELD(output_loss, out_features, out_features),
    TERN_FIELD(output_loss, options, options),
    TERN_FIELD(output_loss, label_smoothing, label_smoothing),
    TERN_FIELD(output_loss, div_value, div_value),
    TERN_FIELD(output_loss, reduction, reduction),
    TERN_FIELD(output_loss, device, device),
    TERN_FIELD(output_loss, bias, bias),
    TERN_FIELD(output_loss, head_bias, head_bias),
    TERN_FIELD(output_loss, dtype, dtype),
    TERN_FIELD(output_loss, weight, weight),
    TERN_FIELD_END,
};

static tern_module *linear(tern_module *self, int64_t in, int64_t out, bool bias) {
    tern_linear_options o = TERN_LINEAR_OPTIONS;
    o.bias = bias;
    o.dtype = ((output_loss *)self)->dtype;
    return tern_nn_linear(tern_module_context(self), in, out, &o);
}

/* ---- LinearCrossEntropyLoss: cross_entropy(linear(input), target) ---------------------------- */

static tern_status linear_init(tern_module *self) {
    output_loss *m = (output_loss *)self;
    if (m->out_features.rank > 0 || m->options.kind != TERN_VALUE_NONE)
        return tern_fail(
            tern_module_context(self), TERN_ERR_UNSUPPORTED,
            "LinearCrossEntropyLoss: out_features and options are not supported: leave "
            "them out");
    m->linear =
        tern_module_child(self, "linear", linear(self, m->in_features, m->num_classes, m->bias));
    m->weight = tern_layer_keep(self, "weight", m->weight);
    return TERN_OK;
}

static tern_value linear_call(tern_module *self, const tern_value *args) {
    const output_loss *m = (output_loss *)self;
    tern_value all[] = {tern_tensor_value(tern_forward(m->linear, args[0].as.tensor)), args[1]};
    return tern_nn_operation(
        self,
        m->ignore_index.has
            ? "nn.functional.cross_entropy weight reduction label_smoothing ignore_index"
            : "nn.functional.cross_entropy weight reduction label_smoothing",
        all, 2);
}

const tern_module_class tern_linear_cross_entropy_loss_class = {
    TERN_MODULE_CLASS("LinearCrossEntropyLoss(int in_features, int num_classes, *, "
                      "int[] out_features=(), bool bias=False, str? device=None, "
                      "dtype? dtype=None, str reduction='mean', Tensor? weight=None, "
                      "int? ignore_index=None, float label_smoothing=0.0, any options=None)",
                      output_loss),
    .fields = fields,
    .init = linear_init,
    .call_schema = "forward(Tensor input, Tensor target)",
    .call = linear_call,
    .print = "in_features= num_classes= out_features= bias= $reduction= ignore_index= "
             "label_smoothing= options=",
};

/* ---- AdaptiveLogSoftmaxWithLoss: frequent classes first, the rest in clusters of less width -- */

static bool check_cutoffs(tern_module *self) {
    const output_loss *m = (output_loss *)self;
    int64_t last = 0;
    bool ok = m->cutoffs.count > 0 && m->div_value > 0;
    for (size_t i = 0; i < m->cutoffs.count; i++) {
        ok = ok && m->cutoffs.items[i] > last && m->cutoffs.items[i] < m->num_classes;
        last = m->cutoffs.items[i];
    }
    if (!ok)
        tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                  "AdaptiveLogSoftmaxWithLoss: cutoffs should be a sequence of unique, positive "
                  "integers sorted in an increasing order, where each value is between 1 and "
                  "n_classes-1");
    return ok;
}

static int64_t cutoff(const output_loss *m, size_t index) {
    return index < m->cutoffs.count ? m->cutoffs.items[index] : m->num_classes;
}

static tern_status adaptive_init(tern_module *self) {
    output_loss *m = (output_loss *)self;
    tern_ctx *ctx = tern_module_context(self);
    if (!check_cutoffs(self)) return TERN_ERR_ARGUMENT;
    int64_t head = cutoff(m, 0) + (int64_t)m->cutoffs.count;
    m->linear = tern_module_child(self, "head", linear(self, m->in_features, head, m->head_bias));
    m->tail = tern_module_child(self, "tail", tern_nn_module_list(ctx, NULL, 0));
    for (size_t i = 0; i < m->cutoffs.count; i++) {
        double width = floor((double)m->in_features / pow(m->div_value, (double)(i + 1)));
        tern_module *pair[2];
        pair[0] = linear(self, m->in_features, (int64_t)width, false);
        pair[1] = linear(self, (int64_t)width, cutoff(m, i + 1) - cutoff(m, i), false);
        tern_module_append(m->tail, tern_nn_sequential(ctx, pair, 2));
    }
    return TERN_OK;
}

/* [N, n_classes]: a cluster's classes share the log-probability of its entry in the head. */
static tern_tensor *log_probabilities(const output_loss *m, tern_tensor *input,
                                      tern_tensor **parts) {
    tern_tensor *head = tern_log_softmax(tern_forward(m->linear, input), 1);
    int64_t frequent = cutoff(m, 0);
    parts[0] = tern_narrow(head, 1, 0, frequent);
    for (size_t i = 0; i < m->cutoffs.count; i++) {
        tern_module *cluster = tern_module_child_at(m->tail, i, NULL);
        tern_tensor *within = tern_log_softmax(tern_forward(cluster, input), 1);
        parts[i + 1] = tern_add(within, tern_narrow(head, 1, frequent + (int64_t)i, 1));
    }
    return tern_cat(parts, (int)m->cutoffs.count + 1, 1);
}

/* (log-probability of each target, mean loss); input [N, in_features] or [in_features]. */
static tern_value adaptive_call(tern_module *self, const tern_value *args) {
    const output_loss *m = (output_loss *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_tensor *input = args[0].as.tensor, *target = args[1].as.tensor;
    bool single = tern_rank(input) == 1;
    if ((!single && tern_rank(input) != 2) || tern_rank(target) != tern_rank(input) - 1) {
        tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "AdaptiveLogSoftmaxWithLoss: input of %d and target of %d dimensions: 2 and 1, or "
            "1 and 0, are right",
            tern_rank(input), tern_rank(target));
        return tern_none();
    }
    tern_tensor **parts = tern_scope_alloc(ctx, (m->cutoffs.count + 1) * sizeof *parts);
    if (!parts) return tern_none();
    if (single) {
        input = tern_unsqueeze(input, 0);
        target = tern_unsqueeze(target, 0);
    }
    tern_tensor *all = log_probabilities(m, input, parts);
    tern_tensor *output = tern_squeeze(tern_gather(all, 1, tern_unsqueeze(target, 1)), 1);
    tern_tensor *loss = tern_mean(tern_neg(output));
    tern_value result = tern_tuple_new(ctx);
    tern_list_append(result, tern_tensor_value(single ? tern_squeeze(output, 0) : output));
    tern_list_append(result, tern_tensor_value(loss));
    return result;
}

const tern_module_class tern_adaptive_log_softmax_with_loss_class = {
    TERN_MODULE_CLASS("AdaptiveLogSoftmaxWithLoss(int in_features, int n_classes, int[] cutoffs, "
                      "float div_value=4.0, bool head_bias=False, str? device=None, "
                      "dtype? dtype=None)",
                      output_loss),
    .fields = fields,
    .init = adaptive_init,
    .call_schema = "forward(Tensor input_, Tensor target_)",
    .call = adaptive_call,
};
