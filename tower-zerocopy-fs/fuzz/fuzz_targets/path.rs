#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| tower_zerocopy_fs::fuzzing::path(input));
