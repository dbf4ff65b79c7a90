//! What tests of stacks need besides.

use std::{rc::Rc, sync::Arc};

use towpath_proto::{
	agent::{self, Agent},
	crypto::{RustCrypto, Secrets},
	settlement, time,
};

use crate::shell::Shared;

/// An agent without neighbours.
pub fn shared() -> Rc<Shared> {
	let secrets = Secrets { genesis: [1; 32], node_seed: [2; 32], noise: [3; 32] };
	let limits = settlement::Limits { unsecured: 0, unsecured_total: 0 };
	let config = agent::Config {
		secrets,
		price: 0,
		transit: true,
		limits,
		loss_allowance: 0,
		free_rate: 0,
		max_price: 0,
		max_path_price: 0,
	};
	let core = Agent::new(config, Arc::new(RustCrypto), &[], [4; 32], time::Instant::from_micros(0));
	Rc::new(Shared::new(core, None))
}
