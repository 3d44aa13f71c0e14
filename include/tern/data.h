/*
 * tern/data.h: datasets, samplers, the batch loader and metrics (torch.utils.data).
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
 * Samples are kept and stacked in host memory; a batch is copied to the context's default device. For the
 * same seed the order of samples is PyTorch's, and so are the random numbers drawn afterwards: each function
 * documents what it draws. Objects die with the scope they were made in, and whatever they refer to must live
 * as long. Constructors latch an error and return NULL. NULL is accepted everywhere: a NULL dataset, sampler
 * or loader counts as empty (functions that return a status return TERN_ERR_ARGUMENT), a NULL array is an
 * error that is latched.
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

/* One tensor of a sample: an image of shape [1, 28, 28], a label of shape []; rank 15 at most. */
typedef struct tern_sample_field {
    tern_dtype dtype;
    tern_shape shape;
} tern_sample_field;

typedef struct tern_dataset tern_dataset;

/*
 * Dataset.__getitem__: writes sample `index`, row-major, to the memory of each field. If a loader has
 * workers, it is called from several threads at once and must not use a context. Returns false if the sample
 * cannot be read.
 */
typedef bool (*tern_sample_fn)(void *user, int64_t index, void *const *out_fields);

/* A dataset of your own with `length` samples; `user` must live as long as the dataset. */
TERN_API tern_dataset *tern_dataset_new(tern_ctx *ctx, int64_t length,
                                        const tern_sample_field *fields, int n_fields,
                                        tern_sample_fn get, void *user);

/* TensorDataset(*tensors): sample i is the i-th slice of each tensor along the first dimension, whose size
 * must be the same for all. The elements are copied to the host. */
TERN_API tern_dataset *tern_tensor_dataset_new(tern_ctx *ctx, tern_tensor *const *tensors,
                                               int n_tensors);

/* Subset(dataset, indices): the indices are copied and checked. */
TERN_API tern_dataset *tern_subset_new(tern_dataset *dataset, const int64_t *indices, size_t count);

/*
 * random_split(dataset, lengths, generator): lengths are counts that sum to the dataset's, or fractions that
 * sum to 1 (rounded down; the remaining samples are distributed one per part, from the first part on). Draws
 * one randperm of the dataset's length; `generator` NULL is the context's. Writes `count` subsets.
 */
TERN_API tern_status tern_random_split(tern_dataset *dataset, const double *lengths, size_t count,
                                       tern_generator *generator, tern_dataset **out_parts);

/* len(dataset); 0 for NULL. */
TERN_API int64_t tern_dataset_length(const tern_dataset *dataset);

/*
 * A dataset that applies torchvision.transforms, in torchvision's notation, to one field of `dataset`; one
 * transform or several:
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
 * Flips and crops work on the last two dimensions. Random choices depend only on the loader's seed and the
 * sample's position in the epoch: they are the same with and without workers and for any batch size, but they
 * are not PyTorch's. tern_dataset_get draws 64 bits if a transform is random. NULL after latching an error,
 * which names the transform.
 */
TERN_API tern_dataset *tern_transformed_new(tern_dataset *dataset, int field,
                                            const char *transforms);

/* How many tensors a sample has, and a description of the index-th; false if the index is out of range. */
TERN_API int tern_dataset_field_count(const tern_dataset *dataset);

/* The dtype and the shape of a field's samples; false if the index is out of range. */
TERN_API bool tern_dataset_field(const tern_dataset *dataset, int index,
                                 tern_sample_field *out_field);

/* Subset.indices, into the original dataset; NULL if `dataset` is not a subset. */
TERN_API const int64_t *tern_subset_indices(const tern_dataset *dataset);

/* dataset[index]: one tensor per field, in the open scope; TERN_ERR_INDEX if the index is out of range. */
TERN_API tern_status tern_dataset_get(tern_dataset *dataset, int64_t index,
                                      tern_tensor **out_tensors);

/* ---- samplers -------------------------------------------------------------------------------- */

typedef struct tern_sampler tern_sampler;

/* SequentialSampler: 0, 1, ..., length - 1. Draws nothing. */
TERN_API tern_sampler *tern_sequential_sampler_new(tern_ctx *ctx, int64_t length);

/*
 * RandomSampler(range(length), replacement, num_samples, generator); num_samples 0 means the length. With
 * generator NULL, each epoch draws a seed (64 bits) from the context's generator and everything else from a
 * generator with that seed. Without replacement, an epoch consists of whole permutations and one more that is
 * truncated, possibly to nothing.
 */
TERN_API tern_sampler *tern_random_sampler_new(tern_ctx *ctx, int64_t length, bool replacement,
                                               int64_t num_samples, tern_generator *generator);

/* SubsetRandomSampler(indices, generator): the indices in random order, by one randperm. */
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

/* len(BatchSampler): the number of batches of `length` indices; a short last batch is counted unless
 * drop_last. */
TERN_API int64_t tern_batch_count(int64_t length, int64_t batch_size, bool drop_last);

/* ---- the loader ------------------------------------------------------------------------------ */

/*
 * DataLoader's arguments. `sampler` (then shuffle must be false) and `generator` may be NULL. num_workers
 * threads prepare batches ahead, prefetch_factor batches each; order and contents of the batches are the same
 * as without workers.
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

/* iter(loader): starts an epoch. Always draws 64 bits (PyTorch's base seed) from the generator; with workers
 * the sampler draws here too, otherwise at the first batch. */
TERN_API tern_status tern_loader_begin(tern_loader *loader);

/* The next batch: one tensor per field, [samples, ...], in the open scope. False at the end of the epoch, if
 * tern_loader_begin was not called, and after latching an error. */
TERN_API bool tern_loader_next(tern_loader *loader, tern_tensor **out_batch);

/* The sample indices of the latest batch, valid until the next one. */
TERN_API const int64_t *tern_loader_indices(const tern_loader *loader, size_t *out_count);

/* Stops the workers before the loader's scope ends. NULL is allowed. */
TERN_API void tern_loader_stop(tern_loader *loader);

/* ---- metrics: scores [N, C] of any dtype, target [N] of class indices ------------------------ */

/* The share of rows whose target is among the k highest scores (of equal scores, the first ones count; a NaN
 * is never correct). NaN after latching an error, and if there are no rows. */
TERN_API double tern_topk_accuracy(tern_tensor *scores, tern_tensor *target, int64_t k);

/* The same for k = 1. */
TERN_API double tern_accuracy(tern_tensor *scores, tern_tensor *target);

/* int64 [C, C]: how many samples of each class (row) were predicted as each class (column). The prediction is
 * the first of the highest scores. Nil after latching an error. */
TERN_API tern_tensor *tern_confusion_matrix(tern_tensor *scores, tern_tensor *target);

#ifdef __cplusplus
}
#endif

#endif
