/*
 * tern/replay.h: a loop body with fixed shapes, recorded once and replayed.
 *
 *     tern_tensor *inputs[] = {x, y}, *loss = NULL;
 *     tern_capture_begin(ctx, inputs, 2);
 *     tern_scope s = tern_scope_begin(ctx, 0);
 *     tern_optim_zero_grad(optim);
 *     loss = tern_mse_loss(tern_forward(model, x), y);
 *     tern_backward(loss);
 *     tern_optim_step(optim);
 *     tern_replay *step = tern_capture_end(ctx, &loss, 1);      the body has run once
 *     tern_scope_end(s);
 *     while (next_batch(inputs)) tern_replay_run(step, inputs, 2);
 *     printf("%g\n", tern_item(tern_replay_output(step, 0)));
 *
 * This is what torch.cuda.graph and torch.cuda.CUDAGraph.replay do, for every device. While it is captured,
 * the body runs as usual. A replay launches the same kernels without deciding anything
 * again: its results equal those of the body, bit for bit. Memory between the launches is assigned once, in
 * one block, and kept small: what nobody reads is not computed, launches come in an order that frees memory
 * early, and what is cheap and large is computed twice rather than kept, for at most a tenth of the work. Element-wise
 * launches in a row are one, and behind a product or a convolution part of that, where the device can.
 *
 * WHAT A REPLAY DOES AGAIN. It reads the inputs that it is given. Everything else that the body read is read
 * where it was: parameters, buffers and other tensors from outside. It writes parameters, buffers, optimizer
 * state and .grad as the body did, draws the same kinds of random numbers from the same generators, and
 * repeats what the library does on the host besides: an optimizer's step count and learning rate, a
 * scheduler's step. It does not call functions of the program (a hook, a callback), and ordinary C variables
 * that the body read are constants.
 *
 * A loss that looks whether its input is in order (binary_cross_entropy, gaussian_nll_loss) looks in each run,
 * waits for the device to do so, and ends the run there with its error.
 *
 * WHAT CANNOT BE CAPTURED. A body that reads a value (tern_item, tern_to_host, operations whose shape depends
 * on values), takes data from the host, uses more than one device, makes optimizer state (run one step before
 * capturing), adds to a .grad that did not exist before, or computes a gradient of a gradient into .grad.
 * tern_capture_refusal tells the reason while the body is running; it runs on as usual.
 */
#ifndef TERN_REPLAY_H
#define TERN_REPLAY_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A captured body; a handle in the scope that was open when capturing began. */
typedef struct tern_replay tern_replay;

/*
 * From now on, what the context launches is recorded. `inputs` are the tensors that differ from run to run: no
 * two may share memory unless they are the same tensor, and none may require a gradient. The replay uses the
 * device of the inputs, or without inputs the context's default device. An error is latched if a capture is under way already.
 */
TERN_API tern_status tern_capture_begin(tern_ctx *ctx, tern_tensor *const *inputs, size_t n_inputs);

/* Why what has run so far cannot be replayed; NULL if it can, or if nothing is captured. */
TERN_API const char *tern_capture_refusal(const tern_ctx *ctx);

/* Ends the recording. `outputs` are the tensors whose values the program wants after each run. NULL after
 * latching TERN_ERR_UNSUPPORTED with the reason if the body cannot be replayed. */
TERN_API tern_replay *tern_capture_end(tern_ctx *ctx, tern_tensor *const *outputs,
                                       size_t n_outputs);

/* Ends the recording without a replay. Nothing happens if nothing is captured. */
TERN_API void tern_capture_cancel(tern_ctx *ctx);

/*
 * Runs the body with these inputs, which have the shapes, strides, dtypes and device of those that were
 * captured. Nothing is launched, and TERN_ERR_ARGUMENT or TERN_ERR_STATE is latched with the reason, if they
 * have not, if a parameter has other memory than it had (after tern_module_to, say), or if an optimizer's
 * options now call for another kind of update.
 */
TERN_API tern_status tern_replay_run(tern_replay *replay, tern_tensor *const *inputs,
                                     size_t n_inputs);

/* Output number `index`, as it was given to tern_capture_end: a tensor of the replay's own without history,
 * whose values each run replaces. nil for an index that is too large. */
TERN_API tern_tensor *tern_replay_output(const tern_replay *replay, size_t index);

/* What a replay consists of. */
typedef struct tern_replay_info {
    size_t launches;          /* a run's */
    size_t captured_launches; /* the body's, of which some were merged or left out */
    size_t repeated_launches; /* of a run's: done twice rather than keeping the result */
    size_t draws;             /* tensors of random numbers that a run draws */
    size_t cells;             /* numbers that the host works out before each run: learning rates */
    uint64_t block_bytes;     /* memory for what lives between two launches of a run */
    uint64_t captured_bytes;  /* the sum of the tensors that lie in it */
    uint64_t kept_bytes;      /* of outputs, gradients and constants that a replay keeps */
} tern_replay_info;

/* The replay's counts; all 0 for NULL. */
TERN_API tern_replay_info tern_replay_describe(const tern_replay *replay);

/* Frees the replay and what it keeps. NULL is allowed. */
TERN_API void tern_replay_free(tern_replay *replay);

/* ---- for what keeps counts on the host (optimizers, schedulers) ----
 *
 * Whoever changes something on the host in a step, and does so outside of tensors, says it while the step is
 * captured: an action is then called in each run, in the order of the body.
 */

/* Called with what the owner keeps. Latches what it returns. */
typedef tern_status (*tern_action_fn)(void *kept);

/* True between tern_capture_begin and its end. */
TERN_API bool tern_is_capturing(const tern_ctx *ctx);

/* Zeroed memory that lives as long as the replay. Numbers in it that an update takes (tern/update.h) are
 * cells: a run reads them anew, after all actions. NULL if nothing is captured, and after latching. */
TERN_API void *tern_capture_keep(tern_ctx *ctx, size_t bytes);

/* `before` is called before a run's first launch, `after` behind its last one, and instead of that `undo`, the
 * last action's first, if a launch has failed: what `before` counted is taken back. Each may be NULL. Returns OK
 * if nothing is captured. */
TERN_API tern_status tern_capture_action(tern_ctx *ctx, tern_action_fn before, tern_action_fn after,
                                         tern_action_fn undo, void *kept);

/* Says that the body cannot be replayed, and why: a static text that names the function, as in "tern_item
 * reads a value". The first reason counts. */
TERN_API void tern_capture_refuse(tern_ctx *ctx, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
