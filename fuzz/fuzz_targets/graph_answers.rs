//! libFuzzer's way in to what Entra ID and Graph answer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::graph_answers::read(bytes));
