/*
 * tern/optim.h: optimizers (torch.optim), learning-rate schedulers and gradient clipping.
 *
 *     tern_optim *sgd = tern_optim_new(model, "SGD(lr=0.01, momentum=0.9)");
 *
 *     tern_sgd_options o = TERN_SGD_OPTIONS;                      the same, typed
 *     o.lr = 0.01;
 *     o.momentum = 0.9;
 *     tern_optim *sgd = tern_sgd_new(ctx, tern_module_parameters(model), &o);
 *
 * An optimizer dies with the scope it was made in, and its state with it. The parameters must live as long as
 * the optimizer. Constructors latch an error and return NULL; given a NULL optimizer or scheduler, a function
 * does nothing (and returns TERN_ERR_ARGUMENT if it returns a status). A NULL text or array latches an error.
 *
 * Results match PyTorch's: operations are in the order of its per-tensor CPU loop.
 */
#ifndef TERN_OPTIM_H
#define TERN_OPTIM_H

#include "tern/describe.h"
#include "tern/nn.h"
#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_optim tern_optim;

/* ---- making -------------------------------------------------------------------------------------
 *
 * `params` is PyTorch's first argument: a list of tensors, an ordered dict of them (their names are kept as
 * param_names), or a list of dicts, one per group: {"params": [...], "lr": 0.1}, whose other entries override
 * the options. */

/* Makes an optimizer of a module's parameters from PyTorch's notation, without params: "SGD(lr=0.01)". */
TERN_API tern_optim *tern_optim_new(tern_module *module, const char *text);

/* Makes an optimizer by its name ("SGD") with named arguments (a dict, or none). */
TERN_API tern_optim *tern_optim_make(tern_ctx *ctx, tern_value params, const char *name,
                                     tern_value args);

/* add_param_group({"params": [...], ...}). */
TERN_API tern_status tern_optim_add_group(tern_optim *optim, tern_value group);

/* Ends the optimizer's lifetime before its scope ends. NULL is allowed. */
TERN_API void tern_optim_free(tern_optim *optim);

/* ---- using ----------------------------------------------------------------------------------- */

/* zero_grad(): gradients become none. */
TERN_API tern_status tern_optim_zero_grad(tern_optim *optim);

/*
 * step(): allocates everything it needs before it writes, so that on failure no parameter has changed. All
 * parameters with the same dtype, device and variant of the update are written in one launch. Does not wait
 * for the device. If the device has met an error (a bad index) that it has not reported yet, it skips the
 * step: when the error surfaces, parameters, state and step counts are those before the first skipped step.
 *
 * float16 and bfloat16 are computed in float32 and rounded once per step, as with PyTorch's fused=True.
 * Parameters without a gradient are skipped. State follows a parameter that has moved to another device. An
 * error for LBFGS, which needs a closure.
 */
TERN_API tern_status tern_optim_step(tern_optim *optim);

/* Evaluates the model: clears gradients, computes the loss in the scope that is open when it is called, calls
 * tern_backward on it and returns it. Gradients are enabled. */
typedef tern_tensor *(*tern_optim_closure)(void *user);

/*
 * step(closure): LBFGS calls the closure as often as it needs, other optimizers once before their step. The
 * loss of the first call is written to *out_loss, which may be NULL (optimizers other than LBFGS then do not
 * wait for it). LBFGS changes the parameters between calls, so its step is not all or nothing: if the closure
 * fails, the parameters keep the values that they had in that call.
 */
TERN_API tern_status tern_optim_step_closure(tern_optim *optim, tern_optim_closure closure,
                                             void *user, double *out_loss);

/* ---- groups ---------------------------------------------------------------------------------- */

/* The context that the optimizer was made in. */
TERN_API tern_ctx *tern_optim_context(const tern_optim *optim);

/* "SGD" */
TERN_API const char *tern_optim_name(const tern_optim *optim);

/* len(optimizer.param_groups). */
TERN_API size_t tern_optim_group_count(const tern_optim *optim);

/* param_groups[group]["lr"]: none if there is no such group or option. */
TERN_API tern_value tern_optim_get(const tern_optim *optim, size_t group, const char *option);

/* param_groups[group]["lr"] = value; checked as in the constructor. */
TERN_API tern_status tern_optim_set(tern_optim *optim, size_t group, const char *option,
                                    tern_value value);

/* The index-th parameter, counted over all groups in order; NULL past the end. */
TERN_API tern_tensor *tern_optim_parameter(const tern_optim *optim, size_t index);

