#![no_main]

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, u64)| {
    let (field, len) = input;
    tower_zerocopy_fs::fuzzing::range(&field, len)
});
