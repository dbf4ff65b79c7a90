//! Writes weights as Rust, each file for the pallet that it is for.

use std::{fmt::Write as _, path::PathBuf};

use crate::fit::{Fit, Line};

/// Where a pallet's weights go, and as what.
enum Shape {
	/// Into the pallet itself, which defines its own trait.
	Own,
	/// Into the runtime, as this trait of the SDK's.
	Trait(&'static str),
	/// Into the runtime, as functions that the runtime puts together itself.
	Free,
}

/// The file for the benchmarks of this name, from the root of the project.
pub fn path(pallet: &str) -> PathBuf {
	match shape(pallet) {
		Shape::Own => PathBuf::from(format!("pallets/{}/src/weights.rs", folder(pallet))),
		Shape::Trait(_) | Shape::Free => PathBuf::from(format!("runtime/src/weights/{pallet}.rs")),
	}
}

fn folder(pallet: &str) -> String {
	pallet.trim_start_matches("pallet_").replace('_', "-")
}

fn shape(pallet: &str) -> Shape {
	match pallet {
		"pallet_node_identity" | "pallet_rewards" | "pallet_bandwidth_attestations" | "pallet_validator_election" => {
			Shape::Own
		}
		"consensus" | "session" | "treasury" => Shape::Free,
		"frame_system" => Shape::Trait("frame_system::WeightInfo"),
		"frame_system_extensions" => Shape::Trait("frame_system::ExtensionsWeightInfo"),
		"pallet_balances" => Shape::Trait("pallet_balances::WeightInfo"),
		"pallet_bounties" => Shape::Trait("pallet_bounties::WeightInfo"),
		"pallet_child_bounties" => Shape::Trait("pallet_child_bounties::WeightInfo"),
		"pallet_conviction_voting" => Shape::Trait("pallet_conviction_voting::WeightInfo"),
		"pallet_multisig" => Shape::Trait("pallet_multisig::WeightInfo"),
		"pallet_preimage" => Shape::Trait("pallet_preimage::WeightInfo"),
		"pallet_proxy" => Shape::Trait("pallet_proxy::WeightInfo"),
		"pallet_referenda" => Shape::Trait("pallet_referenda::WeightInfo"),
		"pallet_safe_mode" => Shape::Trait("pallet_safe_mode::WeightInfo"),
		"pallet_scheduler" => Shape::Trait("pallet_scheduler::WeightInfo"),
		"pallet_timestamp" => Shape::Trait("pallet_timestamp::WeightInfo"),
		"pallet_transaction_payment" => Shape::Trait("pallet_transaction_payment::WeightInfo"),
		"pallet_tx_pause" => Shape::Trait("pallet_tx_pause::WeightInfo"),
		"pallet_utility" => Shape::Trait("pallet_utility::WeightInfo"),
		_ => Shape::Free,
	}
}

/// How it was measured, for the head of each file.
pub struct Origin {
	pub date: String,
	pub machine: String,
	pub effort: String,
}

impl Origin {
	/// The lines under a file's first.
	pub fn lines(&self) -> String {
		format!(
			"//!\n//! Measured on {}, on {}; {}.\n//! Written by `cargo xtask weights`: change the benchmarks, not this.\n\n",
			self.date, self.machine, self.effort
		)
	}
}

/// A file of weights.
pub fn file(pallet: &str, fits: &[Fit], origin: &Origin) -> String {
	let shape = shape(pallet);
	let (name, of) = match &shape {
		Shape::Own => ("Measured", "WeightInfo"),
		Shape::Trait(of) => ("Measured", *of),
		Shape::Free => ("Measured", ""),
	};
	let mut text = format!("//! What the calls of `{pallet}` cost.\n");
	text += &origin.lines();
	text += "use core::marker::PhantomData;\nuse frame_support::{traits::Get, weights::Weight};\n\n";
	if let Shape::Own = shape {
		text += "/// What the pallet's calls cost.\npub trait WeightInfo {\n";
		for fit in fits {
			let _ = write!(text, "{}\tfn {}({}) -> Weight;\n", docs(fit), fit.name, parameters(fit, false));
		}
		text += "}\n\n";
	}
	let _ = write!(
		text,
		"/// Measured times, and accesses at the runtime's database costs.\npub struct {name}<T>(PhantomData<T>);\n\n"
	);
	let (of, visible) = if of.is_empty() { (String::new(), "pub ") } else { (format!("{of} for "), "") };
	let _ = write!(text, "impl<T: frame_system::Config> {of}{name}<T> {{\n");
	for fit in fits {
		if !matches!(shape, Shape::Own) {
			text += &docs(fit);
		}
		text += &function(fit, visible);
	}
	text + "}\n"
}

/// The worst case in words. [`crate::report`] reads it back.
fn docs(fit: &Fit) -> String {
	let mut text = String::from("\t/// ");
	for (name, high) in &fit.components {
		let _ = write!(text, "`{name}` to {high}; ");
	}
	let (reads, writes) = fit.worst_accesses();
	let _ = write!(text, "at most {} ns, {reads} reads, {writes} writes.\n", fit.worst().div_ceil(1_000));
	text
}

fn parameters(fit: &Fit, mark_unused: bool) -> String {
	let used = |index: usize| {
		[&fit.time, &fit.reads, &fit.writes, &fit.proof]
			.iter()
			.any(|line| line.slopes.get(index).copied().unwrap_or_default() > 0)
	};
	let parameter = |(index, (name, _)): (usize, &(String, u32))| {
		let underscore = if mark_unused && !used(index) { "_" } else { "" };
		format!("{underscore}{name}: u32")
	};
	fit.components.iter().enumerate().map(parameter).collect::<Vec<_>>().join(", ")
}

fn function(fit: &Fit, visible: &str) -> String {
	let mut text = format!("\t{visible}fn {}({}) -> Weight {{\n", fit.name, parameters(fit, true));
	let _ = write!(text, "\t\tWeight::from_parts({}, {})\n", number(fit.time.base), number(fit.proof.base));
	for (index, (name, _)) in fit.components.iter().enumerate() {
		let (time, proof) = (slope(&fit.time, index), slope(&fit.proof, index));
		if time > 0 || proof > 0 {
			let per = format!("Weight::from_parts({}, {})", number(time), number(proof));
			let _ = write!(text, "\t\t\t.saturating_add({per}.saturating_mul({name}.into()))\n");
		}
	}
	for (line, access) in [(&fit.reads, "reads"), (&fit.writes, "writes")] {
		if line.base > 0 {
			let _ = write!(text, "\t\t\t.saturating_add(T::DbWeight::get().{access}({}))\n", line.base);
		}
		for (index, (name, _)) in fit.components.iter().enumerate() {
			let by = slope(line, index);
			if by > 0 {
				let _ = write!(
					text,
					"\t\t\t.saturating_add(T::DbWeight::get().{access}({by}).saturating_mul({name}.into()))\n"
				);
			}
		}
	}
	text + "\t}\n"
}

fn slope(line: &Line, index: usize) -> u64 {
	line.slopes.get(index).copied().unwrap_or_default()
}

/// With a `_` between thousands.
pub fn number(value: u64) -> String {
	let digits = value.to_string();
	let mut text = String::new();
	for (index, digit) in digits.chars().enumerate() {
		if index > 0 && (digits.len() - index) % 3 == 0 {
			text.push('_');
		}
		text.push(digit);
	}
	text
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn thousands_are_separated() {
		assert_eq!(
			(number(0), number(999), number(1_000), number(12_345_678)),
			("0".into(), "999".into(), "1_000".into(), "12_345_678".into())
		);
	}

	#[test]
	fn a_parameter_without_effect_is_marked_and_one_with_effect_is_used() {
		let line = |base, slope| Line { base, slopes: vec![0, slope] };
		let fit = Fit {
			name: "call".into(),
			components: vec![("a".into(), 1), ("b".into(), 2)],
			time: line(1_000, 10),
			reads: line(3, 1),
			writes: line(0, 0),
			proof: line(0, 0),
		};
		let text = function(&fit, "");
		assert!(text.contains("fn call(_a: u32, b: u32)"), "{text}");
		assert!(text.contains("Weight::from_parts(10, 0).saturating_mul(b.into())"), "{text}");
		assert!(text.contains("reads(3)") && text.contains("reads(1)") && !text.contains("writes"), "{text}");
	}
}
