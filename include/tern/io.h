/*
 * tern/io.h: files and JSON: .pth as torch.save writes it, safetensors, numpy's .npy and .npz, and
 * the values in them; IDX, CSV and folders of .npy as data to train on.
 *
 * READING runs nothing. A .pth file is a pickle, a little program; Tern's reader knows only the
 * constructors of tensors, containers and numbers, and refuses a file that names anything else by
 * that name. Every size and offset is checked against the file, checksums are verified, and the
 * memory taken is bounded by the file's size.
 *
 * WRITING is atomic and durable: a temporary file beside the target is written, flushed to disk and
 * renamed. On any failure the old file is still there and the temporary one is gone; only a program
 * that is killed meanwhile leaves it, called .tern-PID-N.tmp.
 *
 * What is read lives in the scope that is open. A NULL path, text or module is an error that is
 * latched where a context is known (TERN_ERR_ARGUMENT); a NULL file or table is empty.
 */
#ifndef TERN_IO_H
#define TERN_IO_H

#include "tern/context.h"
#include "tern/data.h"
#include "tern/tensor.h"
#include "tern/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- values ---------------------------------------------------------------------------------- */

/*
 * torch.save(value, path); safetensors, .npy or .npz where the path ends so.
 *
 * .pth: the archive of PyTorch 2.15, byte for byte. None, bool, int, float, str, lists, tuples,
 * dicts, dtypes and tensors are written; tensors that share storage share it in the file, views
 * keep their strides, requires_grad is kept. INTS become a list. A generator is an error.
 *
 * safetensors: a dict of names and tensors, written contiguous in row-major order. Metadata (texts
 * by name) is the dict's attribute "__metadata__"; without one {"format": "pt"} is written, which
 * is what loaders of model hubs ask for.
 *
 * .npy: one tensor; .npz: a dict of tensors. Both as below.
 *
 * Waits for the devices first; writes nothing where the context has latched an error.
 */
TERN_API tern_status tern_value_save(tern_ctx *ctx, tern_value value, const char *path);

/*
 * torch.load(path, weights_only=True), safetensors, .npy, .npz or IDX; the content tells which. Tensors go
 * to the context's default device. None after latching an error, which names the file and the place in it.
 *
 * .pth: the zip archive of PyTorch 1.6 and later (stored or deflated members) and the stream of
 * older versions. A Parameter becomes a tensor that requires a gradient, a torch.Size a tuple, a
 * device its name, a set a list, bytes a string, an integer beyond 64 bits the text of its digits.
 * Complex numbers, quantized and sparse tensors are refused by name.
 *
 * safetensors: a dict from name to tensor in the order of the file, with the file's metadata as
 * attribute "__metadata__" where there is any.
 */
TERN_API tern_value tern_value_load(tern_ctx *ctx, const char *path);

/*
 * torch.load(path, mmap=True): the same values, but tensors lie over the file's own pages, which are
 * read as they are touched: where the device can use host memory, the member is stored and its data
 * begins at a multiple of 64 (as torch.save since 2.7 and Tern write .pth, and numpy .npy). All other
 * tensors are copied as by tern_value_load. Checksums are verified here too.
 *
 * Writing to a tensor changes memory, never the file. While its tensors live the file must not be
 * cut shorter, or the system ends the program (SIGBUS); saving over it with Tern is safe, because
 * that replaces the file and leaves the mapped one as it is.
 */
TERN_API tern_value tern_value_map(tern_ctx *ctx, const char *path);

/*
 * What is in a file of any of these formats, also of dtypes that Tern cannot compute with (complex,
 * unsigned 16 bits, float8), made without tensors:
 *
 *     {"format": "pth" | "safetensors" | "npy" | "npz" | "idx",
 *      "tensors": [{"name": "model.0.weight", "dtype": "float32", "shape": [2, 3], "sha256": TEXT}],
 *      "values": {"epoch": 5, "optimizer.param_groups.0.lr": 0.1},
 *      "warnings": [TEXT]}                     only where something was odd
 *
 * A name is the path of keys and indices joined by dots; a tensor alone is called "". The checksum is
 * over the row-major little-endian bytes, none for a view that repeats its storage beyond all bounds.
 * Integers beyond 64 bits are told as text, bytes in hexadecimal digits, dtypes as "torch.float32".
 * A .pth file that names asgd_rprop.code is refused, as in tern_value_load. None after latching an error.
 */
