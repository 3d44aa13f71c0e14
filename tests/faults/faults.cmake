# A sample of each in the tests, and the whole with the label `long`.
add_library(tern_failing_calls MODULE faults/failing_calls.c)
target_link_libraries(tern_failing_calls PRIVATE tern_flags ${CMAKE_DL_LIBS})
set_target_properties(tern_failing_calls PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)

# tern_faults_test(NAME LABEL COMMAND ...)
function(tern_faults_test name label)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES LABELS ${label} ENVIRONMENT "${test_environment}" TIMEOUT 7200)
endfunction()

set(faults ${CMAKE_CURRENT_SOURCE_DIR}/faults)
set(failing_calls ${TERN_PYTHON} -B ${faults}/failing_calls.py $<TARGET_FILE:tern_command>
    $<TARGET_FILE:tern_failing_calls>)
tern_faults_test(failing-calls faults ${failing_calls} 73)
tern_faults_test(failing-calls-all long ${failing_calls} 1 24) # 24 epochs: a thousand kills
set(large_files ${TERN_PYTHON} -B ${faults}/large_files.py $<TARGET_FILE:tern_command>)
tern_faults_test(large-files faults ${large_files} 268435456 200000000 "npy, columns first")
tern_faults_test(large-files-all long ${large_files} 5368709120 1000000000)
set(allocations_of $<TARGET_FILE:tern_allocations_of> ${PROJECT_SOURCE_DIR}/tests/data
    ${PROJECT_BINARY_DIR}/Testing/allocations)
tern_faults_test(allocations-of faults ${allocations_of} 61)
tern_faults_test(allocations-of-all long ${allocations_of} 1)
# Each opens a context of its own.
string(REPLACE "plugins.d" "cpu_ref.d" allocations_environment "${test_environment}")
set_tests_properties(allocations-of allocations-of-all PROPERTIES ENVIRONMENT "${allocations_environment}")
