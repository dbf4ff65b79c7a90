//! Builds the runtime's WASM with its benchmarks, and leaves it where `lib.rs` finds its path.

use std::path::Path;

fn main() {
	let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime/Cargo.toml");
	substrate_wasm_builder::WasmBuilder::new()
		.with_project(runtime.canonicalize().expect("the runtime is in the same clone"))
		.expect("a Cargo.toml is a project")
		.enable_feature("runtime-benchmarks")
		.import_memory()
		.export_heap_base()
		.build();
}