TERN_API tern_value tern_file_inspect(tern_ctx *ctx, const char *path);

/* ---- modules --------------------------------------------------------------------------------- */

/* torch.save(module.state_dict(), path). Both return TERN_ERR_ARGUMENT for NULL. */
TERN_API tern_status tern_module_save(tern_module *module, const char *path);

/* module.load_state_dict(torch.load(path)): strict; whole or not at all. */
TERN_API tern_status tern_module_load(tern_module *module, const char *path);

/* ---- safetensors, tensor by tensor ----------------------------------------------------------- */

/* An open file: its index and bytes. No tensor is made until it is asked for. */
typedef struct tern_safetensors tern_safetensors;

typedef struct tern_safetensors_entry {
    const char *name;
    const char *dtype_name; /* as the file spells it: "F32", "F8_E4M3" */
    tern_dtype dtype;       /* TERN_DTYPE_DEFAULT where Tern has no such dtype */
    tern_shape shape;
    const void *data; /* row-major, little endian; not aligned */
    size_t bytes;
} tern_safetensors_entry;

/* Reads and checks a file. NULL after latching an error. Closed with the open scope, or earlier by
 * tern_safetensors_close; entries' names and data go with it. */
TERN_API tern_safetensors *tern_safetensors_open(tern_ctx *ctx, const char *path);
TERN_API void tern_safetensors_close(tern_safetensors *file);

/* The entries in the order of the file's data; false past the end. */
TERN_API size_t tern_safetensors_count(const tern_safetensors *file);
TERN_API bool tern_safetensors_at(const tern_safetensors *file, size_t index,
                                  tern_safetensors_entry *out_entry);

/* The entry of a name; false where there is none. */
TERN_API bool tern_safetensors_find(const tern_safetensors *file, const char *name,
                                    tern_safetensors_entry *out_entry);

/* Texts by name (a dict), or none. */
TERN_API tern_value tern_safetensors_metadata(const tern_safetensors *file);

/* The entry as a tensor on the default device, in the open scope. Nil after latching an error; NULL
 * where `file` is NULL. */
TERN_API tern_tensor *tern_safetensors_tensor(const tern_safetensors *file, const char *name);

/* ---- numpy's files --------------------------------------------------------------------------- */

/*
 * numpy.load of a .npy file, versions 1 to 3: a tensor on the default device, or nil after latching
 * an error. Big-endian arrays are turned round, column-major ones (fortran_order) keep their
 * strides. float64/32/16, int64/32/16/8, uint8 and bool; every other dtype is refused by name, and
 * Python objects are never read.
 */
TERN_API tern_tensor *tern_npy_load(tern_ctx *ctx, const char *path);

/* numpy.save: row-major, version 1.0, byte for byte. bfloat16, which numpy does not have, is an
 * error. TERN_ERR_ARGUMENT for NULL. */
TERN_API tern_status tern_npy_save(tern_tensor *tensor, const char *path);

/* numpy.load of a .npz file: a dict from name to tensor in the order of the archive. */
TERN_API tern_value tern_npz_load(tern_ctx *ctx, const char *path);

/* numpy.savez(path, **tensors): a dict of tensors by name. */
TERN_API tern_status tern_npz_save(tern_ctx *ctx, tern_value tensors, const char *path);

/*
 * DatasetFolder(folder, numpy.load, (".npy",)): each folder in it is a class, whose files are its
 * samples: (array, int64 class), classes and files in the order of their names. A folder that holds
 * files instead is a dataset of the arrays alone. All arrays have one shape and dtype. Headers are
 * checked here, data is read when a sample is asked for, by a loader's workers too. `out_classes`
 * (or NULL) becomes the list of the classes' names. NULL after latching an error that names the file.
 */
TERN_API tern_dataset *tern_npy_folder_new(tern_ctx *ctx, const char *folder,
                                           tern_value *out_classes);

/* ---- IDX, the files of MNIST ----------------------------------------------------------------- */

/* An IDX file, packed by gzip or not: uint8, int8, int16, int32, float32 or float64, on the default
 * device. What a packed file may grow to is bounded by its own header. Nil after latching an error. */
TERN_API tern_tensor *tern_idx_load(tern_ctx *ctx, const char *path);

