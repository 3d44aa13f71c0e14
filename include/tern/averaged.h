/*
 * tern/averaged.h: averages of a model's weights over training (torch.optim.swa_utils): stochastic weight
 * averaging (Izmailov et al. 2018) and exponential moving averages. The learning rate for the former is the
 * scheduler "SWALR(swa_lr=0.05, anneal_epochs=10)".
 *
 *     tern_module *ema = tern_averaged_ema(model, 0.999, false);
 *     ...
 *         tern_optim_step(optimizer);
 *         tern_averaged_update(ema, model);
 *     ...
 *     tern_forward(ema, x);
 */
#ifndef TERN_AVERAGED_H
#define TERN_AVERAGED_H

#include "tern/data.h"
#include "tern/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * AveragedModel(model): a module in the open scope. It holds a deep copy of the model as "module", and the
 * number of updates so far as the buffer "n_averaged"; the keys of its state dict are PyTorch's. tern_forward runs
 * the copy, which is tern_module_get(averaged, "module"). With use_buffers the buffers are averaged too;
 * otherwise each update copies the model's buffers. NULL after latching.
 *
 * The first update copies the weights. Later ones, after n updates, set each average to:
 *
 *     tern_averaged_swa    averaged + (current - averaged) / (n + 1)
 *     tern_averaged_ema    decay averaged + (1 - decay) current, by lerp as get_ema_multi_avg_fn
 *     tern_averaged_new    average(averaged, current, n)
 */
TERN_API tern_module *tern_averaged_swa(tern_module *model, bool use_buffers);

/* swa_utils.AveragedModel with get_ema_multi_avg_fn(decay): each
 * weight is decay * averaged + (1 - decay) * current. */
TERN_API tern_module *tern_averaged_ema(tern_module *model, double decay, bool use_buffers);

/* avg_fn: the new average, a tensor of the averaged one's shape. */
typedef tern_tensor *(*tern_average_fn)(tern_tensor *averaged, tern_tensor *current,
                                        int64_t n_averaged, void *user);

/* AveragedModel with a function of your own, which is called for every parameter. */
TERN_API tern_module *tern_averaged_new(tern_module *model, tern_average_fn average, void *user,
                                        bool use_buffers);

/* update_parameters(model): call it after the optimizer's step. On an error no average has changed. The model must
 * have the same parameters as the one that was copied. One launch for all parameters of a dtype and device. */
TERN_API tern_status tern_averaged_update(tern_module *averaged, tern_module *model);

/* update_bn(loader, model): computes the running statistics of all batch norms anew, as means over the batches
 * of the loader. The model runs in training mode on the first tensor of each batch, and is then put back into
 * the mode that it was in. */
TERN_API tern_status tern_update_bn(tern_loader *loader, tern_module *model);

#ifdef __cplusplus
}
#endif

#endif
