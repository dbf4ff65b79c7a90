//! What strangers send, against arbitrary bytes. A target takes any bytes and panics if a promise is broken: not only that
//! nothing panics by itself, but that what was read is what would be written, that what is accepted keeps to its bounds, and that memory does.
//!
//! The agent is a program, no library: of its parsers those that need nothing else of it are compiled into this crate by their paths.
//!
//! The same bodies run twice: under libFuzzer by `make fuzz` (`libfuzzer/`), and as a test of seconds that replays `corpus/`
//! and changes it at random from a fixed seed (`tests/smoke.rs`).

mod agent;
mod disk;
mod dns;
mod handshake;
pub mod heap;
pub mod mutate;
mod peer;
mod proxy;
mod scale;
mod wire;

/// What the agent's files below ask of other parts of it.
mod chain {
	/// A registered router.
	pub type Router = towpath_primitives::RouterView<[u8; 32]>;
}
#[allow(dead_code, unused_imports)]
#[path = "../../mesh-agent/src/names/mod.rs"]
mod names;
#[allow(dead_code)]
#[path = "../../mesh-agent/src/sealed.rs"]
mod sealed;
#[allow(dead_code)]
#[path = "../../mesh-agent/src/stack/ip.rs"]
mod stack;

/// Something to run with arbitrary bytes.
#[derive(Debug)]
pub struct Target {
	/// Its name, and that of its corpus.
	pub name: &'static str,
	/// Longest input that makes sense, in bytes.
	pub longest: usize,
	/// How many changed inputs the test tries: fewer where one costs a millisecond.
	pub smoke: usize,
	/// The body.
	pub run: fn(&[u8]),
}

const fn quick(name: &'static str, longest: usize, run: fn(&[u8])) -> Target {
	Target { name, longest, smoke: 3000, run }
}

/// All targets.
pub const TARGETS: &[Target] = &[
	quick("packet", 1500, wire::packet),
	quick("frame", 512, wire::frame),
	quick("beacon", 160, wire::beacon),
	quick("babel", 1500, wire::babel),
	quick("control", 1500, scale::control),
	quick("inner", 512, scale::inner),
	quick("record", 256, scale::record),
	quick("primitives", 1024, scale::primitives),
	quick("proxy", 1024, proxy::proxy),
	quick("dns", 1500, dns::dns),
	quick("refusal", 256, proxy::refusal),
	quick("spool", 1100, disk::spool),
	quick("names", 512, disk::names),
	Target { name: "handshake", longest: 1200, smoke: 300, run: handshake::handshake },
	Target { name: "agent", longest: 4096, smoke: 300, run: agent::agent },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
	TARGETS.iter().find(|target| target.name == name)
}
