/* pth_calls.h: whether what a .pth file would call is called as PyTorch has it. */
#ifndef TERN_IO_PTH_CALLS_H
#define TERN_IO_PTH_CALLS_H

#include "pth_globals.h"

/* What is wrong with a call's arguments, by number and type, or with what was set on its result; NULL
 * where PyTorch would take them. Tensors' bounds are pth_storage's to check. */
const char *tern_pth_call_fault(const tern_pnode *call);

/* The pairs of a dict, or of an OrderedDict or Counter that has no fault: those of its argument, then
 * those that were set. */
size_t tern_pth_pairs(const tern_pnode *dict);
void tern_pth_pair(const tern_pnode *dict, size_t index, tern_pnode **out_key,
                   tern_pnode **out_value);

/* The encoding of _codecs.encode's arguments: text becomes its UTF-8, or a byte a character. */
typedef enum tern_pth_codec { TERN_CODEC_NONE, TERN_CODEC_LATIN1, TERN_CODEC_UTF8 } tern_pth_codec;
tern_pth_codec tern_pth_codec_of(const tern_pnode *name);

#endif
