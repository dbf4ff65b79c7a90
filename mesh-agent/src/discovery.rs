//! Which interfaces beacons go out of and are heard on, as these come and go.
//!
//! Every interface has a socket of its own, bound to the group on that interface. So it hears nothing but beacons, needs no
//! choice of an interface when it sends, and several agents of one machine can have one each.

use std::{
	collections::BTreeMap,
	io,
	net::{IpAddr, SocketAddr, SocketAddrV6},
	path::Path,
	rc::Rc,
	time::Duration,
};

use getifaddrs::{InterfaceFilter, InterfaceFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{net::UdpSocket, task::JoinHandle};
use towpath_proto::{
	link::MAX_INTERFACES,
	wire::{
		beacon::{BEACON_LEN, GROUP, PORT},
		Kind,
	},
};
use tracing::{info, warn};

use crate::{
	config,
	shell::Shared,
	udp::{canonical, Udp},
};

/// How often it is looked which interfaces there are.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Beacons that are taken from an interface before others have their turn.
const BATCH: usize = 16;

/// An interface in use.
struct Used {
	name: String,
	socket: Rc<UdpSocket>,
	listener: JoinHandle<()>,
}

impl Drop for Used {
	fn drop(&mut self) {
		self.listener.abort();
	}
}

/// The interfaces in use, by the system's number.
#[derive(Default)]
pub struct Interfaces {
	used: BTreeMap<u32, Used>,
	/// The last reason why no interface could be used: said once, not every second.
	trouble: Option<String>,
}

impl Interfaces {
	/// What the system calls it.
	pub fn name(&self, index: u32) -> Option<&str> {
		self.used.get(&index).map(|used| &*used.name)
	}

	/// Sends a beacon. What cannot be sent is lost: the next one follows.
	pub fn send(&self, to: SocketAddr, beacon: &[u8]) {
		if let (SocketAddr::V6(v6), true) = (to, to.ip().is_multicast()) {
			if let Some(used) = self.used.get(&v6.scope_id()) {
				let _ = SockRef::from(&*used.socket).send_to(beacon, &to.into());
			}
		}
	}

	fn say_once(&mut self, trouble: String) {
		if self.trouble.as_ref() != Some(&trouble) {
			warn!("{trouble}");
			self.trouble = Some(trouble);
		}
	}

	/// Opens what has come and closes what is gone. Numbers of the latter and the former.
	fn follow(&mut self, shared: &Rc<Shared>, rules: &Rules) -> (Vec<u32>, Vec<u32>) {
		let found = match usable(rules) {
			Ok(found) => found,
			Err(error) => {
				self.say_once(format!("cannot list this machine's interfaces: {error}"));
				return (Vec::new(), Vec::new());
			}
		};
		let gone: Vec<_> = self
			.used
			.iter()
			.filter(|(index, used)| found.get(index) != Some(&used.name))
			.map(|(index, _)| *index)
			.collect();
		for used in gone.iter().filter_map(|index| self.used.remove(index)) {
			info!(interface = used.name, "no more neighbours are looked for here");
		}
		let mut come = Vec::new();
		for (index, name) in found {
			if self.used.contains_key(&index) || self.used.len() >= MAX_INTERFACES {
				continue;
			}
			match join(index) {
				Ok(socket) => {
					info!(interface = name, "looking for neighbours");
					let socket = Rc::new(socket);
					let listener = tokio::task::spawn_local(listen(socket.clone(), shared.clone()));
					self.used.insert(index, Used { name, socket, listener });
					come.push(index);
				}
				Err(error) => self.say_once(format!("cannot look for neighbours on {name}: {error}")),
			}
		}
		(gone, come)
	}
}

/// Which interfaces may be used.
struct Rules {
	config: config::Discovery,
	/// Our own device is no link to neighbours.
	tun: Option<String>,
}

impl Rules {
	/// What a configuration says.
	fn new(config: &config::Config) -> Self {
		Self { config: config.discovery.clone(), tun: config.tun.as_ref().map(|tun| tun.name.clone()) }
	}

	fn allow(&self, name: &str) -> bool {
		let among = |names: &[String]| names.iter().any(|pattern| matches(pattern, name));
		let (only, except) = (&self.config.interfaces, &self.config.except);
		self.tun.as_deref() != Some(name) && (only.is_empty() || among(only)) && !among(except)
	}
}

/// A pattern is a name, or the beginning of one with a star.
pub fn matches(pattern: &str, name: &str) -> bool {
	pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}

/// Looks for neighbours, if that is wanted and this machine has IPv6. Without it an agent still has its configured peers.
pub fn start(shared: &Rc<Shared>, config: &config::Config, udp: &mut Udp) {
	if !config.discovers() {
		return;
	}
	match udp.open_near() {
		Ok(port) => {
			tokio::task::spawn_local(follow(shared.clone(), Rules::new(config), port));
		}
		Err(error) => warn!("neighbours cannot be looked for: {error:#}"),
	}
}

/// Follows the interfaces for as long as the agent runs. `port`: where handshakes are taken.
async fn follow(shared: Rc<Shared>, rules: Rules, port: u16) {
	let mut clock = tokio::time::interval(LOOK_EVERY);
	clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	loop {
		clock.tick().await;
		let (gone, come) = shared.interfaces.borrow_mut().follow(&shared, &rules);
		let (mut agent, now) = (shared.agent.borrow_mut(), shared.now());
		gone.iter().for_each(|index| agent.interface_down(*index));
		come.iter().for_each(|index| agent.interface_up(*index, port, now));
		if !come.is_empty() {
			shared.work.notify_one();
		}
	}
}

/// Interfaces that carry multicasts between neighbours and work right now, by number.
fn usable(rules: &Rules) -> io::Result<BTreeMap<u32, String>> {
	let needed = InterfaceFlags::UP | InterfaceFlags::RUNNING | InterfaceFlags::MULTICAST;
	let refused = InterfaceFlags::LOOPBACK | InterfaceFlags::POINTTOPOINT;
	let usable = InterfaceFilter::new().v6().get()?.filter(|interface| {
		let near = matches!(interface.address.ip_addr(), Some(IpAddr::V6(ip)) if ip.is_unicast_link_local());
		let flags = interface.flags;
		near && flags.contains(needed) && !flags.intersects(refused) && rules.allow(&interface.name)
	});
	Ok(usable
		.filter(|interface| !is_port(&interface.name))
		.filter_map(|found| Some((found.index?, found.name)))
		.collect())
}

/// Whether it is a part of a bridge or a bond: what it receives is that one's.
pub fn is_port(name: &str) -> bool {
	let folder = Path::new("/sys/class/net").join(name);
	folder.join("brport").exists() || folder.join("bonding_slave").exists()
}

fn join(index: u32) -> io::Result<UdpSocket> {
	let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
	socket.set_only_v6(true)?;
	// Other agents of this machine hear the same beacons.
	socket.set_reuse_address(true)?;
	socket.bind(&SocketAddrV6::new(GROUP, PORT, 0, index).into())?;
	socket.join_multicast_v6(&GROUP, index)?;
	socket.set_nonblocking(true)?;
	UdpSocket::from_std(socket.into())
}

/// Hands the beacons of one interface to the agent.
async fn listen(socket: Rc<UdpSocket>, shared: Rc<Shared>) {
	// One byte more than a beacon has, so that what is longer is not taken for one.
	let mut buffer = [0; BEACON_LEN + 1];
	loop {
		if socket.readable().await.is_err() {
			return;
		}
		for _ in 0..BATCH {
			match socket.try_recv_from(&mut buffer) {
				// Nothing else is taken here: one multicast shall not make a whole link answer.
				Ok((length, _)) if length != BEACON_LEN || buffer[0] != Kind::Beacon as u8 => {}
				Ok((length, from)) => {
					let now = shared.now();
					shared.agent.borrow_mut().handle_datagram(canonical(from), &mut buffer[..length], now);
				}
				Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
				// The interface is gone, or about to be: whoever follows the interfaces will see it.
				Err(_) => {
					tokio::time::sleep(LOOK_EVERY).await;
					break;
				}
			}
		}
		shared.work.notify_one();
		tokio::task::yield_now().await;
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn allowed(interfaces: &[&str], except: &[&str], name: &str) -> bool {
		let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
		let config = config::Discovery { enabled: None, interfaces: list(interfaces), except: list(except) };
		Rules { config, tun: Some("towpath0".into()) }.allow(name)
	}

	#[test]
	fn interfaces_are_chosen_by_name_and_our_own_device_is_never_among_them() {
		assert!(allowed(&[], &[], "eth0"));
		assert!(!allowed(&[], &[], "towpath0") && !allowed(&["towpath0"], &[], "towpath0"));
		assert!(allowed(&["eth0", "wl*"], &[], "wlan1") && !allowed(&["eth0", "wl*"], &[], "eth01"));
		assert!(!allowed(&[], &["docker*"], "docker0") && !allowed(&["eth*"], &["eth1"], "eth1"));
	}
}
