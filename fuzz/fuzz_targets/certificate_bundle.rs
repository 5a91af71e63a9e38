//! libFuzzer's way in to the certificates that a CA sends.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::certificate_bundle::read(bytes));
