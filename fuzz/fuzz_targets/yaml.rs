//! Plans in YAML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof_fuzz::Notation;

fuzz_target!(|bytes: &[u8]| pgproof_fuzz::run(bytes, Some(Notation::Yaml)));
