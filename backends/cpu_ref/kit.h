/*
 * kit.h: the backend kit, a backend's kernels and plumbing, ready made.
 *
 * A new backend begins as the kit's kernels (those of cpu_ref) plus its own memory layer, and then
 * replaces kernels one by one. It writes
 *
 *   - a device struct that begins with tern_kit_device, and its vtable: close is its own; the memory,
 *     the two copies, supports and launch may be the kit's. close calls tern_kit_device_fini;
 *   - tern_kit_memory, which gives kernels and copies a host address while one of them runs
 *     (tern_kit_host_memory belongs to the kit's own buffers);
 *   - tern_backend_query, which is one call of tern_kit_describe.
 *
 * A device with queues calls tern_kit_run when a launch's turn has come, instead of
 * tern_kit_launch.
 */
#ifndef TERN_KIT_H
#define TERN_KIT_H

#include <stdatomic.h>

#include "kernel.h"
#include "kit_forms.h"

/* One more than the largest kernel id. */
#define TERN_KIT_KERNELS 160

/* The longest program of MAP: its values, of a chunk of positions, lie in scratch memory. */
#define TERN_KIT_MAP_STEPS 512

/*
 * How kernels reach a backend's memory. `reach` returns the host address of a buffer's first byte,
 * valid until the matching `leave`; NULL, with a message, where it cannot. Operands of one launch
 * may share a buffer: it is then reached and left once for each. `leave` may be NULL. Both are
 * called on the thread of tern_kit_run.
 */
typedef struct tern_kit_memory {
    void *(*reach)(tern_bdevice *device, tern_bbuffer *buffer, tern_backend_error *err);
    void (*leave)(tern_bdevice *device, tern_bbuffer *buffer);
} tern_kit_memory;

/* How many blocks of scratch memory a device keeps: a kernel takes up to 3, and several threads may
 * launch at once. */
#define TERN_KIT_SCRATCH 8

typedef struct tern_kit_block tern_kit_block;

/* Scratch memory that waits for the next launch (tern_kit_take). */
typedef struct tern_kit_scratch {
    const tern_host *host;
    atomic_flag lock;
    int32_t count;
    tern_kit_block *waiting[TERN_KIT_SCRATCH];
} tern_kit_scratch;

void tern_kit_scratch_init(tern_kit_scratch *scratch, const tern_host *host);
void tern_kit_scratch_fini(tern_kit_scratch *scratch);

/* What every device of the kit begins with. Kernels are set before the device is given out, and
 * only read after that. */
typedef struct tern_kit_device {
    tern_bdevice base;
    const tern_host *host;
    const tern_kit_memory *memory;
    tern_kit_kernel kernels[TERN_KIT_KERNELS]; /* by id; NULL is a kernel that is not there */
    int32_t attrs_sizes[TERN_KIT_KERNELS];     /* that a kernel declares; -1 for any */
    tern_kit_scratch scratch;
    void *kept; /* handed to every kernel (kernel.h); NULL until a device sets it */
} tern_kit_device;

/* Sets everything, with the kit's kernels. vtable and memory are static, host is the query's. */
void tern_kit_device_init(tern_kit_device *device, const tern_bdevice_vtable *vtable,
                          const tern_host *host, const tern_kit_memory *memory);

/* Gives back what the kit's part of a device holds; no launch is under way. */
void tern_kit_device_fini(tern_kit_device *device);

/* Replaces the kernel of an id below TERN_KIT_KERNELS; NULL takes it out (fused forms alone). */
void tern_kit_replace(tern_kit_device *device, int32_t kernel, tern_kit_kernel replacement);

/*
 * The slots supports and launch of a device without queues. The work is done when launch returns,
 * so a bad index is launch's own answer and the slot take_error stays NULL.
 */
bool tern_kit_supports(tern_bdevice *device, const tern_kernel_query *query,
                       const char **out_reason);
int32_t tern_kit_launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                        const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                        int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                        tern_backend_error *err);

/*
 * A memory ready made: buffers in host memory, for a device whose kernels run on the host. The slots
 * buffer_alloc, buffer_free and buffer_import, and the tern_kit_memory that belongs to them. A buffer
 * is freed at once, so a device with queues frees by itself when the buffer's turn has come.
 */
int32_t tern_kit_buffer_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                              tern_backend_error *err);
void tern_kit_buffer_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer);
int32_t tern_kit_buffer_import(tern_bdevice *device, void *memory, uint64_t bytes,
                               tern_bbuffer **out_buffer, tern_backend_error *err);
extern const tern_kit_memory tern_kit_host_memory;

/* The slots host_alloc and host_free, by the host's allocator. */
void *tern_kit_host_alloc(tern_bdevice *device, uint64_t bytes);
void tern_kit_host_free(tern_bdevice *device, void *memory);

/* The slot memory_info of a device in host memory: what the system can give now, and all of it. */
int32_t tern_kit_memory_info(tern_bdevice *device, uint64_t *out_free, uint64_t *out_total,
                             tern_backend_error *err);

/* All of this host's memory; 0 where the system does not say. */
uint64_t tern_kit_host_bytes(void);

/* The slots of the two copies of a device without queues, by the addresses that `reach` gives. */
int32_t tern_kit_copy_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                                uint64_t dst_offset, const void *src, uint64_t bytes,
                                tern_backend_error *err);
int32_t tern_kit_copy_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst,
                              tern_bbuffer *src, uint64_t src_offset, uint64_t bytes,
                              tern_backend_error *err);

/* Runs one launch now. What the kernel meets (a bad index) goes into `flag`, which is the caller's:
 * a queue has one of its own. While that is set, launches that skip (TERN_MAP_SKIPS) do nothing. */
int32_t tern_kit_run(tern_kit_device *device, int32_t kernel, const tern_operand *inputs,
                     int32_t n_inputs, const tern_operand *outputs, int32_t n_outputs,
                     const void *attrs, uint32_t attrs_size, tern_kit_flag *flag,
                     tern_backend_error *err);

/* Moves a flag's error into `err`, resets it and returns its status. */
int32_t tern_kit_take_flag(tern_kit_flag *flag, tern_backend_error *err);

/*
 * The one registration call: answers a query with the given description, cut to the size that the
 * host knows. UNSUPPORTED with a message for a host of another ABI. `abi`, `sanitizers` and,
 * where it is NULL, `build_id` are filled in by the kit.
 */
int32_t tern_kit_describe(uint32_t host_abi, const tern_backend_desc *desc,
                          tern_backend_desc *out_desc, tern_backend_error *err);

/* The slot device_count of a backend with one device. */
int32_t tern_kit_one_device(int32_t *out_count, tern_backend_error *err);

/* Fills in a device's description: a CPU with this host's memory, cut to out_info->struct_size. */
int32_t tern_kit_device_info(tern_device_info *out_info, const char *name, const char *identity);

/* Hands out a device's description, cut to the size that the host knows: out_info->struct_size. */
void tern_kit_device_info_give(const tern_device_info *full, tern_device_info *out_info);

/* Writes a message, as printf does, and returns `status`. */
int32_t tern_kit_fail(tern_backend_error *err, int32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