/* state[parameter]["momentum_buffer"]: the tensor itself, or NULL if there is none (yet). The count "step" is
 * returned as a new 0-dim float32 tensor in the open scope. */
TERN_API tern_tensor *tern_optim_state(const tern_optim *optim, size_t parameter, const char *name);

/* ---- state ----------------------------------------------------------------------------------- */

/* state_dict(): {'state': {0: {...}}, 'param_groups': [{..., 'params': [0, 1]}]}; its tensors share storage
 * with the optimizer's. */
TERN_API tern_value tern_optim_state_dict(tern_optim *optim);

/* load_state_dict(): replaces options and state, all or nothing; tensors are copied to their parameter's
 * dtype and device. */
TERN_API tern_status tern_optim_load_state_dict(tern_optim *optim, tern_value state);

/* What Python's print(optimizer) shows, without the last newline. Returns the length like snprintf. */
TERN_API size_t tern_optim_repr(const tern_optim *optim, char *out_text, size_t size);

/* The same as text of the open scope; "" on failure. */
TERN_API const char *tern_optim_repr_text(const tern_optim *optim);

/* ---- the optimizers: NULL options are PyTorch's defaults ----------------------------------------
 *
 * foreach, fused, capturable and differentiable choose between PyTorch's implementations; they are
 * kept for state dicts and change nothing here.
 */

/* torch.optim.SGD: g + wd p; momentum buffer m b + (1 - dampening) g; p - lr m. */
typedef struct tern_sgd_options {
    size_t size;
    double lr, momentum, dampening, weight_decay;
    bool nesterov, maximize;
    tern_optional_bool foreach;
    bool differentiable;
    tern_optional_bool fused;
} tern_sgd_options;
#define TERN_SGD_OPTIONS                                                                           \
    {                                                                                              \
        sizeof(tern_sgd_options), 1e-3, 0, 0, 0, false, false, {false, false}, false, {            \
            false, false                                                                           \
        }                                                                                          \
    }

/* SGD over a list of parameters or of groups; NULL options are the defaults, here and below. */
TERN_API tern_optim *tern_sgd_new(tern_ctx *ctx, tern_value params,
                                  const tern_sgd_options *options);

/* torch.optim.Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), which decouples the weight
 * decay. Both use the same struct of options; their initialisers differ in weight_decay and
 * decoupled_weight_decay. */
typedef struct tern_adam_options {
    size_t size;
    double lr;
    tern_pair betas;
    double eps, weight_decay;
    bool amsgrad, maximize;
    tern_optional_bool foreach;
    bool capturable, differentiable;
    tern_optional_bool fused;
    bool decoupled_weight_decay;
} tern_adam_options;
typedef tern_adam_options tern_adamw_options;
#define TERN_ADAM_OPTIONS                                                                          \
    {                                                                                              \
        sizeof(tern_adam_options), 1e-3, {0.9, 0.999}, 1e-8, 0, false, false, {false, false},      \
            false, false, {false, false}, false                                                    \
    }
#define TERN_ADAMW_OPTIONS                                                                         \
    {                                                                                              \
        sizeof(tern_adamw_options), 1e-3, {0.9, 0.999}, 1e-8, 1e-2, false, false, {false, false},  \
            false, false, {false, false}, true                                                     \
    }

/* Adam over a list of parameters or of groups. */
TERN_API tern_optim *tern_adam_new(tern_ctx *ctx, tern_value params,
                                   const tern_adam_options *options);

/* AdamW over a list of parameters or of groups. */
TERN_API tern_optim *tern_adamw_new(tern_ctx *ctx, tern_value params,
                                    const tern_adamw_options *options);

/* torch.optim.RMSprop (Hinton's lecture; centered: Graves 2013). */
typedef struct tern_rmsprop_options {
    size_t size;
    double lr, alpha, eps, weight_decay, momentum;
    bool centered, capturable;
    tern_optional_bool foreach;
    bool maximize, differentiable;
} tern_rmsprop_options;
#define TERN_RMSPROP_OPTIONS                                                                       \
    {                                                                                              \
        sizeof(tern_rmsprop_options), 1e-2, 0.99, 1e-8, 0, 0, false, false, {false, false}, false, \
            false                                                                                  \
    }

/* RMSprop over a list of parameters or of groups. */
TERN_API tern_optim *tern_rmsprop_new(tern_ctx *ctx, tern_value params,
                                      const tern_rmsprop_options *options);

