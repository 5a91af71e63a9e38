//! libFuzzer's way in to what anybody may send to the webhook.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::webhook::read(bytes));
