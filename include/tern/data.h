/*
 * tern/data.h: datasets, samplers, the loader of batches and what is measured on them
 * (torch.utils.data).
 *
 *     tern_tensor *both[] = {images, labels};
 *     tern_dataset *data = tern_tensor_dataset_new(ctx, both, 2);
 *     tern_loader_options o = TERN_LOADER_OPTIONS;
 *     o.batch_size = 64;
 *     o.shuffle = true;
 *     tern_loader *loader = tern_loader_new(data, &o);
 *     tern_loader_begin(loader);                                  for images, labels in loader:
 *     for (;;) {
 *         tern_scope s = tern_scope_begin(ctx, 0);
 *         tern_tensor *batch[2];
 *         bool more = tern_loader_next(loader, batch);
 *         ...
 *         tern_scope_end(s);
 *         if (!more) break;
 *     }
 *
 * Samples lie in host memory and are stacked there; a batch goes to the context's default device.
 * For one seed the order is PyTorch's, and a program's later draws are the same too: each function
 * says what it draws. Objects die with the scope they were made in, and what they refer to must
 * live as long. Constructors latch an error and return NULL. NULL is taken everywhere: a dataset,
 * sampler or loader that is NULL is empty (verbs return TERN_ERR_ARGUMENT), an array that is NULL is
 * an error that is latched.
 */
#ifndef TERN_DATA_H
#define TERN_DATA_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- datasets -------------------------------------------------------------------------------- */

/* The largest number of tensors in one sample. */
#define TERN_MAX_FIELDS 8

/* One tensor of a sample: an image's shape [1, 28, 28], a label's []; of rank 15 at most. */
typedef struct tern_sample_field {
    tern_dtype dtype;
    tern_shape shape;
} tern_sample_field;

typedef struct tern_dataset tern_dataset;

/*
 * Dataset.__getitem__: writes sample `index`, row-major, to the memory of each field. Called from
 * several threads at once where a loader has workers: it must not touch a context. False where the
 * sample cannot be had.
 */
typedef bool (*tern_sample_fn)(void *user, int64_t index, void *const *out_fields);

/* A dataset of a program's own, of `length` samples; `user` must live as long. */
TERN_API tern_dataset *tern_dataset_new(tern_ctx *ctx, int64_t length,
                                        const tern_sample_field *fields, int n_fields,
                                        tern_sample_fn get, void *user);

/* TensorDataset(*tensors): sample i is the i-th slice of each along the first dimension, whose size
 * is the same for all. The elements are copied to the host. */
TERN_API tern_dataset *tern_tensor_dataset_new(tern_ctx *ctx, tern_tensor *const *tensors,
                                               int n_tensors);

/* Subset(dataset, indices): the indices are copied and checked. */
TERN_API tern_dataset *tern_subset_new(tern_dataset *dataset, const int64_t *indices, size_t count);

/*
 * random_split(dataset, lengths, generator): lengths are counts that sum to the dataset's, or
 * fractions that sum to 1 (rounded down, what remains goes one each from the first on). Draws one
 * randperm of the dataset's length; `generator` NULL is the context's. Writes `count` subsets.
 */
TERN_API tern_status tern_random_split(tern_dataset *dataset, const double *lengths, size_t count,
                                       tern_generator *generator, tern_dataset **out_parts);

/* len(dataset); 0 for NULL. */
TERN_API int64_t tern_dataset_length(const tern_dataset *dataset);

/*
 * A dataset whose samples are `dataset`'s with one field changed: torchvision.transforms, in its
 * notation, one transform or several:
 *
 *     "Compose([RandomCrop(28, padding=4), RandomHorizontalFlip(), ToTensor(), Normalize(0.29, 0.35)])"
 *
 *     ToTensor()                          [H, W] or [H, W, C] to [1, H, W] or [C, H, W]; uint8 to
 *                                         float32 within [0, 1], other dtypes stay
 *     ConvertImageDtype(dtype)            to torch.float32, integers divided by their greatest value
 *     Normalize(mean, std)                (x - mean) / std of float32 [..., C, H, W], for each of C
 *     RandomHorizontalFlip(p=0.5), RandomVerticalFlip(p=0.5)
 *     RandomCrop(size, padding=0)         of a side or (height, width); zeros around it first
 *     CenterCrop(size)
 *
 * Flips and crops work on the last two dimensions. What is random depends on the loader's seed and
 * the sample's place in the epoch alone: it is the same with and without workers and for any batch
 * size, though not PyTorch's. tern_dataset_get draws 64 bits where a transform is random. NULL after
 * latching an error, which names the transform.
 */
TERN_API tern_dataset *tern_transformed_new(tern_dataset *dataset, int field,
                                            const char *transforms);

/* How many tensors a sample has, and the index-th; false outside. */
TERN_API int tern_dataset_field_count(const tern_dataset *dataset);
TERN_API bool tern_dataset_field(const tern_dataset *dataset, int index,
                                 tern_sample_field *out_field);

