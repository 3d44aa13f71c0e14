# Every example runs and prints what tests/examples/NAME.txt holds, also where sanitizers watch; an
# example without such a file fails.
set(example_check ${CMAKE_CURRENT_SOURCE_DIR}/examples/check)
set(arguments_regression_csv ${PROJECT_SOURCE_DIR}/examples/data/houses.csv)
set(arguments_answer ${PROJECT_SOURCE_DIR}/examples/data/xor.pth
    "Sequential(Linear(2, 8), Tanh(), Linear(8, 1), Sigmoid())" 2)
set(arguments_two_threads ${PROJECT_SOURCE_DIR}/examples/data/xor.pth)
foreach(name IN LISTS tern_examples)
    set(expected ${CMAKE_CURRENT_SOURCE_DIR}/examples/${name}.txt)
    tern_check(example-${name} examples
        ${example_check} ${expected} ${PROJECT_BINARY_DIR}/examples/${name} ${arguments_${name}})
    tern_variant_test(example-${name}-asan asan sanitizer
        ${sanitized} @V@/logs/example-${name}
        ${example_check} ${expected} @V@/examples/${name} ${arguments_${name}})
endforeach()
