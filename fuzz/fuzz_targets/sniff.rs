//! Anything: the notation is guessed, and frames of clients are taken off.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pgproof_fuzz::run(bytes, None));
