//! Which router each kernel would send a packet to, read often enough to see a loop that lasts for milliseconds.
//!
//! A process in each namespace asks its kernel (`RTM_GETROUTE`, what `ip route get` does) for all destinations at once. The
//! answers of different routers are not of the same instant, so a cycle among them may be none: each router may have changed
//! its mind before the next one was asked. It counts as a loop only if the next collection finds the same next hops at every
//! router of the cycle. Each of them then had that next hop from its first answer to its second one, and the time between the
//! two collections lies within all of these spans: at that instant a packet would have gone around.

use std::{
	collections::BTreeMap,
	io::{BufRead, BufReader, Write},
	net::IpAddr,
	process::{Child, ChildStdin, ChildStdout, Stdio},
};

use anyhow::{ensure, Context, Result};
use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_REQUEST};
use netlink_packet_route::{
	route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
	AddressFamily, RouteNetlinkMessage,
};
use netlink_sys::{protocols::NETLINK_ROUTE, Socket, SocketAddr};

use crate::lab::Lab;

/// No answer is longer, in bytes.
const ANSWER: usize = 1 << 14;

/// `hops`: for each line of addresses on standard input, a line with the device to each, `local` or `none`.
pub fn answer() -> Result<()> {
	let mut socket = Socket::new(NETLINK_ROUTE)?;
	socket.bind_auto()?;
	socket.connect(&SocketAddr::new(0, 0))?;
	let mut out = std::io::stdout();
	for line in std::io::stdin().lock().lines() {
		let line = line?;
		let mut answers = Vec::new();
		for address in line.split_whitespace() {
			answers.push(next(&socket, address.parse()?)?);
		}
		writeln!(out, "{}", answers.join(" "))?;
		out.flush()?;
	}
	Ok(())
}

fn next(socket: &Socket, address: IpAddr) -> Result<String> {
	let mut route = RouteMessage::default();
	let (family, length) = if address.is_ipv4() { (AddressFamily::Inet, 32) } else { (AddressFamily::Inet6, 128) };
	(route.header.address_family, route.header.destination_prefix_length) = (family, length);
	route.attributes.push(RouteAttribute::Destination(RouteAddress::from(address)));
	let mut header = NetlinkHeader::default();
	header.flags = NLM_F_REQUEST;
	let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(RouteNetlinkMessage::GetRoute(route)));
	message.finalize();
	let mut bytes = vec![0; message.buffer_len()];
	message.serialize(&mut bytes);
	socket.send(&bytes, 0)?;
	let mut answer = Vec::with_capacity(ANSWER);
	socket.recv(&mut answer, 0)?;
	let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) =
		NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)?.payload
	else {
		return Ok("none".into());
	};
	let device = route.attributes.iter().find_map(|attribute| match attribute {
		RouteAttribute::Oif(index) => Some(*index),
		_ => None,
	});
	Ok(match (route.header.kind, device) {
		(RouteType::Local, _) => "local".into(),
		(RouteType::Unicast, Some(index)) => getifaddrs::if_indextoname(index).unwrap_or_else(|_| "none".into()),
		_ => "none".into(),
	})
}

/// A router's next hops: by destination, the router that packets go to. Without an entry they go nowhere.
type Hops = BTreeMap<IpAddr, String>;

/// One process in a namespace.
struct Asked {
	router: String,
	child: Child,
	to: ChildStdin,
	from: BufReader<ChildStdout>,
}

impl Drop for Asked {
	fn drop(&mut self) {
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}

/// The processes in all namespaces, and what has been found.
pub struct Watch {
	asked: Vec<Asked>,
	destinations: Vec<IpAddr>,
	last: BTreeMap<String, Hops>,
	/// Times that all routers were asked.
	pub collections: u64,
	/// Cycles seen once.
	pub suspected: u64,
	/// Cycles seen twice in a row: loops. In words, each once.
	pub loops: Vec<String>,
}

impl Watch {
	/// Starts a process in each of these namespaces.
	pub fn start(lab: &Lab, routers: &[String], destinations: &[IpAddr]) -> Result<Self> {
		let own = std::env::current_exe()?;
		let start = |router: &String| -> Result<Asked> {
			let mut command = lab.command(router, &own.to_string_lossy(), &["hops"]);
			let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
			let to = child.stdin.take().context("its input is piped")?;
			let from = BufReader::new(child.stdout.take().context("its output is piped")?);
			Ok(Asked { router: router.clone(), child, to, from })
		};
		Ok(Self {
			asked: routers.iter().map(start).collect::<Result<_>>()?,
			destinations: destinations.to_vec(),
			last: BTreeMap::new(),
			collections: 0,
			suspected: 0,
			loops: Vec::new(),
		})
	}

	/// Asks all routers, and compares with the time before.
	pub fn collect(&mut self) -> Result<()> {
		let question = self.destinations.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
		for asked in &mut self.asked {
			writeln!(asked.to, "{question}")?;
		}
		let mut now = BTreeMap::new();
		for asked in &mut self.asked {
			let mut line = String::new();
			asked.from.read_line(&mut line)?;
			let answers: Vec<_> = line.split_whitespace().collect();
			ensure!(answers.len() == self.destinations.len(), "{} does not answer", asked.router);
			let hops = self.destinations.iter().zip(answers);
			let hops = hops.filter_map(|(to, answer)| Some((*to, answer.strip_prefix("to_")?.to_owned())));
			now.insert(asked.router.clone(), hops.collect::<Hops>());
		}
		self.collections += 1;
		for destination in &self.destinations {
			let Some(cycle) = cycle(&now, destination) else { continue };
			self.suspected += 1;
			let same = |router: &String| {
				self.last.get(router).and_then(|hops| hops.get(destination)) == now[router].get(destination)
			};
			if cycle.iter().all(same) {
				let found = format!("{destination}: {}", cycle.join(" → "));
				if !self.loops.contains(&found) {
					self.loops.push(found);
				}
			}
		}
		self.last = now;
		Ok(())
	}
}

/// The routers that packets to this destination would go around, if there are such.
fn cycle(hops: &BTreeMap<String, Hops>, destination: &IpAddr) -> Option<Vec<String>> {
	for begin in hops.keys() {
		let mut path = vec![begin.clone()];
		let mut at = begin;
		while let Some(next) = hops.get(at).and_then(|hops| hops.get(destination)) {
			if let Some(first) = path.iter().position(|router| router == next) {
				return Some(path.split_off(first));
			}
			path.push(next.clone());
			at = next;
		}
	}
	None
}
