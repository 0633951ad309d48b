#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_fuzz_targets::run("relay_frame", data));
