//! The specs in this folder are what the runtime's presets and the ceremony's template give. After a change that is meant,
//! `TOWPATH_REGENERATE=1 cargo test -p towpath-chain-spec` writes them anew.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};
use towpath_chain_spec::{ceremony, of_preset, to_text};

fn folder() -> &'static Path {
	Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn compare(file: &str, expected: String) {
	let path = folder().join(file);
	if std::env::var_os("TOWPATH_REGENERATE").is_some() {
		fs::write(&path, &expected).unwrap();
	}
	let found = fs::read_to_string(&path).unwrap_or_default();
	let line = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
	assert!(
		found == expected,
		"{file} differs from what the code gives, first in line {:?}; TOWPATH_REGENERATE=1 writes it anew",
		line.map(|line| line + 1)
	);
}

#[test]
fn the_specs_of_named_chains_are_what_the_presets_give() {
	compare("development.json", to_text(&of_preset("development").unwrap()));
	compare("local.json", to_text(&of_preset("local_testnet").unwrap()));
	assert!(of_preset("production").is_none());
}

#[test]
fn the_template_of_a_production_network_assembles_to_its_spec() {
	compare("production.json", to_text(&ceremony::assemble(&folder().join("production")).unwrap()));
}
