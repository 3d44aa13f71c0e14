/*
 * kernel_driver.h: drives a backend through the plugin ABI alone, as the core would.
 *
 * Opens libtern_NAME.so (or the entry point of a static build), keeps tensors in the backend's
 * buffers and launches kernels on them. Works for backends with queues and without. Failures of the
 * plumbing end the test by cr_assert.
 */
#ifndef TERN_TEST_KERNEL_DRIVER_H
#define TERN_TEST_KERNEL_DRIVER_H

#include "tern/backend.h"

typedef struct driver {
    tern_backend_desc desc;
    tern_bdevice *device;
    const tern_bdevice_vtable *table;
    tern_bqueue *queue; /* NULL for a backend without queues */
    void *library;
} driver;

/* A tensor in a buffer of its own. */
typedef struct tensor {
    tern_operand operand;
    int64_t shape[TERN_BACKEND_MAX_RANK];
    int64_t strides[TERN_BACKEND_MAX_RANK];
    uint64_t bytes; /* of the buffer */
} tensor;

#define SHAPE(...)                                                                                 \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]) {                       \
        __VA_ARGS__                                                                                \
    }
#define SCALAR 0, NULL

/* Opens the first device of a backend. A test has one driver of a backend at a time. */
driver driver_open(const char *backend);
void driver_close(driver *d);

/* Another device of the same backend, with a queue of its own. Closed before `d`. */
driver driver_open_other(const driver *d, int index);
void driver_close_other(driver *other);

/* The last line that a backend logged; "" where there was none. */
const char *driver_last_log(void);

/* What `supports` answers about floating inputs of one dtype and an output of another. */
bool driver_supports(driver *d, int kernel, int fn, int n_inputs, int input_dtype,
                     int output_dtype);

/* Row-major, with the values given in row-major order (NULL: filled with garbage). */
tensor tensor_new(driver *d, int dtype, int rank, const int64_t *shape, const double *values);

/* With strides of one's own (elements), the first element `offset` elements into the buffer. */
tensor tensor_strided(driver *d, int dtype, int rank, const int64_t *shape, const int64_t *strides,
                      int64_t offset, const double *values);
tensor tensor_i64(driver *d, int rank, const int64_t *shape, const int64_t *values);
void tensor_free(driver *d, tensor *t);

int64_t tensor_count(const tensor *t);

/* The operand of a launch; valid while `t` stays where it is. */
tern_operand tensor_operand(const tensor *t);

/* The values in row-major order; waits for queued work. */
void tensor_read(driver *d, const tensor *t, double *out);
void tensor_read_i64(driver *d, const tensor *t, int64_t *out);

/* Launches, waits, and returns what went wrong, in launch or in the kernel: BAD_INDEX, say. */
int driver_launch(driver *d, int kernel, const tensor *inputs, int n_inputs, tensor *outputs,
                  int n_outputs, const void *attrs, size_t attrs_size, tern_backend_error *err);

/* Launches and checks that all went well. */
void driver_run(driver *d, int kernel, const tensor *inputs, int n_inputs, tensor *outputs,
                int n_outputs, const void *attrs, size_t attrs_size);

/* Fails the test unless the tensor's values are these (NaN equals NaN), within `tolerance`. */
void tensor_expect(driver *d, const tensor *t, const double *values, double tolerance,
                   const char *what);

#endif
