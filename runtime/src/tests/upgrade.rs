//! The rehearsal of an upgrade (`make zombienet`) builds a next version out of this tree and a patch.

use std::process::Command;

#[test]
fn the_patch_of_the_rehearsed_next_version_fits_this_tree() {
	let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
	let patch = "zombienet/upgrade/next.patch";
	let output = Command::new("git").args(["apply", "--check", patch]).current_dir(tree).output().unwrap();
	let errors = String::from_utf8_lossy(&output.stderr);
	assert!(output.status.success(), "{patch}: docs/upgrades.md says how to renew it\n{errors}");
}
