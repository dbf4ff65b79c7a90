//! What wallets, agents and stored state rely on: indices and arguments of calls, names and types of storage.
//!
//! `runtime/layout.txt` is what the chain promised last. A change that breaks what is signed already needs a new
//! `transaction_version`, one that breaks what is stored needs a migration and a new storage version, and either needs a new
//! `spec_version`. These tests see such a change, and say what to do.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use frame_support::traits::{GetStorageVersion, StorageVersion};
use scale_info::{form::MetaForm, Field, MetaType, TypeDef};
use sp_metadata_ir::StorageEntryTypeIR;

use super::*;

/// Set to `write`, the tests replace `layout.txt` instead of complaining about it.
const SWITCH: &str = "TOWPATH_LAYOUT";
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/layout.txt");

/// A type's shape, down to the primitive types, so that a change anywhere inside shows.
fn shape(ty: &MetaType, open: &mut Vec<MetaType>) -> String {
	let info = ty.type_info();
	let name = info.path.segments.join("::");
	// The sum of all calls and events is not part of any one of them.
	let sum = ["RuntimeCall", "RuntimeEvent", "RuntimeError"].iter().any(|sum| name.ends_with(sum));
	if sum || open.contains(ty) {
		return name;
	}
	open.push(*ty);
	let mut fields = |fields: &[Field<MetaForm>]| {
		let field = |field: &Field<MetaForm>| format!("{}:{}", field.name.unwrap_or(""), shape(&field.ty, open));
		fields.iter().map(field).collect::<Vec<_>>().join(",")
	};
	let text = match &info.type_def {
		TypeDef::Composite(composite) => format!("{{{}}}", fields(&composite.fields)),
		TypeDef::Variant(variants) => {
			let variant = |variant: &scale_info::Variant<MetaForm>| {
				format!("{}={}({})", variant.name, variant.index, fields(&variant.fields))
			};
			format!("<{}>", variants.variants.iter().map(variant).collect::<Vec<_>>().join("|"))
		}
		TypeDef::Sequence(of) => format!("[{}]", shape(&of.type_param, open)),
		TypeDef::Array(of) => format!("[{};{}]", shape(&of.type_param, open), of.len),
		TypeDef::Tuple(of) => format!("({})", of.fields.iter().map(|ty| shape(ty, open)).collect::<Vec<_>>().join(",")),
		TypeDef::Compact(of) => format!("compact {}", shape(&of.type_param, open)),
		TypeDef::Primitive(primitive) => format!("{primitive:?}"),
		TypeDef::BitSequence(_) => "bits".into(),
	};
	open.pop();
	text
}

/// A type's name, and a fingerprint of its shape where the name does not say everything.
fn ty(ty: &MetaType) -> String {
	let shape = shape(ty, &mut Vec::new());
	let info = ty.type_info();
	match info.path.segments.last() {
		None if shape.len() <= 20 => shape,
		name => {
			let hash = sp_io::hashing::blake2_128(shape.as_bytes());
			format!("{}#{}", name.unwrap_or(&"_"), hex(&hash[..4]))
		}
	}
}

fn hex(bytes: &[u8]) -> String {
	bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lines that begin with `call` and with `key`, one for each call and each stored item.
fn current() -> String {
	let mut text = String::new();
	let _ = writeln!(text, "spec_version {}", VERSION.spec_version);
	let _ = writeln!(text, "transaction_version {}", VERSION.transaction_version);
	for pallet in genesis("development").execute_with(Runtime::metadata_ir).pallets {
		if let Some(version) = storage_version(pallet.name) {
			let _ = writeln!(text, "version {} {version}", pallet.name);
		}
		if let Some(calls) = &pallet.calls {
			let info = calls.ty.type_info();
			let TypeDef::Variant(calls) = &info.type_def else { panic!("calls are variants") };
			for call in &calls.variants {
				let argument = |field: &Field<MetaForm>| format!("{}: {}", field.name.unwrap_or("_"), ty(&field.ty));
				let arguments = call.fields.iter().map(argument).collect::<Vec<_>>().join(", ");
				let _ =
					writeln!(text, "call {}.{} {}.{}({arguments})", pallet.index, call.index, pallet.name, call.name);
			}
		}
		if let Some(storage) = &pallet.storage {
			for entry in &storage.entries {
				let of = match &entry.ty {
					StorageEntryTypeIR::Plain(value) => ty(value),
					StorageEntryTypeIR::Map { hashers, key, value } => {
						format!("{hashers:?} {} -> {}", ty(key), ty(value))
					}
				};
				let _ = writeln!(text, "key {}.{} {:?} {of}", storage.prefix, entry.name, entry.modifier);
			}
		}
	}
	text
}

/// The versions that our own pallets give their storage. The SDK looks after its own.
fn storage_version(pallet: &str) -> Option<u16> {
	let version: StorageVersion = match pallet {
		"NodeIdentity" => NodeIdentity::in_code_storage_version(),
		"Rewards" => Rewards::in_code_storage_version(),
		"BandwidthAttestations" => BandwidthAttestations::in_code_storage_version(),
		"ValidatorElection" => ValidatorElection::in_code_storage_version(),
		_ => return None,
	};
	// It has no other way out than its encoding.
	Some(u16::from_le_bytes(version.encode().try_into().unwrap()))
}

fn number(text: &str, name: &str) -> Option<u32> {
	text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn lines<'a>(text: &'a str, kind: &str) -> BTreeSet<&'a str> {
	text.lines().filter(|line| line.split(' ').next() == Some(kind)).collect()
}

