//! The proxy's connections: each is one of a stack that sends to one gateway, and stays there until it ends or its gateway
//! does. New ones go to the stack of the gateway in use.

use std::{
	cell::RefCell,
	collections::BTreeMap,
	net::{IpAddr, SocketAddr},
	rc::Rc,
};

use anyhow::{bail, Result};
use tokio::net::TcpStream;
use towpath_primitives::OverlayAddress;

use super::look;
use crate::{
	exit::Refusal,
	place::Place,
	shell::Shared,
	stack::{
		payer::{Payer, Ports, PORTS},
		Inbox, Outlet,
	},
};

/// An application's request is carried to so many gateways, if they die one after the other, or carry no more.
const TRIES: usize = 4;

/// The stacks, by gateway.
pub struct Exits {
	shared: Rc<Shared>,
	own: OverlayAddress,
	stacks: RefCell<BTreeMap<OverlayAddress, (Payer, Rc<Inbox>)>>,
	/// Ports rise through all stacks, so that two connections never look the same from here.
	ports: Rc<Ports>,
}

impl Exits {
	/// No stack yet.
	pub fn new(shared: Rc<Shared>, own: OverlayAddress) -> Self {
		Self { shared, own, stacks: RefCell::default(), ports: Ports::new(PORTS) }
	}

	/// Where packets from this gateway go.
	pub fn inbox(&self, from: &OverlayAddress) -> Option<Rc<Inbox>> {
		self.stacks.borrow().get(from).map(|(_, inbox)| inbox.clone())
	}

	/// Has every stack look again that waits for room.
	pub fn wake_blocked(&self) {
		self.stacks.borrow().values().filter(|(_, inbox)| inbox.is_blocked()).for_each(|(_, inbox)| inbox.wake());
	}

	/// Ends all connections through this gateway: applications see a reset, what had not begun goes to another one.
	pub fn forsake(&self, gateway: &OverlayAddress) {
		if let Some((payer, _)) = self.stacks.borrow_mut().remove(gateway) {
			payer.end();
		}
	}

	/// The stack for a gateway.
	fn through(&self, gateway: OverlayAddress) -> Payer {
		let mut stacks = self.stacks.borrow_mut();
		let (payer, _) = stacks.entry(gateway).or_insert_with(|| {
			let outlet = Outlet::new(self.shared.clone(), gateway);
			Payer::start(self.own, gateway, outlet, self.ports.clone())
		});
		payer.clone()
	}

	fn way_to(&self, to: IpAddr) -> Option<OverlayAddress> {
		self.shared.gateways.borrow().current(to)
	}

	/// Has a gateway resolve a name. Addresses that some gateway leads to come first.
	pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>> {
		for _ in 0..TRIES {
			let any = self.shared.gateways.borrow().any();
			let Some(gateway) = any else { bail!("no gateway is known yet") };
			let payer = self.through(gateway);
			match payer.resolve(name, &self.shared.answers).await {
				Err(_) if payer.is_over() => {}
				found => {
					let mut found = found?;
					found.sort_by_key(|address| self.way_to(*address).is_none());
					return Ok(found);
				}
			}
		}
		bail!("one gateway after the other failed")
	}

	/// Connects an accepted stream to a destination beyond the gateways, and gives it back if that is refused, with what the
	/// gateway says to it.
	pub async fn connect(
		&self,
		mut stream: TcpStream,
		to: SocketAddr,
		greeting: &[u8],
		place: &Rc<Place>,
	) -> Option<(TcpStream, Option<Refusal>)> {
		let mut last = None;
		for _ in 0..TRIES {
			let Some(gateway) = self.way_to(to.ip()) else { break };
			let payer = self.through(gateway);
			match payer.connect(stream, to, greeting, Some(place.clone())).await {
				// The stack has it now.
				Err(_) => return None,
				Ok(back) if payer.is_over() => stream = back,
				Ok(back) => {
					last = payer.why_not(&to);
					let elsewhere = last.is_some_and(Refusal::is_of_this_gateway);
					if elsewhere {
						// It is not used for a while, if there is another one.
						look(&self.shared);
					}
					if !elsewhere || self.way_to(to.ip()) == Some(gateway) {
						return Some((back, last));
					}
					stream = back;
				}
			}
		}
		Some((stream, last))
	}
}
