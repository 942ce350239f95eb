#![no_main]

#[allow(dead_code)]
#[path = "../checks/package.rs"]
mod package;

libfuzzer_sys::fuzz_target!(|data: &[u8]| package::check(data));
