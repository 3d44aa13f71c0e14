# The device cuda on a driver that stands in (standin.h): libcuda.so.1, libnvrtc.so.13, libcublasLt.so.13 and
# libcudnn.so.9 in a folder of their own.
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
# The libraries have to do with the driver that is open, which the linker knows by its name.
target_link_options(tern_standin_cuda PRIVATE -Wl,-soname,libcuda.so.1)
standin_library(nvrtc 13 cuda/nvrtc.c cuda/image.c cuda/settings.c)
standin_library(cublasLt 13 cuda/blas.c cuda/numbers.c)
standin_library(cudnn 9 cuda/dnn.c cuda/numbers.c)
foreach(library cublasLt cudnn)
    target_link_libraries(tern_standin_${library} PRIVATE -Wl,$<TARGET_FILE:tern_standin_cuda> m)
    add_dependencies(tern_standin_${library} tern_standin_cuda)
endforeach()
add_executable(tern_standin_nvcc cuda/nvcc.c cuda/image.c backends/host_form.c)
target_include_directories(tern_standin_nvcc PRIVATE ${PROJECT_SOURCE_DIR}/backends ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(tern_standin_nvcc PRIVATE tern_flags Threads::Threads ${CMAKE_DL_LIBS})

configure_file(cuda/cuda.tern ${PROJECT_BINARY_DIR}/lib/tern/cuda.d/cuda.tern COPYONLY)

add_executable(tern_cuda_exercise cuda/exercise.c)
target_include_directories(tern_cuda_exercise PRIVATE ${PROJECT_SOURCE_DIR}/backends)
target_link_libraries(tern_cuda_exercise PRIVATE tern tern_flags Threads::Threads ${CMAKE_DL_LIBS} m)

string(REPLACE "${PROJECT_BINARY_DIR}/lib/tern/plugins.d"
    "${PROJECT_BINARY_DIR}/lib/tern/cuda.d:${PROJECT_BINARY_DIR}/lib/tern/plugins.d"
    standin_environment "${test_environment}")
list(APPEND standin_environment "LD_LIBRARY_PATH=${standin}" "TERN_CACHE_DIR=${CMAKE_CURRENT_BINARY_DIR}/cuda-cache"
    "tern=$<TARGET_FILE:tern_command>" "json_check=$<TARGET_FILE:tern_json_check>" "source=${PROJECT_SOURCE_DIR}"
    "exercise=$<TARGET_FILE:tern_cuda_exercise>" "library=$<TARGET_FILE:tern_backend_cuda_none>"
    "manifests=${PROJECT_BINARY_DIR}/lib/tern/cuda.d" "standin=${standin}")

# standin_test(NAME TIMEOUT command...): compiled kernels are kept from one test to the next.
function(standin_test name timeout)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES LABELS cuda TIMEOUT ${timeout} ENVIRONMENT "${standin_environment}")
endfunction()
set(folder ${CMAKE_CURRENT_SOURCE_DIR}/cuda)
standin_test(cuda-exercise 300 tern_cuda_exercise)
foreach(order late apart)
    standin_test(cuda-exercise-${order} 300 tern_cuda_exercise)
    set_tests_properties(cuda-exercise-${order} PROPERTIES
        ENVIRONMENT "${standin_environment};TERN_CUDA_STANDIN=${order} memory=60000000")
endforeach()
standin_test(cuda-faults 300 bash ${folder}/faults.sh)
standin_test(cuda-failing 600 bash ${folder}/failing.sh)
standin_test(cuda-failing-all 7200 bash ${folder}/failing.sh)
set_tests_properties(cuda-failing-all PROPERTIES LABELS long ENVIRONMENT "${standin_environment};TERN_LONG=1")

# One subject of each family, in order and with copies early and kernels late; what is compiled is kept, so that
# the second takes seconds. All of it by hand.
foreach(order order late)
    standin_test(conformance-cuda-${order} 600 tern_command conformance --device cuda
        --vectors ${CMAKE_CURRENT_SOURCE_DIR}/vectors --filter ${families} --sample 2000 --timeout 200 --quiet)
    standin_test(conformance-cuda-${order}-all 7200 tern_command conformance --device cuda
        --vectors ${CMAKE_CURRENT_SOURCE_DIR}/vectors --sample 100 --timeout 600 --quiet)
    set_tests_properties(conformance-cuda-${order} conformance-cuda-${order}-all PROPERTIES
        RESOURCE_LOCK cuda-cache ENVIRONMENT "${standin_environment};TERN_CUDA_STANDIN=${order}")
    set_tests_properties(conformance-cuda-${order}-all PROPERTIES LABELS long)
endforeach()

set(objects "$<TARGET_OBJECTS:tern_backend_cuda_none>;$<TARGET_OBJECTS:tern_gpu_objects>;$<TARGET_OBJECTS:tern_numerics_objects>")
list(APPEND standin_environment "objects=$<JOIN:${objects}, >")
standin_test(cuda-planted 600 bash ${folder}/planted.sh)
standin_test(cuda-planted-all 1200 bash ${folder}/planted.sh)
set_tests_properties(cuda-planted-all PROPERTIES LABELS long ENVIRONMENT "${standin_environment};TERN_LONG=1")
list(APPEND standin_environment "nvcc=$<TARGET_FILE:tern_standin_nvcc>" "ahead=$<TARGET_FILE:tern_cuda_ahead>")
standin_test(cuda-ahead 600 bash ${folder}/ahead.sh)
