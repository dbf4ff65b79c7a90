//! What a new measurement changes, against the files that it replaces.

use std::collections::BTreeMap;

use crate::fit::Fit;

/// The worst case of one weight: nanoseconds, reads, writes.
type Worst = (u64, u64, u64);

/// The worst cases that a file of weights states.
pub fn stated(text: &str) -> BTreeMap<String, Worst> {
	let mut stated = BTreeMap::new();
	let mut last = None;
	for line in text.lines().map(str::trim) {
		if let Some(words) = line.strip_prefix("///") {
			last = worst(words);
		} else if let Some(rest) = line.strip_prefix("pub fn ").or_else(|| line.strip_prefix("fn ")) {
			if let (Some(worst), Some((name, _))) = (last.take(), rest.split_once('(')) {
				stated.insert(name.to_owned(), worst);
			}
		}
	}
	stated
}

fn worst(words: &str) -> Option<Worst> {
	let (_, figures) = words.split_once("at most ")?;
	let mut figures = figures.split(", ").map(|figure| figure.split(' ').next()?.parse().ok());
	Some((figures.next()??, figures.next()??, figures.next()??))
}

/// One line for each weight that is new, gone or different by more than a tenth.
pub fn differences(pallet: &str, old: &BTreeMap<String, Worst>, fits: &[Fit]) -> Vec<String> {
	let mut lines = Vec::new();
	for fit in fits {
		let (reads, writes) = fit.worst_accesses();
		let new = (fit.worst().div_ceil(1_000), reads, writes);
		let figures =
			|(time, reads, writes): Worst| format!("{:.1} µs, {reads} reads, {writes} writes", time as f64 / 1_000.0);
		match old.get(&fit.name) {
			None => lines.push(format!("{pallet}::{}: new: {}", fit.name, figures(new))),
			Some(was) => {
				let percent = (new.0 as f64 / (was.0.max(1) as f64) - 1.0) * 100.0;
				if percent.abs() > 10.0 || (was.1, was.2) != (new.1, new.2) {
					lines.push(format!(
						"{pallet}::{}: {} -> {} ({percent:+.0} %)",
						fit.name,
						figures(*was),
						figures(new)
					));
				}
			}
		}
	}
	let gone = old.keys().filter(|name| !fits.iter().any(|fit| fit.name == **name));
	lines.extend(gone.map(|name| format!("{pallet}::{name}: gone")));
	lines
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_worst_cases_of_a_file_are_read_back() {
		let text = "\t/// `n` to 32; at most 12345 ns, 4 reads, 3 writes.\n\tfn open(n: u32) -> Weight;\n\tfn other() -> Weight;\n";
		assert_eq!(stated(text), BTreeMap::from([("open".into(), (12_345, 4, 3))]));
	}
}
