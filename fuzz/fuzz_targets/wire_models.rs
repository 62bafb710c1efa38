#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| butler_fuzz::targets::wire_models(data));
