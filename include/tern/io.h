/*
 * tern/io.h: files and JSON: .pth as torch.save writes it, safetensors, numpy's .npy and .npz, and the values
 * in them; IDX, CSV and folders of .npy files as training data.
 *
 * READING executes nothing. A .pth file is a pickle, which is a small program; Tern's reader knows only the
 * constructors of tensors, containers and numbers, and refuses a file that refers to anything else, naming
 * it. Every size and offset is checked against the file, checksums are verified where they are stored, and
 * memory use is bounded by the file's size.
 *
 * WRITING is atomic and durable: a temporary file in the same folder is written, flushed to disk and renamed.
 * On any failure the old file is still there and the temporary file is removed; only a program that is killed
 * while it writes leaves one behind, called .tern-PID-N.tmp. A symbolic link stays, and its target is replaced;
 * owner, group and rights of the old file are kept as far as the user may set them.
 *
 * Results live in the open scope. A NULL path, text or module is an error (TERN_ERR_ARGUMENT), which is
 * latched if a context is known; a NULL file or table counts as empty.
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
 * torch.save(value, path), or safetensors, .npy or .npz if the path ends in that.
 *
 * .pth: the archive of PyTorch 2.15, byte for byte. None, bool, int, float, str, lists, tuples,
 * dicts, dtypes and tensors are written; tensors that share storage share it in the file, views
 * keep their strides, requires_grad is kept. INTS become a list. A generator is an error.
 *
 * safetensors: a dict of names and tensors, written contiguous in row-major order. Metadata (texts by name)
 * is the dict's attribute "__metadata__"; without one {"format": "pt"} is written, which the loaders of model
 * hubs require.
 *
 * .npy: one tensor; .npz: a dict of tensors. See tern_npy_save and tern_npz_save.
 *
 * Waits for the devices first; writes nothing if the context has a latched error.
 */
TERN_API tern_status tern_value_save(tern_ctx *ctx, tern_value value, const char *path);

/* How a file is written. */
typedef struct tern_save_options {
    size_t size;
    bool
        durable; /* flush to disk before replacing the old file; if false, as torch.save: still atomic, but the
                     content may be lost if the system fails within the next seconds */
} tern_save_options;
#define TERN_SAVE_OPTIONS                                                                          \
    { sizeof(tern_save_options), true }

/* The same with options; NULL are the defaults. */
TERN_API tern_status tern_value_save_with(tern_ctx *ctx, tern_value value, const char *path,
                                          const tern_save_options *options);

/*
 * torch.load(path, weights_only=True), safetensors, .npy, .npz, GGUF or IDX; the content decides which. Tensors go
 * to the context's default device. None after latching an error, which names the file and the position in it.
 *
 * .pth: the zip archive of PyTorch 1.6 and later (stored or deflated members) and the stream of older
 * versions. A Parameter becomes a tensor that requires a gradient, a torch.Size a tuple, a device or layout its
 * name, a set a list, bytes a string (saved as bytes again if it is not UTF-8), an integer beyond 64 bits the
 * text of its digits. Complex, quantized and sparse tensors are refused; the error names them. Arguments are
 * checked by number and type, as with weights_only. A TorchScript archive becomes the dict of its parameters
 * and buffers: torch.jit.load(path).state_dict().
 *
 * In any format float8 (every form) becomes float32, and uint16, uint32 and uint64 become int64; a number beyond
 * int64 is an error.
 *
 * safetensors: a dict from name to tensor in the order of the file, with the file's metadata, if any, as
 * attribute "__metadata__".
 *
 * GGUF (little endian, version 2 or 3): a dict from name to tensor in the order of the data, with the metadata, a
 * dict, as attribute "gguf" (tern_dict_attributes). Shapes are turned round, since the file has the fastest
 * dimension first. Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K and Q6_K are decoded to float32; other
 * quantised types are an error, which names the type. An unsigned number of the metadata beyond int64 becomes the
 * text of its digits.
 */
TERN_API tern_value tern_value_load(tern_ctx *ctx, const char *path);

