# The kernels of GPUs as CUDA C.
add_executable(tern_gpu_sources gpu/sources.c $<TARGET_OBJECTS:tern_gpu_objects>
               $<TARGET_OBJECTS:tern_kit_objects> $<TARGET_OBJECTS:tern_numerics_objects>)
target_include_directories(tern_gpu_sources PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include
                           ${PROJECT_SOURCE_DIR}/backends)
target_link_libraries(tern_gpu_sources PRIVATE tern_flags m Threads::Threads)
foreach(name gpu-cuda gpu-cuda-all)
    add_test(NAME ${name} COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/gpu/cuda.sh)
    set_tests_properties(${name} PROPERTIES LABELS gpu TIMEOUT 1800 SKIP_RETURN_CODE 77
        ENVIRONMENT "sources=$<TARGET_FILE:tern_gpu_sources>")
endforeach()
set_tests_properties(gpu-cuda-all PROPERTIES LABELS long
    ENVIRONMENT "sources=$<TARGET_FILE:tern_gpu_sources>;TERN_LONG=1")

# The same by NVRTC, as the device cuda compiles what was not compiled ahead.
if(TARGET tern_backend_cuda_none)
    add_executable(tern_gpu_nvrtc gpu/nvrtc.c ${PROJECT_SOURCE_DIR}/backends/cuda/compiler.c
                   $<TARGET_OBJECTS:tern_gpu_objects> $<TARGET_OBJECTS:tern_kit_objects>
                   $<TARGET_OBJECTS:tern_numerics_objects>)
    target_include_directories(tern_gpu_nvrtc PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include
                               ${PROJECT_SOURCE_DIR}/backends)
    target_link_libraries(tern_gpu_nvrtc PRIVATE tern_flags m Threads::Threads ${CMAKE_DL_LIBS})
    foreach(name gpu-nvrtc gpu-nvrtc-all)
        add_test(NAME ${name} COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/gpu/nvrtc.sh)
        set_tests_properties(${name} PROPERTIES LABELS gpu TIMEOUT 1800 SKIP_RETURN_CODE 77
            ENVIRONMENT "sources=$<TARGET_FILE:tern_gpu_sources>;nvrtc=$<TARGET_FILE:tern_gpu_nvrtc>")
    endforeach()
    set_tests_properties(gpu-nvrtc-all PROPERTIES LABELS long
        ENVIRONMENT "sources=$<TARGET_FILE:tern_gpu_sources>;nvrtc=$<TARGET_FILE:tern_gpu_nvrtc>;TERN_LONG=1")
endif()
