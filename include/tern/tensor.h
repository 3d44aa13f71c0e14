/*
 * tern/tensor.h: tensors: create from host data, inspect, move between devices, read back, print.
 *
 * A tensor is a handle: a dtype, a shape, strides and an offset over reference-counted storage on one device.
 * The handle dies with the scope it was created in; views and graphs keep the storage as long as they need
 * it. A handle is not an address: using one after its scope has ended is refused with TERN_ERR_STATE.
 * Functions that return a tensor return the context's nil tensor on failure; given nil or NULL, they do
 * nothing and return nil.
 *
 * Operations (tern_add, tern_reshape, ...) are in ops.h, gradients in grad.h.
 */
#ifndef TERN_TENSOR_H
#define TERN_TENSOR_H

#include "tern/context.h"
#include "tern/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- making ---------------------------------------------------------------------------------- */

/*
 * torch.tensor(data, dtype=dtype): copies row-major elements of `dtype` from host memory to the
 * context's device.
 */
TERN_API tern_tensor *tern_from_data(tern_ctx *ctx, const void *data, tern_shape shape,
                                     tern_dtype dtype);

/* The same on another device that the context has opened; NULL is the default device. */
TERN_API tern_tensor *tern_from_data_on(tern_ctx *ctx, const void *data, tern_shape shape,
                                        tern_dtype dtype, const char *device);

/*
 * torch.tensor(data).pin_memory().to(device, non_blocking=True): the same without waiting, for data that is
 * needed a little later (the next batch): the copy overlaps with the device's kernels, and the first
 * operation that uses the tensor runs after it. `data` has been read when this returns and may be changed at
 * once. Waits only if many copies are in flight. NULL is the default device.
 */
TERN_API tern_tensor *tern_from_data_async(tern_ctx *ctx, const void *data, tern_shape shape,
                                           tern_dtype dtype, const char *device);

/*
 * torch.from_blob: a row-major tensor on the default device over `memory`, without a copy if the device can
 * use host memory and the address is aligned as it requires (host devices: to 64 bytes). Otherwise the
 * elements are copied. `release` (may be NULL) is called with `user` once the memory is no longer needed:
 * when the last tensor over it is gone and the device has finished with it, on the context's thread and at
 * the latest in tern_close; after a copy, and on failure, before this function returns. The same memory, or
 * parts of it, may be passed more than once: an in-place operation on one tensor raises the version of all
 * tensors that overlap it (your own writes to the memory are not tracked).
 */
TERN_API tern_tensor *tern_from_memory(tern_ctx *ctx, void *memory, tern_shape shape,
                                       tern_dtype dtype, void (*release)(void *user), void *user);

/* The same for memory that begins `offset` bytes within a block: it need not be aligned as the device asks if the
 * block reaches back to an aligned address (a tensor in a mapped file, say). The bytes in between are not
 * written. */
TERN_API tern_tensor *tern_from_memory_within(tern_ctx *ctx, void *block, size_t offset,
                                              tern_shape shape, tern_dtype dtype,
                                              void (*release)(void *user), void *user);

/* Uninitialised memory (torch.empty). */
TERN_API tern_tensor *tern_empty(tern_ctx *ctx, tern_shape shape, tern_dtype dtype);

/* A 0-dim tensor. */
TERN_API tern_tensor *tern_scalar_tensor(tern_ctx *ctx, double value, tern_dtype dtype);

/* The nil tensor of a context: return it from your own functions after tern_fail. */
TERN_API tern_tensor *tern_nil(tern_ctx *ctx);

/* Whether it is a context's nil tensor, which a failed call returns. True for NULL. */
TERN_API bool tern_is_nil(const tern_tensor *tensor);

/* ---- inspecting ------------------------------------------------------------------------------ */

/* The context it was made in. */
TERN_API tern_ctx *tern_context_of(const tern_tensor *tensor);

/* Tensor.dtype; TERN_DTYPE_DEFAULT of nil. */
TERN_API tern_dtype tern_dtype_of(const tern_tensor *tensor);

/* Tensor.ndim: the number of dimensions; 0 of nil. */
TERN_API int tern_rank(const tern_tensor *tensor);

/* Tensor.numel() */
TERN_API int64_t tern_numel(const tern_tensor *tensor);

/* Tensor.shape. */
TERN_API tern_shape tern_shape_of(const tern_tensor *tensor);

/* Size and stride (in elements) of a dimension; negative dimensions count from the end. A dimension that does
 * not exist latches an error and gives 0. */
TERN_API int64_t tern_size(const tern_tensor *tensor, int dim);

/* Tensor.stride(dim), in elements. */
TERN_API int64_t tern_stride(const tern_tensor *tensor, int dim);