/*
 * torch.load(path, mmap=True): the same values, but the tensors are memory-mapped: pages of the file are read
 * when they are first used. This needs a device that can use host memory, and data that is stored
 * uncompressed at a multiple of 64 bytes (as torch.save since 2.7 and Tern write .pth, and numpy .npy). All
 * other tensors are copied as by tern_value_load. The checksums of mapped tensors
 * are not verified, since that would read the whole file (PyTorch verifies none); tern_value_load and
 * tern_file_inspect verify all.
 *
 * Writing to a tensor changes memory, never the file. While its tensors are alive the file must not be
 * truncated, or the system kills the program (SIGBUS); saving to the same path with Tern is safe, because
 * that replaces the file and leaves the mapped one unchanged.
 */
TERN_API tern_value tern_value_map(tern_ctx *ctx, const char *path);

/*
 * Describes the contents of a file of any of these formats without making tensors, including dtypes that Tern
 * cannot compute with; those that are loaded as another dtype have it as "loads_as". The file is mapped, and
 * its pages are released again; the report takes at most 32 MiB beyond the file's size, and so does what is
 * unpacked for it:
 *
 *     {"format": "pth" | "safetensors" | "npy" | "npz" | "idx" | "gguf",
 *      "tensors": [{"name": "model.0.weight", "dtype": "float32", "shape": [2, 3], "sha256": TEXT}],
 *      "values": {"epoch": 5, "optimizer.param_groups.0.lr": 0.1},
 *      "warnings": [TEXT]}                     only where something was odd
 *
 * A table, by its extension (.csv, .tsv, also with .gz), is read whole: {"format": "csv", "rows": 150, "columns":
 * [{"name": TEXT, "kind": "empty" | "integer" | "number" | "date" | "text", "missing": 2, "different": 34}]}.
 *
 * A plugin's manifest (.tern) is judged from itself and its library's file, which is not loaded: {"format": "manifest",
 * "values": {"device": "cpu_simd", "variant": "avx2", "library": PATH, "abi": 0, "arch": "x86_64", "requires": "avx2 fma",
 * "priority": 22, "usable": True}, "warnings": [what speaks against it]}.
 *
 * A name is the path of keys and indices joined by dots; a single tensor is called "". The checksum is over
 * the row-major little-endian bytes; it is none for an expanded view whose elements far exceed its storage.
 * Integers beyond 64 bits are reported as text, bytes as hexadecimal digits, dtypes as "torch.float32". A
 * .pth file that names code is refused, as in tern_value_load. None after latching an error.
 */
TERN_API tern_value tern_file_inspect(tern_ctx *ctx, const char *path);

/* ---- modules --------------------------------------------------------------------------------- */

/* torch.save(module.state_dict(), path). Both return TERN_ERR_ARGUMENT for NULL. */
TERN_API tern_status tern_module_save(tern_module *module, const char *path);

/* module.load_state_dict(torch.load(path)): strict, and all or nothing. */
TERN_API tern_status tern_module_load(tern_module *module, const char *path);

/* ---- safetensors, tensor by tensor ----------------------------------------------------------- */

/* An open file: its index and bytes. A tensor is made only when it is requested. */
typedef struct tern_safetensors tern_safetensors;

/* One tensor of the file. */
typedef struct tern_safetensors_entry {
    const char *name;
    const char *dtype_name; /* as the file spells it: "F32", "F8_E4M3" */
    tern_dtype dtype;       /* TERN_DTYPE_DEFAULT if Tern has no such dtype */
    tern_shape shape;
    const void *data; /* row-major, little endian; not aligned */
    size_t bytes;
} tern_safetensors_entry;

/* Reads and checks a file. NULL after latching an error. Closed with the open scope, or earlier by
 * tern_safetensors_close; the entries' names and data are then gone. */
TERN_API tern_safetensors *tern_safetensors_open(tern_ctx *ctx, const char *path);

/* Closes the file before its scope ends. NULL is allowed. */
TERN_API void tern_safetensors_close(tern_safetensors *file);

