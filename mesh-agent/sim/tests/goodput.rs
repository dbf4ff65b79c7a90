//! The part of the paid-goodput promise that is quick enough for every run: what a circuit keeps of its speed when it is
//! paid for. `towpath-sim paid-goodput` plays all of it.

#![allow(clippy::unwrap_used)]

mod common;

use common::ms;
use towpath_sim::goodput::Scenario;

fn promised(routers: usize, loss: u64, tcp: bool, ways: &[bool]) {
	for upload in ways.iter().copied() {
		let scenario = Scenario { routers, rate: 10_000_000, rtt: ms(20), loss, upload, tcp };
		let outcome = scenario.mean(8);
		let least = if loss == 0 { 0.97 } else { 0.90 };
		assert!(outcome.ratio() >= least, "{scenario:?} keeps {:.3}", outcome.ratio());
		assert_eq!(outcome.no_credit, 0, "{scenario:?}");
		assert!(outcome.risk <= 1.0, "{scenario:?} risks {:.2}", outcome.risk);
	}
}

#[test]
fn a_paid_circuit_keeps_97_percent_of_its_speed() {
	promised(3, 0, true, &[true, false]);
	promised(3, 0, false, &[true, false]);
}

// Two tests, so that they run side by side: eight seeds take their time.

#[test]
fn a_paid_flow_like_tcp_keeps_90_percent_of_its_speed_where_links_lose_packets() {
	promised(3, 100, true, &[true, false]);
}

#[test]
fn a_paid_constant_download_keeps_90_percent_of_its_speed_where_links_lose_packets() {
	promised(3, 100, false, &[false]);
	// On a long path a backlog that overflows a queue does the most harm.
	promised(6, 100, false, &[false]);
}
