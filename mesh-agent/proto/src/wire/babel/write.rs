//! Writing, with and without address compression.

use alloc::vec::Vec;

use super::{
	full::*,
	prefix::{is_mapped, Prefix},
	RouterId, MAGIC, VERSION,
};

/// Puts TLVs into packets whose bodies are no longer than a limit.
pub struct Writer {
	limit: usize,
	compress: bool,
	packets: Vec<Vec<u8>>,
	body: Vec<u8>,
	state: State,
}

/// What a reader knows at this place of the packet.
#[derive(Clone, Default)]
struct State {
	router: Option<RouterId>,
	/// By encoding: IPv4, IPv6, IPv4 over IPv6.
	defaults: [Option<[u8; 16]>; 3],
	next_hop_v4: Option<[u8; 16]>,
	next_hop_v6: Option<[u8; 16]>,
}

impl Writer {
	/// `limit` counts bytes of a body; a TLV that is longer alone gets a packet of its own. With `compress`, prefixes leave
	/// out what they share with the one before, and router ids what a host route says.
	pub fn new(limit: usize, compress: bool) -> Self {
		Self { limit, compress, packets: Vec::new(), body: Vec::new(), state: State::default() }
	}

	/// Writes one TLV, with whatever must stand before it.
	pub fn put(&mut self, tlv: &Tlv) {
		let mut state = self.state.clone();
		let mut bytes = state.write(tlv, self.compress);
		let lost = matches!(tlv, Tlv::Update(update) if !update.next_hop_fits(&self.state));
		if !self.body.is_empty() && (lost || self.body.len() + bytes.len() > self.limit) {
			self.flush();
			state = State::default();
			bytes = state.write(tlv, self.compress);
		}
		self.state = state;
		self.body.extend_from_slice(&bytes);
	}

	/// The packets.
	pub fn finish(mut self) -> Vec<Vec<u8>> {
		if !self.body.is_empty() {
			self.flush();
		}
		self.packets
	}

	fn flush(&mut self) {
		self.packets.push(with_header(&self.body));
		self.body.clear();
		self.state = State::default();
	}
}

/// A packet with this body.
pub fn with_header(body: &[u8]) -> Vec<u8> {
	let mut packet = Vec::with_capacity(4 + body.len());
	packet.extend_from_slice(&[MAGIC, VERSION]);
	packet.extend_from_slice(&(body.len() as u16).to_be_bytes());
	packet.extend_from_slice(body);
	packet
}

/// A TLV, or a sub-TLV.
pub(super) fn put(bytes: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
	bytes.push(kind);
	bytes.push(parts.iter().map(|part| part.len()).sum::<usize>() as u8);
	parts.iter().for_each(|part| bytes.extend_from_slice(part));
}

impl Tlv {
	/// Its bytes at the start of a packet.
	pub fn alone(&self) -> Vec<u8> {
		State::default().write(self, false)
	}
}

impl Update {
	/// Nothing in a packet takes a next hop back.
	fn next_hop_fits(&self, state: &State) -> bool {
		match self.target {
			Some(target) if target.prefix.is_v4() && !self.via_v6 => {
				self.next_hop.is_some() || state.next_hop_v4.is_none()
			}
			_ => self.next_hop.is_some() || state.next_hop_v6.is_none(),
		}
	}
}

impl State {
	fn write(&mut self, tlv: &Tlv, compress: bool) -> Vec<u8> {
		let mut bytes = Vec::new();
		match tlv {
			Tlv::AckRequest { opaque, interval } => {
				put(&mut bytes, ACK_REQUEST, &[&[0, 0], &opaque.to_be_bytes(), &interval.to_be_bytes()])
			}
			Tlv::Ack { opaque } => put(&mut bytes, ACK, &[&opaque.to_be_bytes()]),
			Tlv::Hello { unicast, seqno, interval, sent } => {
				let flags = if *unicast { FLAG_UNICAST } else { 0 };
				let sub = sent.map(|sent| sub(SUB_TIMESTAMP, &[&sent.to_be_bytes()])).unwrap_or_default();
				let parts = [flags, *seqno, *interval].map(u16::to_be_bytes);
				put(&mut bytes, HELLO, &[&parts.concat(), &sub])
			}
			Tlv::Ihu { to, rxcost, interval, times } => {
				let (encoding, address) = to.map_or((AE_WILDCARD, Vec::new()), |to| address_parts(&to));
				let stamp =
					|times: Times| sub(SUB_TIMESTAMP, &[&times.origin.to_be_bytes(), &times.receive.to_be_bytes()]);
				let numbers = [rxcost.to_be_bytes(), interval.to_be_bytes()].concat();
				put(&mut bytes, IHU, &[&[encoding, 0], &numbers, &address, &times.map(stamp).unwrap_or_default()])
			}
			Tlv::Update(update) => self.write_update(update, compress, &mut bytes),
			Tlv::RouteRequest { target } => {
				let (encoding, plen, address) = prefix_parts(target.as_ref().map(|target| &target.prefix));
				put(&mut bytes, ROUTE_REQUEST, &[&[encoding, plen], &address, &source_sub(target.as_ref())]);
			}
			Tlv::SeqnoRequest { target, router, seqno, hops } => {
				let (encoding, plen, address) = prefix_parts(Some(&target.prefix));
				let head = [&[encoding, plen], &seqno.to_be_bytes()[..], &[*hops, 0], router].concat();
				put(&mut bytes, SEQNO_REQUEST, &[&head, &address, &source_sub(Some(target))]);
			}
			Tlv::PacketCounter { counter, index } => {
				put(&mut bytes, PACKET_COUNTER, &[&counter.to_be_bytes(), &index[..index.len().min(MAX_INDEX)]])
			}
			Tlv::ChallengeRequest { nonce } => {
				put(&mut bytes, CHALLENGE_REQUEST, &[&nonce[..nonce.len().min(MAX_NONCE)]])
			}
			Tlv::ChallengeReply { nonce } => put(&mut bytes, CHALLENGE_REPLY, &[&nonce[..nonce.len().min(MAX_NONCE)]]),
		}
		bytes
	}

