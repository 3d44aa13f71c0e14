/*
 * scope.h: frames: what is behind scopes and owners.
 */
#ifndef TERN_CORE_SCOPE_H
#define TERN_CORE_SCOPE_H

#include "core/memory/arena.h"

/* Calls fn(arg) when the context is closed, whatever scope is open now. */
TERN_API tern_status tern_defer_at_close(tern_ctx *ctx, void (*fn)(void *arg), void *arg);

/* The open frame that a scope stands for; NULL where it has ended. */
tern_frame *tern_scope_frame(tern_scope scope);

/*
 * A frame of the library's own, for what one function makes: `frame` is a variable of that function, which
 * closes it before it returns. Graphs recorded inside belong to the frame outside.
 */
TERN_API void tern_frame_open(tern_ctx *ctx, tern_frame *frame);
TERN_API void tern_frame_close(tern_frame *frame);

/* Closes it and hands out what a call returns. */
tern_value tern_frame_return(tern_frame *frame, tern_value result);

/* The frame that owns graphs made now. */
TERN_API tern_frame *tern_graph_frame(tern_ctx *ctx);

/* Moves a tensor to another frame, whatever its history (internal results). */
TERN_API void tern_tensor_move(tern_tensor *tensor, tern_frame *frame);

/* Moves what lives in `frame`, or inside it, to the frame around it and returns it. Nil, and latched,
 * where its graph ends with the frame. */
tern_tensor *tern_scope_hand_out(tern_frame *frame, tern_tensor *tensor);

/* Takes a tensor out of its frame's list: whoever holds it releases it. */
void tern_tensor_unlink(tern_tensor *tensor);

/* Makes the outermost frame; ends every frame and frees the recycled ones. */
tern_frame *tern_frame_root(tern_ctx *ctx);
void tern_frames_release_all(tern_ctx *ctx);

#endif