/* torch.optim.Adagrad (Duchi, Hazan and Singer 2011). */
typedef struct tern_adagrad_options {
    size_t size;
    double lr, lr_decay, weight_decay, initial_accumulator_value, eps;
    tern_optional_bool foreach;
    bool maximize, differentiable;
    tern_optional_bool fused;
} tern_adagrad_options;
#define TERN_ADAGRAD_OPTIONS                                                                       \
    {                                                                                              \
        sizeof(tern_adagrad_options), 1e-2, 0, 0, 0, 1e-10, {false, false}, false, false, {        \
            false, false                                                                           \
        }                                                                                          \
    }

/* Adagrad over a list of parameters or of groups. */
TERN_API tern_optim *tern_adagrad_new(tern_ctx *ctx, tern_value params,
                                      const tern_adagrad_options *options);

/* torch.optim.Adafactor (Shazeer and Stern 2018): keeps only the row and column means of a matrix's squared
 * gradients. If eps.first is none, it is the dtype's machine epsilon. */
typedef struct tern_adafactor_options {
    size_t size;
    double lr, beta2_decay;
    tern_optional_pair eps;
    double d, weight_decay;
    tern_optional_bool foreach;
    bool maximize;
} tern_adafactor_options;
#define TERN_ADAFACTOR_OPTIONS                                                                     \
    {                                                                                              \
        sizeof(tern_adafactor_options), 1e-2, -0.8, {{false, 0}, 1e-3}, 1.0, 0, {false, false},    \
            false                                                                                  \
    }

/* Adafactor over a list of parameters or of groups. */
TERN_API tern_optim *tern_adafactor_new(tern_ctx *ctx, tern_value params,
                                        const tern_adafactor_options *options);

/* torch.optim.Muon (Jordan 2024): momentum orthogonalized by Newton-Schulz iteration; only for parameters
 * with two dimensions. adjust_lr_fn: "original" (NULL), "match_rms_adamw" or "spectral_unclamped". */
typedef struct tern_muon_options {
    size_t size;
    double lr, weight_decay, momentum;
    bool nesterov;
    tern_triple ns_coefficients;
    double eps;
    int64_t ns_steps;
    const char *adjust_lr_fn;
} tern_muon_options;
#define TERN_MUON_OPTIONS                                                                          \
    { sizeof(tern_muon_options), 1e-3, 0.1, 0.95, true, {3.4445, -4.775, 2.0315}, 1e-7, 5, NULL }

/* Muon over a list of parameters or of groups. */
TERN_API tern_optim *tern_muon_new(tern_ctx *ctx, tern_value params,
                                   const tern_muon_options *options);

/* torch.optim.LBFGS (Liu and Nocedal 1989), one group of parameters of one dtype on one device; stepped with
 * tern_optim_step_closure. If max_eval is none, it is max_iter * 5 / 4. line_search_fn: NULL, or
 * "strong_wolfe" (Nocedal and Wright 2006, algorithms 3.5 and 3.6). */
typedef struct tern_lbfgs_options {
    size_t size;
    double lr;
    int64_t max_iter;
    tern_optional_int max_eval;
    double tolerance_grad, tolerance_change;
    int64_t history_size;
    const char *line_search_fn;
} tern_lbfgs_options;
#define TERN_LBFGS_OPTIONS                                                                         \
    { sizeof(tern_lbfgs_options), 1.0, 20, {false, 0}, 1e-7, 1e-9, 100, NULL }

/* LBFGS over a list of parameters. */
TERN_API tern_optim *tern_lbfgs_new(tern_ctx *ctx, tern_value params,
                                    const tern_lbfgs_options *options);

/* The name of the index-th optimizer, NULL past the end. Those without a function of their own here (Adadelta,
 * Adamax, NAdam, RAdam, ASGD, Rprop) are made by tern_optim_new or tern_optim_make. Only SparseAdam is missing,
 * since Tern has no sparse gradients. */
TERN_API const char *tern_optim_name_at(size_t index);

/* ---- gradient clipping (torch.nn.utils) ------------------------------------------------------ */

/*
 * clip_grad_norm_: scales the gradients of a list of parameters so that their total norm is at most max_norm;
 * norm_type is 2 by default; INFINITY means the largest absolute value. Returns the norm before clipping
 * (0-dim), or nil after latching an error. With error_if_nonfinite, a norm that is NaN or infinite is an
 * error.
 */
TERN_API tern_tensor *tern_clip_grad_norm(tern_ctx *ctx, tern_value params, double max_norm,
                                          double norm_type, bool error_if_nonfinite);