/* Subset.indices, into the dataset that it is of; NULL where the dataset is no subset. */
TERN_API const int64_t *tern_subset_indices(const tern_dataset *dataset);

/* dataset[index]: a tensor for each field, in the open scope; TERN_ERR_INDEX outside. */
TERN_API tern_status tern_dataset_get(tern_dataset *dataset, int64_t index,
                                      tern_tensor **out_tensors);

/* ---- samplers -------------------------------------------------------------------------------- */

typedef struct tern_sampler tern_sampler;

/* SequentialSampler: 0, 1, ..., length - 1. Draws nothing. */
TERN_API tern_sampler *tern_sequential_sampler_new(tern_ctx *ctx, int64_t length);

/*
 * RandomSampler(range(length), replacement, num_samples, generator); num_samples 0 is the length.
 * With generator NULL each epoch draws a seed (64 bits) from the context's generator and the rest
 * from a generator of that seed. Without replacement: whole permutations, and one more that is cut
 * to what is left, even to nothing.
 */
TERN_API tern_sampler *tern_random_sampler_new(tern_ctx *ctx, int64_t length, bool replacement,
                                               int64_t num_samples, tern_generator *generator);

/* SubsetRandomSampler(indices, generator): the indices in the order of one randperm. */
TERN_API tern_sampler *tern_subset_random_sampler_new(tern_ctx *ctx, const int64_t *indices,
                                                      size_t count, tern_generator *generator);

/* WeightedRandomSampler(weights, num_samples, replacement, generator): one multinomial of float64
 * weights, which need not sum to 1. */
TERN_API tern_sampler *tern_weighted_random_sampler_new(tern_ctx *ctx, const double *weights,
                                                        size_t count, int64_t num_samples,
                                                        bool replacement,
                                                        tern_generator *generator);

/* len(sampler); 0 for NULL. */
TERN_API int64_t tern_sampler_length(const tern_sampler *sampler);

/* list(sampler): one epoch, exactly tern_sampler_length indices. */
TERN_API tern_status tern_sampler_draw(tern_sampler *sampler, int64_t *out_indices);

/* len(BatchSampler): batches of `length` indices, the short one at the end dropped or not. */
TERN_API int64_t tern_batch_count(int64_t length, int64_t batch_size, bool drop_last);

/* ---- the loader ------------------------------------------------------------------------------ */

/*
 * DataLoader's arguments. `sampler` (then shuffle must be false) and `generator` may be NULL.
 * num_workers threads stack batches ahead of the program, prefetch_factor each; batches come in the
 * same order and with the same numbers as without.
 */
typedef struct tern_loader_options {
    size_t size;
    int64_t batch_size;
    bool shuffle, drop_last;
    int num_workers, prefetch_factor;
    tern_sampler *sampler;
    tern_generator *generator;
} tern_loader_options;
#define TERN_LOADER_OPTIONS                                                                        \
    { sizeof(tern_loader_options), 1, false, false, 0, 2, NULL, NULL }

typedef struct tern_loader tern_loader;

/* DataLoader(dataset, ...): NULL options are the defaults. */
TERN_API tern_loader *tern_loader_new(tern_dataset *dataset, const tern_loader_options *options);

/* len(loader) */
TERN_API int64_t tern_loader_length(const tern_loader *loader);

/* iter(loader): starts an epoch. Draws 64 bits (PyTorch's base seed) from the generator, always;
 * with workers the sampler draws here too, otherwise at the first batch. */
TERN_API tern_status tern_loader_begin(tern_loader *loader);

/* The next batch: a tensor for each field, [samples, ...], in the open scope. False at the end of
 * the epoch, without tern_loader_begin, and after latching an error. */
TERN_API bool tern_loader_next(tern_loader *loader, tern_tensor **out_batch);

/* The indices of the batch that came last, valid until the next. */
TERN_API const int64_t *tern_loader_indices(const tern_loader *loader, size_t *out_count);

/* Ends the workers before the loader's scope ends. NULL is fine. */
TERN_API void tern_loader_stop(tern_loader *loader);

/* ---- metrics: scores [N, C] of any dtype, target [N] of class indices ------------------------ */

/* The share of rows whose target is among the k greatest scores (of equal ones the first count;
 * a NaN is never right). NaN after latching an error, and for no rows. */
TERN_API double tern_topk_accuracy(tern_tensor *scores, tern_tensor *target, int64_t k);

/* The same for k = 1. */
TERN_API double tern_accuracy(tern_tensor *scores, tern_tensor *target);

/* int64 [C, C]: how many rows of each class (row) were taken for each class (column): the first
 * of the greatest scores. Nil after latching an error. */
TERN_API tern_tensor *tern_confusion_matrix(tern_tensor *scores, tern_tensor *target);

#ifdef __cplusplus
}
#endif

#endif
