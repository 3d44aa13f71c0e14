/*
 * merge_program.h: two launches as one: the program of an element-wise launch behind that of another one, or
 * behind a product.
 */
#ifndef TERN_REPLAY_MERGE_PROGRAM_H
#define TERN_REPLAY_MERGE_PROGRAM_H

#include "recording.h"

/* `second` reads the only result of `first` element by element. False where the two cannot be one launch, and after
 * latching; else the command that does both, with operands and attributes of its own. */
bool tern_merged_command(tern_recording *r, const tern_command *first, const tern_command *second,
                         tern_command *out);

#endif
