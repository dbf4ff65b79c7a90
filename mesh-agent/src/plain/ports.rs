//! The interfaces on which plain Babel is spoken, as they come and go, and two sockets on each.
//!
//! One socket is bound to the group on that interface and hears multicasts; the other one is bound to the interface's own
//! link-local address, hears what is sent to us alone, and sends everything. So each packet leaves from the right address and
//! port, and it is known how each one arrived.

use std::{
	collections::BTreeMap,
	io,
	net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
	rc::Rc,
};

use getifaddrs::{InterfaceFilter, InterfaceFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{net::UdpSocket, task::JoinHandle};
use towpath_proto::plain::{self, To, GROUP, PORT};
use tracing::{debug, info, warn};

use super::{config::Plain as Config, Plain};
use crate::discovery::{is_port, matches};

/// Most interfaces in use; each costs two sockets.
const MAX_INTERFACES: usize = 64;
/// Packets that are taken from a socket before others have their turn.
const BATCH: usize = 16;
/// Longest packet that is read, in bytes: what a jumbo frame holds. A longer one is none.
const LONGEST: usize = 9_216;

/// What an interface looks like to us. When anything of it changes, its neighbours are met anew.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shape {
	name: String,
	link_local: Ipv6Addr,
	ipv4: Option<[u8; 4]>,
	/// Which of the configuration's interfaces it is.
	entry: usize,
}

struct Used {
	shape: Shape,
	socket: Rc<UdpSocket>,
	listeners: [JoinHandle<()>; 2],
}

impl Drop for Used {
	fn drop(&mut self) {
		self.listeners.iter().for_each(JoinHandle::abort);
	}
}

/// The interfaces in use, by the system's number.
#[derive(Default)]
pub struct Ports {
	used: BTreeMap<u32, Used>,
	/// The last reason why an interface could not be used: said once, not every second.
	trouble: Option<String>,
	/// Packets that could not be sent.
	pub unsent: u64,
}

/// What has changed.
#[derive(Default)]
pub struct Changes {
	/// Numbers of interfaces that are gone, or have become others.
	pub down: Vec<u32>,
	/// Interfaces to speak on.
	pub up: Vec<plain::Interface>,
}

impl Ports {
	/// What the system calls it.
	pub fn name(&self, index: u32) -> Option<&str> {
		self.used.get(&index).map(|used| &*used.shape.name)
	}

	/// Sends a packet. What cannot be sent is lost: Babel says everything again.
	pub fn send(&mut self, index: u32, to: To, packet: &[u8]) {
		let Some(used) = self.used.get(&index) else { return };
		let to = match to {
			To::Multicast => GROUP,
			To::Unicast(address) => address,
		};
		let to = SocketAddrV6::new(to.into(), PORT, 0, index);
		if SockRef::from(&*used.socket).send_to(packet, &to.into()).is_err() {
			self.unsent += 1;
		}
	}

	/// Opens what has come and closes what is gone.
	pub fn follow(&mut self, plain: &Rc<Plain>) -> Changes {
		let mut changes = Changes::default();
		let found = match usable(&plain.config) {
			Ok(found) => found,
			Err(error) => {
				self.say_once(format!("cannot list this machine's interfaces: {error}"));
				return changes;
			}
		};
		changes.down =
			self.used.iter().filter(|(i, used)| found.get(i) != Some(&used.shape)).map(|(i, _)| *i).collect();
		for used in changes.down.iter().filter_map(|index| self.used.remove(index)) {
			info!(interface = used.shape.name, "plain Babel is no longer spoken here");
		}
		for (index, shape) in found {
			// What was closed a moment ago may still have its address.
			let early = changes.down.contains(&index);
			if early || self.used.contains_key(&index) || self.used.len() >= MAX_INTERFACES {
				continue;
			}
			match self.open(index, shape, plain) {
				Ok(interface) => changes.up.push(interface),
				Err(Unusable::Early) => debug!(index, "its address is not ready"),
				Err(Unusable::Why(why)) => self.say_once(why),
			}
		}
		changes
	}

