//! Tells the stories where the programs are, and the test harness how many stories may be under way.

use std::path::Path;

/// More than there are: a story that waits for its turn takes a thread and nothing else. What runs at once is decided by
/// `laboratory/turns.rs`.
const THREADS: usize = 64;

fn main() {
	let out = std::env::var("OUT_DIR").expect("cargo says where output goes");
	// TARGET/debug/build/towpath-e2e-…/out, and programs are in TARGET/debug.
	let programs = Path::new(&out).ancestors().nth(3).expect("output goes below the folder of a profile");
	// Cargo itself says so only to tests of the program's own package.
	println!("cargo::rustc-env=CARGO_BIN_EXE_mesh-agent={}", programs.join("mesh-agent").display());
	// `cargo test` hands on to the tests what was set for compiling them.
	println!("cargo::rustc-env=RUST_TEST_THREADS={THREADS}");
	println!("cargo::rerun-if-changed=build.rs");
}
