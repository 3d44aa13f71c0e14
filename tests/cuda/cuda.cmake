# The device cuda on a driver that stands in (standin.h): libcuda.so.1 and libnvrtc.so.13 in a folder of their own.
if(NOT TARGET tern_backend_cuda_none)
    return()
endif()
set(standin ${PROJECT_BINARY_DIR}/lib/tern/cuda-standin)

# standin_library(NAME VERSION sources...): libNAME.so.VERSION.
function(standin_library name version)
    add_library(tern_standin_${name} MODULE ${ARGN} backends/host_form.c)
    set_target_properties(tern_standin_${name} PROPERTIES PREFIX lib OUTPUT_NAME ${name}
        SUFFIX .so.${version} LIBRARY_OUTPUT_DIRECTORY ${standin})
    target_compile_options(tern_standin_${name} PRIVATE -fvisibility=default)
    target_include_directories(tern_standin_${name} PRIVATE ${PROJECT_SOURCE_DIR}/backends
        ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(tern_standin_${name} PRIVATE tern_flags Threads::Threads ${CMAKE_DL_LIBS})
    add_dependencies(plugins tern_standin_${name})
endfunction()
standin_library(cuda 1 cuda/settings.c cuda/objects.c cuda/memory.c cuda/work.c cuda/device.c cuda/graph.c)
standin_library(nvrtc 13 cuda/nvrtc.c)

configure_file(cuda/cuda.tern ${PROJECT_BINARY_DIR}/lib/tern/cuda.d/cuda.tern COPYONLY)