	fn write_update(&mut self, update: &Update, compress: bool, bytes: &mut Vec<u8>) {
		let (mut encoding, plen, address) = prefix_parts(update.target.as_ref().map(|target| &target.prefix));
		if encoding == AE_V4 && update.via_v6 {
			encoding = AE_V4_VIA_V6;
		}
		let slot = match encoding {
			AE_V4 => 0,
			AE_V4_VIA_V6 => 2,
			_ => 1,
		};
		let (mut flags, mut omitted) = (0, 0);
		if let Some(target) = update.target {
			let host = encoding == AE_V6 && plen == 128 && address[8..] == update.router;
			if self.router != Some(update.router) {
				match compress && host {
					true => flags |= FLAG_ROUTER_ID,
					false => put(bytes, ROUTER_ID, &[&[0, 0], &update.router]),
				}
				self.router = Some(update.router);
			}
			self.write_next_hop(encoding, update.next_hop, bytes);
			if compress && plen >= 8 {
				let start = if encoding == AE_V6 { 0 } else { 12 };
				let known = self.defaults[slot].map_or(0, |default| shared(&default[start..], &address));
				omitted = known.min(usize::from(plen / 8));
				flags |= FLAG_PREFIX;
				self.defaults[slot] = Some(target.prefix.address);
			}
		}
		let numbers = [update.interval, update.seqno, update.metric].map(u16::to_be_bytes).concat();
		let price = update.price.map(|price| sub(SUB_PRICE, &[&price.to_be_bytes()])).unwrap_or_default();
		let head = [encoding, flags, plen, omitted as u8];
		put(bytes, UPDATE, &[&head, &numbers, &address[omitted..], &source_sub(update.target.as_ref()), &price]);
	}

	fn write_next_hop(&mut self, encoding: u8, next_hop: Option<[u8; 16]>, bytes: &mut Vec<u8>) {
		let known = if encoding == AE_V4 { &mut self.next_hop_v4 } else { &mut self.next_hop_v6 };
		if let Some(address) = next_hop.filter(|_| *known != next_hop) {
			*known = next_hop;
			let (encoding, address) = address_parts(&address);
			put(bytes, NEXT_HOP, &[&[encoding, 0], &address]);
		}
	}
}

fn sub(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
	let mut bytes = Vec::new();
	put(&mut bytes, kind, parts);
	bytes
}

fn shared(a: &[u8], b: &[u8]) -> usize {
	a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn source_sub(target: Option<&Target>) -> Vec<u8> {
	let Some(source) = target.and_then(|target| target.source) else { return Vec::new() };
	let (_, plen, address) = prefix_parts(Some(&source));
	sub(SUB_SOURCE, &[&[plen], &address])
}

fn prefix_parts(prefix: Option<&Prefix>) -> (u8, u8, Vec<u8>) {
	match prefix {
		None => (AE_WILDCARD, 0, Vec::new()),
		Some(prefix) => {
			let (encoding, start) = if prefix.is_v4() { (AE_V4, 12) } else { (AE_V6, 0) };
			let plen = prefix.length - start as u8 * 8;
			(encoding, plen, prefix.address[start..start + usize::from(plen).div_ceil(8)].to_vec())
		}
	}
}

fn address_parts(address: &[u8; 16]) -> (u8, Vec<u8>) {
	match address {
		address if is_mapped(address) => (AE_V4, address[12..].to_vec()),
		[0xfe, 0x80, 0, 0, 0, 0, 0, 0, ..] => (AE_LINK_LOCAL, address[8..].to_vec()),
		_ => (AE_V6, address.to_vec()),
	}
}