/* The entries in the order of the file's data; false past the end. */
TERN_API size_t tern_safetensors_count(const tern_safetensors *file);

/* The index-th entry; false past the end. */
TERN_API bool tern_safetensors_at(const tern_safetensors *file, size_t index,
                                  tern_safetensors_entry *out_entry);

/* The entry of a name; false if there is none. */
TERN_API bool tern_safetensors_find(const tern_safetensors *file, const char *name,
                                    tern_safetensors_entry *out_entry);

/* The file's metadata: a dict of texts by name, or none. */
TERN_API tern_value tern_safetensors_metadata(const tern_safetensors *file);

/* The entry as a tensor on the default device, in the open scope. Nil after latching an error; NULL if `file`
 * is NULL. */
TERN_API tern_tensor *tern_safetensors_tensor(const tern_safetensors *file, const char *name);

/* ---- numpy's files --------------------------------------------------------------------------- */

/*
 * numpy.load of a .npy file, versions 1 to 3: a tensor on the default device, or nil after latching an error.
 * Big-endian arrays are byte-swapped, column-major ones (fortran_order) keep their strides. Reads
 * float64/32/16, int64/32/16/8, uint8 and bool, and uint16/32/64 as int64; every other dtype is an error that names it, and Python
 * objects are never read.
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
 * DatasetFolder(folder, numpy.load, (".npy",)): each subfolder is a class, and its files are the samples:
 * (array, int64 class), with classes and files sorted by name. If the folder itself holds the files, the
 * samples are the arrays alone. All arrays must have the same shape and dtype. Headers are checked here; data
 * is read when a sample is requested, also by a loader's workers. `out_classes` (may be NULL) receives the
 * list of class names. NULL after latching an error that names the file.
 */
TERN_API tern_dataset *tern_npy_folder_new(tern_ctx *ctx, const char *folder,
                                           tern_value *out_classes);

/* ---- IDX, the files of MNIST ----------------------------------------------------------------- */

/* An IDX file, gzipped or not: uint8, int8, int16, int32, float32 or float64, on the default device. A
 * gzipped file is never unpacked beyond the size that its header gives. Nil after latching an error. */
TERN_API tern_tensor *tern_idx_load(tern_ctx *ctx, const char *path);

/* ---- CSV ------------------------------------------------------------------------------------- */

/* How a table is written in its file. */
typedef struct tern_csv_options {
    size_t size;
    char delimiter; /* ',' */
    bool header;    /* the first line holds the column names; if false, they are "0", "1", ... */
    bool allow_missing; /* a missing cell is NaN; if false, it is an error */
    const char *
        missing_advice; /* the end of the error about one: what to do. NULL: "read with allow_missing" */
} tern_csv_options;
#define TERN_CSV_OPTIONS                                                                           \
    { sizeof(tern_csv_options), ',', true, false, NULL }

/* A table of text cells, in the open scope. */
typedef struct tern_csv tern_csv;

/*
 * pandas.read_csv(path), gzipped or not: RFC 4180 with "\n", "\r\n" or "\r" line ends; quoted cells may
 * contain line ends; a byte order mark and empty lines are skipped. The table needs memory for its text and at most
 * 16 bytes per cell and per row. Every row must have as many cells as the first; below a header of R's, which has
 * no name for the rows' names, one more. Columns without a name are called "Unnamed: 0" by their place, columns
 * called as one before them "a.1", "a.2". An error names the file, the line and the column: "houses.csv:7: column
 * 'price': 'cheap' is not a number". NULL options are the defaults.
 */
TERN_API tern_csv *tern_csv_open(tern_ctx *ctx, const char *path, const tern_csv_options *options);

/* What a column holds; missing cells do not count. */
typedef enum tern_csv_kind {
    TERN_CSV_EMPTY,   /* only missing cells */
    TERN_CSV_INTEGER, /* whole numbers */
    TERN_CSV_NUMBER,
    TERN_CSV_DATE, /* year, month and day, also with a time */
    TERN_CSV_TEXT
} tern_csv_kind;

