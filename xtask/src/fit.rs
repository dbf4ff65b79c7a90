//! From measurements to the formula of a weight, which is never below what was measured.

use std::collections::BTreeMap;

use anyhow::{anyhow, Result};
use frame_benchmarking::{Analysis, BenchmarkResult, BenchmarkSelector};

use crate::measure::Measured;

/// A quantity that grows with the benchmark's parameters: a base, and so much for each unit of each parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
	pub base: u64,
	pub slopes: Vec<u64>,
}

impl Line {
	fn at(&self, values: &[u32]) -> u64 {
		self.slopes
			.iter()
			.zip(values)
			.fold(self.base, |sum, (slope, value)| sum.saturating_add(slope.saturating_mul((*value).into())))
	}
}

/// The formula of one weight.
pub struct Fit {
	pub name: String,
	pub components: Vec<(String, u32)>,
	/// Picoseconds.
	pub time: Line,
	/// Items read.
	pub reads: Line,
	/// Items written.
	pub writes: Line,
	/// Bytes of a proof over what is read.
	pub proof: Line,
}

impl Fit {
	/// Time at the greatest parameters, in picoseconds.
	pub fn worst(&self) -> u64 {
		self.time.at(&self.greatest())
	}

	/// Reads and writes there.
	pub fn worst_accesses(&self) -> (u64, u64) {
		(self.reads.at(&self.greatest()), self.writes.at(&self.greatest()))
	}

	fn greatest(&self) -> Vec<u32> {
		self.components.iter().map(|(_, high)| *high).collect()
	}
}

/// Fits lines by least squares, and lifts them until no point lies above.
pub fn fit(measured: &Measured) -> Result<Fit> {
	let line = |results: &Vec<BenchmarkResult>, selector| line(results, &measured.components, selector);
	Ok(Fit {
		name: measured.name.clone(),
		components: measured.components.clone(),
		time: line(&measured.times, BenchmarkSelector::ExtrinsicTime)?,
		reads: line(&measured.accesses, BenchmarkSelector::Reads)?,
		writes: line(&measured.accesses, BenchmarkSelector::Writes)?,
		proof: line(&measured.accesses, BenchmarkSelector::ProofSize)?,
	})
}

/// In a nanosecond.
const PICOSECONDS: u64 = 1_000;

fn line(results: &Vec<BenchmarkResult>, components: &[(String, u32)], selector: BenchmarkSelector) -> Result<Line> {
	let analysis = Analysis::min_squares_iqr(results, selector).map_err(|error| anyhow!("no line fits: {error}"))?;
	let narrow = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
	let slope_of = |name: &String| {
		analysis.names.iter().position(|other| other == name).and_then(|at| analysis.slopes.get(at)).copied()
	};
	let slopes = components.iter().map(|(name, _)| narrow(slope_of(name).unwrap_or_default())).collect();
	let mut line = Line { base: narrow(analysis.base), slopes };
	let above = medians(results, selector).into_iter().map(|(at, value)| value.saturating_sub(line.at(&at)));
	line.base = line.base.saturating_add(above.max().unwrap_or_default());
	Ok(line)
}

/// The median at each point.
fn medians(results: &[BenchmarkResult], selector: BenchmarkSelector) -> Vec<(Vec<u32>, u64)> {
	let mut points = BTreeMap::<Vec<u32>, Vec<u64>>::new();
	for result in results {
		let value = match selector {
			BenchmarkSelector::ExtrinsicTime => {
				u64::try_from(result.extrinsic_time).unwrap_or(u64::MAX).saturating_mul(PICOSECONDS)
			}
			BenchmarkSelector::Reads => result.reads.into(),
			BenchmarkSelector::Writes => result.writes.into(),
			_ => result.proof_size.into(),
		};
		points.entry(result.components.iter().map(|(_, value)| *value).collect()).or_default().push(value);
	}
	let median = |mut values: Vec<u64>| {
		values.sort_unstable();
		values[values.len() / 2]
	};
	points.into_iter().map(|(at, values)| (at, median(values))).collect()
}

#[cfg(test)]
mod tests {
	use super::*;
	use frame_benchmarking::BenchmarkParameter;

	fn result(n: u32, nanoseconds: u128) -> BenchmarkResult {
		BenchmarkResult {
			components: vec![(BenchmarkParameter::n, n)],
			extrinsic_time: nanoseconds,
			reads: 3 + 2 * n,
			..Default::default()
		}
	}

	fn fitted(times: Vec<BenchmarkResult>) -> Fit {
		let accesses = times.clone();
		fit(&Measured { name: "call".into(), components: vec![("n".into(), 8)], times, accesses }).expect("a line fits")
	}

	#[test]
	fn a_straight_line_is_found() {
		let fit = fitted((0..=8).map(|n| result(n, 1_000 + 50 * u128::from(n))).collect());
		assert_eq!(fit.reads, Line { base: 3, slopes: vec![2] });
		let (base, slope) = (fit.time.base, fit.time.slopes[0]);
		assert!((999_000..=1_001_000).contains(&base) && (49_900..=50_100).contains(&slope), "{base} {slope}");
	}

	#[test]
	fn nothing_that_was_measured_costs_more_than_its_weight() {
		// Costs that jump where a line cannot.
		let cost = |n: u32| if n >= 6 { 10_000 } else { 1_000 };
		let fit = fitted((0..=8).flat_map(|n| (0..3).map(move |_| result(n, cost(n)))).collect());
		for n in 0..=8 {
			assert!(u128::from(fit.time.at(&[n])) >= cost(n) * 1_000, "{n}");
		}
	}
}