/* get_total_norm of a list of tensors. */
TERN_API tern_tensor *tern_total_norm(tern_ctx *ctx, tern_value tensors, double norm_type,
                                      bool error_if_nonfinite);

/* clip_grad_value_: clamps every gradient to [-clip_value, clip_value]. */
TERN_API tern_status tern_clip_grad_value(tern_ctx *ctx, tern_value params, double clip_value);

/* ---- schedulers (torch.optim.lr_scheduler) ------------------------------------------------------
 *
 * A scheduler dies with the scope it was made in; its optimizer must live as long. As in PyTorch, making it
 * takes the first step: it sets the optimizer's learning rate to that of epoch 0. Learning rates follow
 * PyTorch's chainable formulas, computed in double. */
typedef struct tern_sched tern_sched;

/* Makes a scheduler from PyTorch's notation: "StepLR(step_size=3, gamma=0.1)", "SequentialLR([ConstantLR(0.1), ExponentialLR(0.9)], [3])",
 * "LambdaLR('0.95 ** epoch')": lr_lambda is a formula in `epoch`. */
TERN_API tern_sched *tern_sched_new(tern_optim *optim, const char *text);

/* Makes a scheduler by its name ("StepLR") with named arguments (a dict, or none); inner schedulers are dicts
 * {"name": name, "args": dict}. */
TERN_API tern_sched *tern_sched_make(tern_optim *optim, const char *name, tern_value args);

/* StepLR: times gamma every step_size epochs. */
TERN_API tern_sched *tern_step_lr_new(tern_optim *optim, int64_t step_size, double gamma);

/* MultiStepLR: times gamma at each of the epochs in `milestones`. */
TERN_API tern_sched *tern_multi_step_lr_new(tern_optim *optim, const int64_t *milestones,
                                            size_t count, double gamma);

/* ExponentialLR: times gamma at every epoch. */
TERN_API tern_sched *tern_exponential_lr_new(tern_optim *optim, double gamma);

/* LinearLR: a factor that goes from start_factor to end_factor in total_iters epochs. */
TERN_API tern_sched *tern_linear_lr_new(tern_optim *optim, double start_factor, double end_factor,
                                        int64_t total_iters);

/* CosineAnnealingLR: a cosine from the initial learning rate to eta_min in t_max epochs, and back. */
TERN_API tern_sched *tern_cosine_annealing_lr_new(tern_optim *optim, int64_t t_max, double eta_min);

/* OneCycleLR: up to max_lr and down again in total_steps batches. */
TERN_API tern_sched *tern_one_cycle_lr_new(tern_optim *optim, double max_lr, int64_t total_steps);

/* LambdaLR with a C function that returns the factor on the initial learning rate at an epoch. */
typedef double (*tern_lr_lambda)(int64_t epoch, void *user);

/* LambdaLR(optimizer, lambda); `user` is passed to it. */
TERN_API tern_sched *tern_lambda_lr_new(tern_optim *optim, tern_lr_lambda lambda, void *user);

/* ReduceLROnPlateau(optimizer, mode, factor, patience); for its other arguments use tern_sched_new. */
TERN_API tern_sched *tern_reduce_lr_on_plateau_new(tern_optim *optim, const char *mode,
                                                   double factor, int64_t patience);

/* step(): call it after the optimizer's step, once per epoch (OneCycleLR and CyclicLR: once per batch). If the
 * first one comes before the optimizer's, a warning is written to the log (tern_on_log). */
TERN_API tern_status tern_sched_step(tern_sched *sched);

/* step(metric) of ReduceLROnPlateau; other schedulers ignore the metric. */
TERN_API tern_status tern_sched_step_metric(tern_sched *sched, double metric);

/* get_last_lr()[group]; NaN if there is no such group. */
TERN_API double tern_sched_last_lr(const tern_sched *sched, size_t group);

/* state_dict(): all attributes but the optimizer. */
TERN_API tern_value tern_sched_state_dict(tern_sched *sched);

/* load_state_dict(state): a state of another class of scheduler is an error and changes nothing. */
TERN_API tern_status tern_sched_load_state_dict(tern_sched *sched, tern_value state);

/* Ends the scheduler's lifetime before its scope ends. NULL is allowed. */
TERN_API void tern_sched_free(tern_sched *sched);

/* The index-th scheduler's name, NULL past the end. */
TERN_API const char *tern_sched_name_at(size_t index);

#ifdef __cplusplus
}
#endif

#endif
