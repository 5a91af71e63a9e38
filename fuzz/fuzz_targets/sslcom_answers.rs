//! libFuzzer's way in to what SSL.com answers.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::sslcom_answers::read(bytes));
