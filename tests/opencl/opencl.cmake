# The device opencl on the driver that is there; where none can work these tests are skipped.
if(NOT TARGET tern_backend_opencl)
    return()
endif()
add_library(tern_opencl_failing MODULE opencl/failing.c)
target_compile_options(tern_opencl_failing PRIVATE -fvisibility=default)
# It calls the loader by address alone, and needs it all the same.
target_link_libraries(tern_opencl_failing PRIVATE -Wl,--no-as-needed OpenCL::OpenCL ${CMAKE_DL_LIBS})
string(REPLACE "${PROJECT_BINARY_DIR}/lib/tern/plugins.d"
    "${PROJECT_BINARY_DIR}/lib/tern/plugins.d:${PROJECT_BINARY_DIR}/lib/tern/test-plugins.d"
    opencl_environment "${test_environment}")
set(on_a_driver ${CMAKE_CURRENT_SOURCE_DIR}/opencl/where_a_driver_works)
add_test(NAME opencl-faults COMMAND ${on_a_driver} bash ${CMAKE_CURRENT_SOURCE_DIR}/opencl/faults.sh)
add_test(NAME opencl-tune COMMAND ${on_a_driver} bash ${CMAKE_CURRENT_SOURCE_DIR}/opencl/tune.sh)
add_test(NAME opencl-linear COMMAND ${on_a_driver}
    bash ${CMAKE_CURRENT_SOURCE_DIR}/cli/test_train_linear.sh opencl)
# A driver compiles each kernel when it is first used, so that the whole suite takes long.
add_test(NAME conformance-opencl COMMAND ${on_a_driver} $<TARGET_FILE:tern_command> conformance --device opencl
    --vectors ${CMAKE_CURRENT_SOURCE_DIR}/vectors --filter "training/*" --timeout 200 --quiet)
add_test(NAME conformance-opencl-all COMMAND ${on_a_driver} $<TARGET_FILE:tern_command> conformance --device opencl
    --vectors ${CMAKE_CURRENT_SOURCE_DIR}/vectors --sample 500 --timeout 200 --quiet)
set_tests_properties(opencl-faults opencl-tune opencl-linear conformance-opencl conformance-opencl-all PROPERTIES
    LABELS opencl TIMEOUT 1200 SKIP_RETURN_CODE 77
    ENVIRONMENT "${opencl_environment};tern=$<TARGET_FILE:tern_command>;json_check=$<TARGET_FILE:tern_json_check>;source=${PROJECT_SOURCE_DIR};failing=$<TARGET_FILE:tern_opencl_failing>;between=${PROJECT_BINARY_DIR}/bin/tern_opencl_between")

set_tests_properties(opencl-tune PROPERTIES LABELS "opencl;long")

# How many programs are compiled.
add_test(NAME opencl-builds COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/opencl/builds.sh)
add_test(NAME opencl-builds-all COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/opencl/builds.sh)
set_tests_properties(opencl-builds PROPERTIES LABELS opencl TIMEOUT 300
    ENVIRONMENT "${opencl_environment};tern=$<TARGET_FILE:tern_command>;source=${PROJECT_SOURCE_DIR}")
set_tests_properties(opencl-builds-all PROPERTIES LABELS "opencl;long" TIMEOUT 1200
    ENVIRONMENT "${opencl_environment};tern=$<TARGET_FILE:tern_command>;source=${PROJECT_SOURCE_DIR};TERN_LONG=1")

# A simulated device finds invalid accesses and races.
add_test(NAME opencl-oclgrind COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/opencl/oclgrind.sh)
set_tests_properties(opencl-oclgrind PROPERTIES LABELS "opencl;long" TIMEOUT 3600 SKIP_RETURN_CODE 77
    ENVIRONMENT "${opencl_environment};tern=$<TARGET_FILE:tern_command>;json_check=$<TARGET_FILE:tern_json_check>;source=${PROJECT_SOURCE_DIR}")

# The same kernels as C on the host, where every work item is a fiber and undefined behaviour an error: one
# subject a family of kernels, and all of them by hand.
set(families exp where sum argmax softmax cumsum sort topk matmul nn.functional.conv2d
    nn.functional.conv_transpose2d nn.functional.max_pool2d nn.functional.avg_pool2d
    nn.functional.interpolate nn.functional.layer_norm nn.functional.batch_norm
    nn.functional.cross_entropy nn.functional.embedding nn.functional.scaled_dot_product_attention
    gather scatter_add index_put nonzero LSTM random properties/guards)