/* What a column holds. */
typedef struct tern_csv_summary {
    tern_csv_kind kind;
    int64_t missing, different; /* cells; texts */
} tern_csv_summary;

/* Summarizes a column; false for a column that does not exist, and without memory. */
TERN_API bool tern_csv_summarize(const tern_csv *csv, int column, tern_csv_summary *out_summary);

/* Whether a cell is missing: empty, or one of the marks that pandas.read_csv takes for it, such as "NA", "N/A",
 * "NaN", "null", "None". */
TERN_API bool tern_csv_missing(const tern_csv *csv, int64_t row, int column);

/* The number of rows below the header, and of columns; 0 for NULL. */
TERN_API int64_t tern_csv_row_count(const tern_csv *csv);

/* The number of columns; 0 for NULL. */
TERN_API int tern_csv_column_count(const tern_csv *csv);

/* A column's name, NULL if out of range; the index of a column by name, -1 if there is none. */
TERN_API const char *tern_csv_name(const tern_csv *csv, int column);

/* The index of a column by name, -1 if there is none. */
TERN_API int tern_csv_column(const tern_csv *csv, const char *name);

/* A cell without its quotes; NULL if out of range. */
TERN_API const char *tern_csv_text(const tern_csv *csv, int64_t row, int column);

/* The line of the file where a row begins, for messages; 0 if out of range. */
TERN_API int64_t tern_csv_line(const tern_csv *csv, int64_t row);

/* df[names].to_numpy(): float32 [rows, count] of these columns in this order; NULL means all columns. Numbers
 * are read as in Python; surrounding spaces are ignored; a date is refused as such. Nil after latching an error. */
TERN_API tern_tensor *tern_csv_numbers(tern_csv *csv, const char *const *names, int count);

/* pandas.Categorical(df[name]).codes: int64 [rows], the index of each cell in the sorted list of the column's
 * distinct texts (sorted numerically if all are whole numbers). `out_names` (may be NULL) receives that list.
 * Nil after latching an error. */
TERN_API tern_tensor *tern_csv_classes(tern_csv *csv, const char *name, tern_value *out_names);

/* ---- JSON ------------------------------------------------------------------------------------ */

/*
 * Parses JSON: objects become dicts in their order, a number with a point or an exponent becomes a float, any
 * other number an int. A duplicate key, an int beyond 64 bits, nesting deeper than 256 and trailing text are
 * errors; the message gives line and column.
 */
TERN_API tern_value tern_json_parse(tern_ctx *ctx, const char *text, size_t length);

/* The same for a file. */
TERN_API tern_value tern_json_load(tern_ctx *ctx, const char *path);

/*
 * A value as JSON, in the open scope; indent is the number of spaces per level, 0 writes a single line.
 * Floats are written so that they read back equal, inf, -inf and nan as strings, a dtype as "torch.float32",
 * tuples as lists, scalar keys as strings. A tensor or a generator is an error. NULL after latching an error.
 */
TERN_API const char *tern_json_text(tern_ctx *ctx, tern_value value, int indent);

/* ---- files ----------------------------------------------------------------------------------- */

/* Replaces a file's content, atomically and durably as described above. */
TERN_API tern_status tern_file_write(tern_ctx *ctx, const char *path, const void *data,
                                     size_t bytes);

/* A whole file, in the open scope, followed by a zero byte that is not counted. NULL after latching an error.
 */
TERN_API char *tern_file_read(tern_ctx *ctx, const char *path, size_t *out_bytes);

/*
 * For tests: makes the n-th step of writing files (create, write, flush, rename) from now on fail as on a
 * full disk (0: none, 1: the next). Returns the number of steps since the last call. Process-wide.
 */
TERN_API uint64_t tern_fail_write(uint64_t nth);

/* ---- checksums ------------------------------------------------------------------------------- */

/* SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits and a zero byte. */
TERN_API void tern_sha256_hex(const void *data, size_t bytes, char *out_text);

#ifdef __cplusplus
}
#endif

#endif
