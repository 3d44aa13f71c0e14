/* Graphs of the driver that stands in: kernels, one behind the other. */
#include <stdlib.h>
#include <string.h>

#include "api.h"

typedef struct CUgraphNode_st {
    object base;
    started start;
    int place;
} node;

struct CUgraph_st {
    object base;
    node **nodes;
    int count;
};

struct CUgraphExec_st {
    object base;
    struct CUgraph_st *graph; /* whose nodes name those of this one */
    started *starts;
    int count;
};

static CUresult take(started *out, const CUDA_KERNEL_NODE_PARAMS *p) {
    if (!standin_check(p->func, KIND_FUNCTION, "a graph's kernel"))
        return CUDA_ERROR_INVALID_HANDLE;
    if (p->blockDimY != 1 || p->blockDimZ != 1 || p->sharedMemBytes || p->extra || p->kern)
        return standin_report("a graph's kernel: more than a line of lanes and arguments");
    return standin_take(out, p->func, p->gridDimX, p->gridDimY, p->gridDimZ, p->blockDimX,
                        p->kernelParams);
}

CALL(cuGraphCreate, (CUgraph * graph, unsigned flags), CUDA_ERROR_OUT_OF_MEMORY, {
    if (flags) return standin_report("cuGraphCreate: flags");
    *graph = standin_new(KIND_GRAPH, sizeof **graph);
    return CUDA_SUCCESS;
})

CALL(cuGraphAddKernelNode_v2,
     (CUgraphNode * out, CUgraph graph, const CUgraphNode *behind, size_t count,
      const CUDA_KERNEL_NODE_PARAMS *parameters),
     CUDA_ERROR_OUT_OF_MEMORY, {
         started start;
         if (!standin_check(graph, KIND_GRAPH, "cuGraphAddKernelNode"))
             return CUDA_ERROR_INVALID_HANDLE;
         if (count != (graph->count ? 1u : 0u) ||
             (count && behind[0] != graph->nodes[graph->count - 1]))
             return standin_report("cuGraphAddKernelNode: a kernel that is not behind the last");
         CUresult code = take(&start, parameters);
         if (code != CUDA_SUCCESS) return code;
         node *own = standin_new(KIND_NODE, sizeof *own);
         standin_made(-1); /* it goes with its graph */
         own->start = start;
         own->place = graph->count;
         graph->nodes = realloc(graph->nodes, (size_t)(graph->count + 1) * sizeof *graph->nodes);
         if (!graph->nodes) abort();
         graph->nodes[graph->count++] = own;
         *out = own;
         return CUDA_SUCCESS;
     })

FREE(cuGraphDestroy, (CUgraph graph), {
    if (!standin_check(graph, KIND_GRAPH, "cuGraphDestroy")) return CUDA_ERROR_INVALID_HANDLE;
    for (int i = 0; i < graph->count; i++) {
        free(graph->nodes[i]->start.bytes);
        graph->nodes[i]->start.bytes = NULL;
        graph->nodes[i]->base.is_dead = true;
    }
    free(graph->nodes);
    graph->nodes = NULL;
    standin_end(graph);
    return CUDA_SUCCESS;
})

static size_t bytes_of(const started *start) {
    const int32_t *sizes = start->function->kernel.sizes;
    int last = start->count - 1;
    return last < 0 ? 1 : start->at[last] + (size_t)(sizes[last] ? sizes[last] : 8);
}

static started copy_of(const started *start) {
    started own = *start;
    size_t bytes = bytes_of(start);
    own.bytes = malloc(bytes);
    if (!own.bytes) abort();
    memcpy(own.bytes, start->bytes, bytes);
    return own;
}

CALL(cuGraphInstantiateWithFlags, (CUgraphExec * exec, CUgraph graph, unsigned long long flags),
     CUDA_ERROR_OUT_OF_MEMORY, {
         if (flags || !standin_check(graph, KIND_GRAPH, "cuGraphInstantiate"))
             return CUDA_ERROR_INVALID_HANDLE;
         struct CUgraphExec_st *own = standin_new(KIND_EXEC, sizeof *own);
         own->graph = graph;
         own->count = graph->count;
         own->starts = calloc((size_t)graph->count + 1, sizeof *own->starts);
         if (!own->starts) abort();
         for (int i = 0; i < graph->count; i++) own->starts[i] = copy_of(&graph->nodes[i]->start);
         *exec = own;
         return CUDA_SUCCESS;
     })

CALL(cuGraphExecKernelNodeSetParams_v2,
     (CUgraphExec exec, CUgraphNode own, const CUDA_KERNEL_NODE_PARAMS *parameters),
     CUDA_ERROR_UNKNOWN, {
         started start;
         if (!standin_check(exec, KIND_EXEC, "cuGraphExecKernelNodeSetParams") ||
             !standin_check(own, KIND_NODE, "cuGraphExecKernelNodeSetParams"))
             return CUDA_ERROR_INVALID_HANDLE;
         if (own->place >= exec->count || exec->graph->nodes[own->place] != own)
             return standin_report("cuGraphExecKernelNodeSetParams: a node of another graph");
         CUresult code = take(&start, parameters);
         if (code != CUDA_SUCCESS) return code;
         free(exec->starts[own->place].bytes);
         exec->starts[own->place] = start;
         return CUDA_SUCCESS;
     })

CALL(cuGraphLaunch, (CUgraphExec exec, CUstream stream), CUDA_ERROR_UNKNOWN, {
    CUresult code = CUDA_SUCCESS;
    if (!standin_check(exec, KIND_EXEC, "cuGraphLaunch") ||
        !standin_check(stream, KIND_STREAM, "cuGraphLaunch"))
        return CUDA_ERROR_INVALID_HANDLE;
    for (int i = 0; i < exec->count && code == CUDA_SUCCESS; i++) {
        started start = copy_of(&exec->starts[i]);
        code = standin_start(&start, stream);
    }
    return code;
})

FREE(cuGraphExecDestroy, (CUgraphExec exec), {
    if (!standin_check(exec, KIND_EXEC, "cuGraphExecDestroy")) return CUDA_ERROR_INVALID_HANDLE;
    for (int i = 0; i < exec->count; i++) free(exec->starts[i].bytes);
    free(exec->starts);
    exec->starts = NULL;
    standin_end(exec);
    return CUDA_SUCCESS;
})
