//! Runs the runtime's benchmarks: how long each takes, and what of the state it reads and writes.

use std::time::Instant;

use anyhow::{bail, ensure, Context, Result};
use codec::{Decode, Encode};
use frame_benchmarking::{
	BenchmarkBatch, BenchmarkConfig, BenchmarkList, BenchmarkMetadata, BenchmarkParameter, BenchmarkResult,
};
use frame_support::traits::StorageInfo;
use sc_client_db::BenchmarkingState;
use sp_core::traits::CallContext;
use sp_storage::Storage;

use crate::runtime::{Changes, Hashing, Runtime};

/// A point takes no more time than this, whatever the number of repeats: seconds.
const POINT_SECONDS: f64 = 2.0;
/// No point has fewer repeats.
const LEAST_REPEATS: u32 = 3;

/// How often to measure.
#[derive(Clone, Copy)]
pub struct Effort {
	/// Values of each parameter.
	pub steps: u32,
	/// Measurements of each value.
	pub repeats: u32,
}

/// What was measured of one benchmark.
pub struct Measured {
	pub name: String,
	/// Its parameters, with the greatest value of each.
	pub components: Vec<(String, u32)>,
	/// Times, in nanoseconds.
	pub times: Vec<BenchmarkResult>,
	/// Reads, writes, and bytes of a proof.
	pub accesses: Vec<BenchmarkResult>,
}

/// Runs benchmarks on one genesis state.
pub struct Bench<'a> {
	runtime: &'a Runtime,
	/// Records accesses.
	tracking: BenchmarkingState<Hashing>,
	/// Is not slowed down by that.
	timing: BenchmarkingState<Hashing>,
}

impl<'a> Bench<'a> {
	pub fn new(runtime: &'a Runtime, genesis: Storage) -> Result<Self> {
		let state =
			|tracked| BenchmarkingState::new(genesis.clone(), None, tracked, tracked).map_err(anyhow::Error::msg);
		Ok(Bench { runtime, tracking: state(true)?, timing: state(false)? })
	}

	/// The benchmarks that there are.
	pub fn list(&self) -> Result<Vec<BenchmarkList>> {
		let mut overlay = Changes::default();
		let data = false.encode();
		let answer = self.runtime.call(
			&self.timing,
			&mut overlay,
			"Benchmark_benchmark_metadata",
			&data,
			CallContext::Offchain,
		)?;
		let (list, _) = <(Vec<BenchmarkList>, Vec<StorageInfo>)>::decode(&mut &answer[..])?;
		Ok(list)
	}

	/// Runs one benchmark over all values of its parameters.
	pub fn run(&self, list: &BenchmarkList, benchmark: &BenchmarkMetadata, effort: Effort) -> Result<Measured> {
		let name = String::from_utf8(benchmark.name.clone())?;
		let mut measured = Measured {
			components: benchmark.components.iter().map(|(name, _, high)| (name.to_string(), *high)).collect(),
			name,
			times: Vec::new(),
			accesses: Vec::new(),
		};
		for selected in points(&benchmark.components, effort.steps) {
			let config = |verify, internal_repeats| BenchmarkConfig {
				pallet: list.pallet.clone(),
				instance: list.instance.clone(),
				benchmark: benchmark.name.clone(),
				selected_components: selected.clone(),
				verify,
				internal_repeats,
			};
			// The first run also shows how many repeats there is time for.
			let start = Instant::now();
			let accesses = self.dispatch(&self.tracking, &config(true, 1))?;
			let once = start.elapsed().as_secs_f64() / 2.0;
			let repeats =
				((POINT_SECONDS / once.max(1e-6)) as u32).clamp(LEAST_REPEATS.min(effort.repeats), effort.repeats);
			measured.accesses.extend(accesses);
			measured.times.extend(self.dispatch(&self.timing, &config(false, repeats))?);
		}
		ensure!(!measured.times.is_empty() && !measured.accesses.is_empty(), "nothing was measured");
		Ok(measured)
	}

	fn dispatch(&self, state: &BenchmarkingState<Hashing>, config: &BenchmarkConfig) -> Result<Vec<BenchmarkResult>> {
		let mut overlay = Changes::default();
		let answer = self
			.runtime
			.call(state, &mut overlay, "Benchmark_dispatch_benchmark", &config.encode(), CallContext::Offchain)
			.with_context(|| format!("with {:?}", config.selected_components))?;
		match Result::<Vec<BenchmarkBatch>, String>::decode(&mut &answer[..])? {
			Ok(batches) => Ok(batches.into_iter().flat_map(|batch| batch.results).collect()),
			Err(error) => bail!("with {:?}: {error}", config.selected_components),
		}
	}
}

/// The values at which to measure: each parameter over its range, the others at their greatest.
fn points(components: &[(BenchmarkParameter, u32, u32)], steps: u32) -> Vec<Vec<(BenchmarkParameter, u32)>> {
	let greatest: Vec<_> = components.iter().map(|(name, _, high)| (*name, *high)).collect();
	if components.is_empty() {
		return vec![greatest];
	}
	let mut points = Vec::new();
	for (index, (name, low, high)) in components.iter().enumerate() {
		let (span, last) = (u64::from(high - low), u64::from(steps.max(2) - 1).min(u64::from(high - low)).max(1));
		for step in 0..=last {
			let value = low + u32::try_from(span * step / last).unwrap_or(u32::MAX);
			let mut point = greatest.clone();
			point[index] = (*name, value);
			if !points.contains(&point) {
				points.push(point);
			}
		}
	}
	points
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn every_parameter_goes_over_its_range_while_the_others_are_at_their_greatest() {
		use BenchmarkParameter::{a, b};
		let points = points(&[(a, 0, 10), (b, 1, 2)], 3);
		let expected: Vec<Vec<(BenchmarkParameter, u32)>> =
			vec![vec![(a, 0), (b, 2)], vec![(a, 5), (b, 2)], vec![(a, 10), (b, 2)], vec![(a, 10), (b, 1)]];
		assert_eq!(points, expected);
	}

	#[test]
	fn a_benchmark_without_parameters_has_one_point() {
		assert_eq!(points(&[], 20), vec![vec![]]);
	}
}