/// What is wrong with going from one layout to the other.
fn complaints(old: &str, new: &str) -> Vec<String> {
	let mut complaints = Vec::new();
	let changed = |kind: &str| -> Vec<String> {
		let (old, new) = (lines(old, kind), lines(new, kind));
		let gone = old.difference(&new).map(|line| format!("- {line}"));
		gone.chain(new.difference(&old).map(|line| format!("+ {line}"))).collect()
	};
	let rose = |name: &str| number(new, name) > number(old, name);
	let (calls, keys) = (changed("call"), changed("key"));
	if !calls.is_empty() && !rose("transaction_version") {
		complaints
			.push(format!("calls changed: raise transaction_version in runtime/src/lib.rs\n{}", calls.join("\n")));
	}
	if !(calls.is_empty() && keys.is_empty()) && !rose("spec_version") {
		complaints.push("calls or storage changed: raise spec_version in runtime/src/lib.rs".into());
	}
	for pallet in ["NodeIdentity", "Rewards", "BandwidthAttestations", "ValidatorElection"] {
		let (ours, version) = (format!(" {pallet}."), format!("version {pallet}"));
		if keys.iter().any(|line| line.contains(&ours)) && !rose(&version) {
			let keys = keys.iter().filter(|line| line.contains(&ours)).cloned().collect::<Vec<_>>().join("\n");
			complaints.push(format!("{pallet}'s storage changed: raise its STORAGE_VERSION, with a migration\n{keys}"));
		}
	}
	complaints
}

#[test]
fn calls_and_storage_are_as_promised() {
	let (old, new) = (fs::read_to_string(FILE).unwrap_or_default(), current());
	let complaints = complaints(&old, &new);
	assert!(old.is_empty() || complaints.is_empty(), "{}", complaints.join("\n\n"));
	if std::env::var(SWITCH).is_ok_and(|value| value == "write") {
		fs::write(FILE, &new).unwrap();
		return;
	}
	let write = format!("{SWITCH}=write cargo test -p towpath-runtime layout");
	assert!(old == new, "runtime/layout.txt is out of date: run `{write}`, and commit it");
}

#[test]
fn a_change_without_a_new_version_is_seen() {
	let layout = "spec_version 2\ntransaction_version 2\nversion Rewards 1\ncall 11.0 Rewards.open(a: U32)\nkey Rewards.Burned Default U128\n";
	assert_eq!(complaints(layout, layout), Vec::<String>::new());
	let call = layout.replace("a: U32", "a: U64");
	assert_eq!(complaints(layout, &call).len(), 2);
	assert_eq!(complaints(layout, &call.replace("_version 2", "_version 3")), Vec::<String>::new());
	let key = layout.replace("U128", "U64");
	assert_eq!(complaints(layout, &key).len(), 2);
	assert_eq!(complaints(layout, &key.replace("spec_version 2", "spec_version 3")).len(), 1);
	let migrated = key.replace("spec_version 2", "spec_version 3").replace("Rewards 1", "Rewards 2");
	assert_eq!(complaints(layout, &migrated), Vec::<String>::new());
}

#[test]
fn a_field_within_a_type_is_part_of_the_fingerprint() {
	#[derive(scale_info::TypeInfo)]
	#[allow(dead_code)]
	struct Inner<T>(T);
	#[derive(scale_info::TypeInfo)]
	#[allow(dead_code)]
	struct Outer<T> {
		inner: Vec<Inner<T>>,
	}
	let fingerprint = |of: MetaType| ty(&of);
	let (narrow, wide) = (MetaType::new::<Outer<u8>>(), MetaType::new::<Outer<u16>>());
	assert!(fingerprint(narrow).starts_with("Outer#"));
	assert_ne!(fingerprint(narrow), fingerprint(wide));
}
