//! All that reads bytes of strangers, on any bytes: frames, messages, signatures, and the handshake of CURVE.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| caller_kernel::fuzz_wire(data));
