//! Golden vectors of the agent's protocol: what every implementation must put on the wire to the last bit, in
//! `tests/vectors/*.json`.
//!
//! Every vector is compared with the committed file, with what the code reads back from its bytes, and with [`stranger`]: the
//! rules of `docs/protocol.md` written a second time from primitives. In [`live`] the code serves a neighbour made of these
//! rules alone. A change in the files breaks links and circuits
//! between versions: it is right only together with a new version in the domains. To write the files anew:
//!
//! ```sh
//! TOWPATH_REGENERATE_VECTORS=1 cargo test -p towpath-proto --test golden
//! ```
//!
//! and look at the difference. Integers are decimal strings, because JSON's numbers end at 2^53; bytes are hexadecimal.
//! `layout` lists the parts of a message in the order in which they stand in `bytes`, each as a name and its bytes.

#![allow(clippy::unwrap_used)]

mod babel;
mod beacon;
mod circuit;
mod handshake;
mod live;
mod messages;
mod packet;
mod reading;
mod scenario;
mod stranger;

use std::{fs, path::PathBuf};

use codec::{Decode, Encode};
use serde_json::{json, Value};
use towpath_proto::wire::control::decode;

/// Compares with the committed file, or writes it if that is asked for.
fn compare(file: &str, computed: Vec<Value>) {
	let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
	let computed = Value::Array(computed);
	if std::env::var_os("TOWPATH_REGENERATE_VECTORS").is_some() {
		fs::write(&path, serde_json::to_string_pretty(&computed).unwrap() + "\n").unwrap();
	}
	let committed: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
	assert_eq!(computed, committed, "the code no longer computes what {} says", path.display());
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
	hex::encode(bytes)
}

/// The parts of a message, written by hand: the layout in the specification's words.
type Layout = Vec<(&'static str, Vec<u8>)>;

fn joined(layout: &Layout) -> Vec<u8> {
	layout.iter().flat_map(|(_, bytes)| bytes.clone()).collect()
}

fn layout_json(layout: &Layout) -> Value {
	layout.iter().map(|(name, bytes)| Value::String(format!("{name}: {}", hex(bytes)))).collect()
}

/// The vector of a SCALE message: the code writes and reads exactly the parts of the layout.
fn vector<T: Encode + Decode + PartialEq + core::fmt::Debug>(name: &str, message: &T, layout: Layout) -> Value {
	let bytes = joined(&layout);
	assert_eq!(hex(message.encode()), hex(&bytes), "{name} is not written as specified");
	assert_eq!(decode::<T>(&bytes).as_ref(), Some(message), "{name} is not read as specified");
	json!({ "message": name, "layout": layout_json(&layout), "bytes": hex(bytes) })
}