	fn open(&mut self, index: u32, shape: Shape, plain: &Rc<Plain>) -> Result<plain::Interface, Unusable> {
		let name = &shape.name;
		let sockets = hear(index).and_then(|group| Ok((group, speak(index, shape.link_local)?)));
		let (group, own) = sockets.map_err(|error| match error.kind() {
			// The kernel still asks whether anybody else has it.
			io::ErrorKind::AddrNotAvailable => Unusable::Early,
			io::ErrorKind::AddrInUse => Unusable::Why(format!(
				"cannot speak Babel on {name}: another program does (babeld, BIRD?), and only one can on a machine"
			)),
			_ => Unusable::Why(format!("cannot speak Babel on {name}: {error}")),
		})?;
		let entry = &plain.config.interfaces[shape.entry];
		let keys =
			entry.read_keys().map_err(|error| Unusable::Why(format!("cannot speak Babel on {name}: {error:#}")))?;
		let wireless = entry.is_wireless(name);
		let interface = plain::Interface {
			index,
			link_local: shape.link_local.octets(),
			ipv4: shape.ipv4,
			wireless,
			rxcost: entry.cost(wireless),
			rtt: entry.rtt,
			keys,
			split_horizon: !wireless,
			v4_via_v6: entry.ipv4_via_ipv6,
		};
		let authenticated = !interface.keys.is_empty();
		info!(interface = *name, wireless, cost = interface.rxcost, authenticated, "speaking plain Babel");
		let (group, socket) = (Rc::new(group), Rc::new(own));
		let listeners = [(group, true), (socket.clone(), false)].map(|(socket, multicast)| {
			tokio::task::spawn_local(listen(socket, index, shape.link_local, multicast, plain.clone()))
		});
		self.used.insert(index, Used { shape, socket, listeners });
		Ok(interface)
	}

	fn say_once(&mut self, trouble: String) {
		if self.trouble.as_ref() != Some(&trouble) {
			warn!("{trouble}");
			self.trouble = Some(trouble);
		}
	}

	/// Closes everything.
	pub fn close(&mut self) {
		self.used.clear();
	}
}

enum Unusable {
	/// It will be usable soon.
	Early,
	Why(String),
}

/// Interfaces of the configuration that work right now and have a link-local address, by number.
fn usable(config: &Config) -> io::Result<BTreeMap<u32, Shape>> {
	let needed = InterfaceFlags::UP | InterfaceFlags::RUNNING;
	let mut shapes: BTreeMap<u32, Shape> = BTreeMap::new();
	let mut ipv4: BTreeMap<u32, [u8; 4]> = BTreeMap::new();
	for found in InterfaceFilter::new().get()? {
		let (Some(index), flags) = (found.index, found.flags) else { continue };
		if !flags.contains(needed) || flags.contains(InterfaceFlags::LOOPBACK) {
			continue;
		}
		match found.address.ip_addr() {
			Some(IpAddr::V4(v4)) => drop(ipv4.entry(index).or_insert(v4.octets())),
			Some(IpAddr::V6(link_local)) if link_local.is_unicast_link_local() => {
				let entry = config.interfaces.iter().position(|entry| matches(&entry.name, &found.name));
				if let Some(entry) = entry.filter(|_| !is_port(&found.name)) {
					let shape = Shape { name: found.name, link_local, ipv4: None, entry };
					shapes.entry(index).or_insert(shape);
				}
			}
			_ => {}
		}
	}
	for (index, shape) in &mut shapes {
		shape.ipv4 = ipv4.get(index).copied();
	}
	Ok(shapes)
}

fn socket(at: SocketAddrV6) -> io::Result<Socket> {
	let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
	socket.set_only_v6(true)?;
	socket.set_nonblocking(true)?;
	socket.bind(&at.into())?;
	Ok(socket)
}

/// Hears the group's packets on an interface.
fn hear(index: u32) -> io::Result<UdpSocket> {
	let group = Ipv6Addr::from(GROUP);
	let socket = socket(SocketAddrV6::new(group, PORT, 0, index))?;
	socket.join_multicast_v6(&group, index)?;
	UdpSocket::from_std(socket.into())
}

/// Sends to everybody and to one, from our own address, no further than the link; hears what is sent to it.
fn speak(index: u32, own: Ipv6Addr) -> io::Result<UdpSocket> {
	let socket = socket(SocketAddrV6::new(own, PORT, 0, index))?;
	socket.set_multicast_if_v6(index)?;
	socket.set_multicast_loop_v6(false)?;
	socket.set_multicast_hops_v6(1)?;
	socket.set_unicast_hops_v6(1)?;
	UdpSocket::from_std(socket.into())
}

/// Hands what neighbours send to the speaker.
async fn listen(socket: Rc<UdpSocket>, index: u32, own: Ipv6Addr, multicast: bool, plain: Rc<Plain>) {
	// One byte more, so that what is longer is not taken for a whole packet.
	let mut buffer = vec![0; LONGEST + 1];
	while socket.readable().await.is_ok() {
		for _ in 0..BATCH {
			match socket.try_recv_from(&mut buffer) {
				Ok((length, SocketAddr::V6(from))) => {
					// Babel's packets come from its port of an address on this link (RFC 8966, section 4), and not from us.
					let neighbour = from.ip().is_unicast_link_local() && from.port() == PORT && *from.ip() != own;
					match neighbour && length <= LONGEST {
						true => plain.receive(index, from.ip().octets(), multicast, &buffer[..length]),
						false => plain.strangers.set(plain.strangers.get() + 1),
					}
				}
				Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
				// The interface is gone, or about to be: whoever follows the interfaces will see it.
				_ => {
					tokio::time::sleep(super::LOOK_EVERY).await;
					break;
				}
			}
		}
		tokio::task::yield_now().await;
	}
}
