//! libFuzzer's way in to the connector's public key, as somebody pastes it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::connector_key::read(bytes));
