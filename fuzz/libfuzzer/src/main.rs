//! One binary for all targets: `TOWPATH_FUZZ_TARGET` names the one to run, the rest is libFuzzer's own command line.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use towpath_fuzz::{heap::Counting, target, Target};

#[global_allocator]
static HEAP: Counting = Counting;

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
	let target = TARGET.get_or_init(|| {
		let name = std::env::var("TOWPATH_FUZZ_TARGET").unwrap_or_default();
		target(&name).unwrap_or_else(|| panic!("TOWPATH_FUZZ_TARGET={name:?} names no target"))
	});
	(target.run)(bytes);
});