/* ---- CSV ------------------------------------------------------------------------------------- */

typedef struct tern_csv_options {
    size_t size;
    char delimiter;     /* ',' */
    bool header;        /* the first line names the columns; else they are called "0", "1", ... */
    bool allow_missing; /* an empty cell is the number NaN; else it is an error */
} tern_csv_options;
#define TERN_CSV_OPTIONS                                                                           \
    { sizeof(tern_csv_options), ',', true, false }

/* A table of text in the open scope. */
typedef struct tern_csv tern_csv;

/*
 * pandas.read_csv(path), packed by gzip or not: RFC 4180, with "\n" or "\r\n", quoted cells that may
 * hold line ends, a byte order mark passed over, empty lines too. The table takes its text and at
 * most 16 bytes for each cell and each row. Every row must have as many cells as the first. An error names the file, the
 * line and the column: "houses.csv:7: column 'price': 'n/a' is no number". NULL options are the
 * defaults.
 */
TERN_API tern_csv *tern_csv_open(tern_ctx *ctx, const char *path, const tern_csv_options *options);

/* Rows below the header; columns; 0 for NULL. */
TERN_API int64_t tern_csv_rows(const tern_csv *csv);
TERN_API int tern_csv_columns(const tern_csv *csv);

/* A column's name, NULL outside; the column of a name, -1 where there is none. */
TERN_API const char *tern_csv_name(const tern_csv *csv, int column);
TERN_API int tern_csv_column(const tern_csv *csv, const char *name);

/* A cell without its quotes; NULL outside. */
TERN_API const char *tern_csv_text(const tern_csv *csv, int64_t row, int column);

/* The line of the file where a row begins, for messages; 0 outside. */
TERN_API int64_t tern_csv_line(const tern_csv *csv, int64_t row);

/* df[names].to_numpy(): float32 [rows, count] of these columns in this order; NULL names are all.
 * Numbers as Python writes them, spaces around them passed over. Nil after latching an error. */
TERN_API tern_tensor *tern_csv_numbers(tern_csv *csv, const char *const *names, int count);

/* pandas.Categorical(df[name]).codes: int64 [rows], the place of each cell among the column's
 * different texts, sorted, by number where all are whole numbers. `out_names` (or NULL) becomes the
 * list of those texts. Nil after latching an error. */
TERN_API tern_tensor *tern_csv_classes(tern_csv *csv, const char *name, tern_value *out_names);

/* ---- JSON ------------------------------------------------------------------------------------ */

/*
 * JSON text as a value: objects become dicts in their order, a number with a point or an exponent a
 * float, another an int. A key given twice, an int beyond 64 bits, nesting deeper than 256 and text
 * behind the value are errors; the message tells line and column.
 */
TERN_API tern_value tern_json_parse(tern_ctx *ctx, const char *text, size_t length);

/* The same for a file. */
TERN_API tern_value tern_json_load(tern_ctx *ctx, const char *path);

/*
 * A value as JSON, in the open scope; indent is the number of spaces a level, 0 puts all on one
 * line. Floats are written so that they read back equal; inf, -inf and nan as those texts, a dtype
 * as "torch.float32", tuples as lists, scalar keys as text. A tensor or a generator is an error.
 * NULL after latching an error.
 */
TERN_API const char *tern_json_text(tern_ctx *ctx, tern_value value, int indent);

/* ---- files ----------------------------------------------------------------------------------- */

/* Replaces a file's content, atomic and durable as above. */
TERN_API tern_status tern_file_write(tern_ctx *ctx, const char *path, const void *data,
                                     size_t bytes);

/* A whole file in the open scope, with a zero byte behind it that is not counted. NULL after
 * latching an error. */
TERN_API char *tern_file_read(tern_ctx *ctx, const char *path, size_t *out_bytes);

/*
 * Every step of writing a file (create, write, flush, rename) goes through one seam. A test lets
 * the n-th step from here on fail as a full disk does: 0 fails none, 1 the next. Returns the steps
 * taken since this was set last. Process-wide.
 */
TERN_API uint64_t tern_fail_write(uint64_t nth);

/* ---- checksums ------------------------------------------------------------------------------- */

/* SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits and a zero byte. */
TERN_API void tern_sha256_hex(const void *data, size_t bytes, char *out_text);

#ifdef __cplusplus
}
#endif

#endif
