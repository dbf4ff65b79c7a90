//! What a circuit costs in memory stays what it is: the figures of `towpath-sim memory` follow from one seed, and these bounds
//! are less than twice as high.

use towpath_fuzz::heap::Counting;
use towpath_sim::memory::{weigh, Cost, Crowd};

#[global_allocator]
static HEAP: Counting = Counting;

#[test]
fn a_circuit_takes_little_of_those_who_carry_it_and_gives_back_most_of_what_it_takes_while_it_is_busy() {
	let figures = weigh(Crowd { households: 8, routers: 8 });
	println!("{figures:?}");
	// One circuit alone also has the rooms for ten others that come with a table's first entry.
	for (state, cost, most) in [
		("quiet", figures.quiet, Cost { source: 24_000, relay: 2_400, far: 16_000 }),
		("busy", figures.busy, Cost { source: 320_000, relay: 28_000, far: 1_800_000 }),
		("calm again", figures.calm, Cost { source: 84_000, relay: 28_000, far: 42_000 }),
	] {
		let costs = [(cost.source, most.source), (cost.relay, most.relay), (cost.far, most.far)];
		assert!(costs.iter().all(|(bytes, most)| (most / 3..*most).contains(bytes)), "{state}: {cost:?}, not {most:?}");
	}
}