/* Tensor.storage_offset(), in elements. */
TERN_API int64_t tern_storage_offset(const tern_tensor *tensor);

/* The number of elements (of this tensor's dtype) in the whole storage, including what other views cover. */
TERN_API int64_t tern_storage_numel(const tern_tensor *tensor);

/* Whether two tensors share storage (untyped_storage().data_ptr() is equal). */
TERN_API bool tern_shares_storage(const tern_tensor *a, const tern_tensor *b);

/* Tensor.is_contiguous(): row-major without gaps. */
TERN_API bool tern_is_contiguous(const tern_tensor *tensor);

/* The full name of its device: "cpu_ref", "cuda:0". */
TERN_API const char *tern_device_of(const tern_tensor *tensor);

/* Tensor._version: the number of in-place writes to the storage so far. */
TERN_API uint64_t tern_version(const tern_tensor *tensor);

/* ---- reading and writing from the host ------------------------------------------------------- */

/* Tensor.item() of a tensor with one element, as a double (a bool as 0 or 1). For any other tensor, latches
 * an error and returns NaN. Waits for the device. */
TERN_API double tern_item(const tern_tensor *tensor);

/* The same as an integer; floats are truncated as by Python's int(). */
TERN_API int64_t tern_item_i64(const tern_tensor *tensor);

/* Tensor.item() of a complex tensor with one element: its real and its imaginary part to out_parts[0] and [1],
 * which is 0 of a real
 * tensor. NaN after latching an error. */
TERN_API tern_status tern_item_complex(const tern_tensor *tensor, double *out_parts);

/* Copies all elements, row-major and in the tensor's dtype, to `out_data` of `bytes`, which must be
 * exactly numel * dtype size. Waits for the device. */
TERN_API tern_status tern_to_host(const tern_tensor *tensor, void *out_data, size_t bytes);

/* All elements as doubles (tolist). `count` must be numel. A complex tensor is an error: read its
 * tern_view_as_real. */
TERN_API tern_status tern_to_doubles(const tern_tensor *tensor, double *out_data, size_t count);

/* Overwrites the tensor's elements with row-major host data of its dtype; `bytes` as above. Counts
 * as an in-place write. */
TERN_API tern_status tern_write_host(tern_tensor *tensor, const void *data, size_t bytes);

/* The whole storage as raw bytes, including elements that this view leaves out: what a .pth file stores. */
TERN_API size_t tern_storage_bytes(const tern_tensor *tensor);

/* Copies the whole storage; `bytes` is tern_storage_bytes. */
TERN_API tern_status tern_storage_to_host(const tern_tensor *tensor, void *out_data, size_t bytes);

/* A strided view into the storage of another tensor (torch.as_strided without a gradient), as loading files
 * needs it. */
TERN_API tern_tensor *tern_view_of_storage(const tern_tensor *base, tern_shape size,
                                           tern_shape stride, int64_t storage_offset);

/* ---- devices and dtypes ---------------------------------------------------------------------- */

/* Tensor.to(device): the tensor itself if it is there already. Differentiable. */
TERN_API tern_tensor *tern_to_device(tern_tensor *tensor, const char *device);

/* Tensor.to(dtype): the tensor itself if it has that dtype already. Differentiable. */
TERN_API tern_tensor *tern_to_dtype(tern_tensor *tensor, tern_dtype dtype);

/* ---- lifetimes ------------------------------------------------------------------------------- */

/* Releases a tensor's storage before its scope ends; the handle becomes empty and must not be used. Storage
 * that views or a graph still need is kept. */
TERN_API void tern_drop(tern_tensor *tensor);

/* Moves a tensor to the parent of the scope it lives in. A tensor with a history cannot outlive its
 * graph's scope: the error names tern_detach. Returns the tensor. */
TERN_API tern_tensor *tern_keep(tern_tensor *tensor);

/* Stores a value in a tensor of an outer scope (*slot: a hidden state, a running loss), whose storage becomes
 * the value's, so that a loop does not accumulate tensors. The value must have no history, and gradients of
 * graphs recorded earlier no longer reach the tensor. */
TERN_API tern_status tern_update(tern_tensor **slot, tern_tensor *value);

/* ---- printing -------------------------------------------------------------------------------- */

/*
 * What Python's repr(tensor) prints: "tensor([0.3367, 0.1288], requires_grad=True)". Returns the
 * length without the final zero as snprintf does; at most `size` bytes are written. Waits for the
 * device.
 */
TERN_API size_t tern_repr(const tern_tensor *tensor, char *out_text, size_t size);

/* The same as text that lives in the open scope; "" on failure. */
TERN_API const char *tern_repr_text(const tern_tensor *tensor);

#ifdef __cplusplus
}
#endif

#endif
