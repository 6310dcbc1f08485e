#![no_main]

#[path = "../../tests/support/invariants.rs"]
#[allow(dead_code, reason = "each target asks its own")]
mod invariants;

libfuzzer_sys::fuzz_target!(|data: &[u8]| invariants::proxy_protocol(data));
