/* pth_globals.h: the functions and classes that a .pth file may name. */
#ifndef TERN_IO_PTH_GLOBALS_H
#define TERN_IO_PTH_GLOBALS_H

#include "pickle_reader.h"

enum {
    TERN_G_ORDERED_DICT,
    TERN_G_COUNTER,
    TERN_G_SET,
    TERN_G_BYTEARRAY,
    TERN_G_ENCODE,
    TERN_G_SIZE,
    TERN_G_DEVICE,
    TERN_G_TENSOR_V1,
    TERN_G_TENSOR_V2,
    TERN_G_TENSOR_V3,
    TERN_G_PARAMETER,
    TERN_G_FROM_TYPE,
    TERN_G_TENSOR_CLASS,
    TERN_G_UNTYPED,
    TERN_G_STORAGE = 32,     /* + dtype */
    TERN_G_DTYPE = 64,       /* + dtype */
    TERN_G_UNSUPPORTED = 128 /* + number: known, but Tern has nothing for it */
};

extern const tern_pglobal tern_pth_globals[];
extern const size_t tern_pth_n_globals;

/* "complex64" or "sparse tensors", for an unsupported one. */
const char *tern_pth_unsupported(int number);

#endif