list(JOIN families "," families)
add_test(NAME conformance-gpu_host COMMAND tern_command conformance --device gpu_host
    --vectors ${CMAKE_CURRENT_SOURCE_DIR}/vectors --filter ${families} --sample 2000 --timeout 200 --quiet)
add_test(NAME conformance-gpu_host-all COMMAND tern_command conformance --device gpu_host
    --vectors ${CMAKE_CURRENT_SOURCE_DIR}/vectors --sample 400 --timeout 600 --quiet)
# Products and convolutions have a second form, of devices whose groups run on a core each.
foreach(family matmul conv2d)
    add_test(NAME conformance-gpu_host-cores-${family} COMMAND tern_command conformance --device gpu_host:1
        --vectors ${CMAKE_CURRENT_SOURCE_DIR}/vectors --filter "*${family}*" --sample 200 --timeout 200 --quiet)
    set_tests_properties(conformance-gpu_host-cores-${family} PROPERTIES LABELS opencl TIMEOUT 1200
        ENVIRONMENT "${opencl_environment}")
endforeach()
set_tests_properties(conformance-gpu_host PROPERTIES LABELS opencl TIMEOUT 600
    ENVIRONMENT "${opencl_environment}")
set_tests_properties(conformance-gpu_host-all PROPERTIES LABELS long TIMEOUT 3600
    ENVIRONMENT "${opencl_environment}")
set_tests_properties(conformance-opencl-all PROPERTIES LABELS long TIMEOUT 3600)
# Small programs that are interpreted, and conversions.
add_test(NAME conformance-gpu_host-interpreted COMMAND tern_command conformance --device gpu_host:1
    --vectors ${CMAKE_CURRENT_SOURCE_DIR}/vectors --filter "ops/[ew]*" --timeout 200 --quiet)
set_tests_properties(conformance-gpu_host-interpreted PROPERTIES LABELS opencl TIMEOUT 600
    ENVIRONMENT "${opencl_environment}")

# A program that is interpreted has the bits of one that is compiled.
add_executable(tern_opencl_interpreted opencl/interpreted.c)
target_link_libraries(tern_opencl_interpreted PRIVATE tern tern_flags m)
add_test(NAME opencl-interpreted COMMAND ${on_a_driver} $<TARGET_FILE:tern_opencl_interpreted> opencl opencl)
add_test(NAME gpu_host-interpreted COMMAND $<TARGET_FILE:tern_opencl_interpreted> gpu_host gpu_host:1)
set_tests_properties(opencl-interpreted gpu_host-interpreted PROPERTIES LABELS opencl TIMEOUT 600
    SKIP_RETURN_CODE 77 ENVIRONMENT "${opencl_environment};tern=$<TARGET_FILE:tern_command>")

# Memory does not grow while a model trains.
add_executable(tern_opencl_steady opencl/steady.c)
target_link_libraries(tern_opencl_steady PRIVATE tern tern_flags ${CMAKE_DL_LIBS})
add_test(NAME opencl-steady COMMAND ${on_a_driver} env LD_PRELOAD=$<TARGET_FILE:tern_opencl_failing>
    $<TARGET_FILE:tern_opencl_steady>)
set_tests_properties(opencl-steady PROPERTIES LABELS opencl TIMEOUT 600 SKIP_RETURN_CODE 77
    ENVIRONMENT "${opencl_environment};tern=$<TARGET_FILE:tern_command>")

# Copies between two devices, of which PoCL has as many as it is asked for.
add_executable(tern_opencl_between opencl/between.c)
target_link_libraries(tern_opencl_between PRIVATE tern tern_flags)
add_test(NAME opencl-between COMMAND ${on_a_driver} $<TARGET_FILE:tern_opencl_between>)
set_tests_properties(opencl-between PROPERTIES LABELS opencl TIMEOUT 600 SKIP_RETURN_CODE 77
    ENVIRONMENT "${opencl_environment};tern=$<TARGET_FILE:tern_command>;POCL_DEVICES=pthread pthread")
