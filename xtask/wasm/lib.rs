//! The runtime with its benchmarks.

include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));
