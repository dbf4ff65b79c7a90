//! A stranger who knows only the specification is a source to the code under test: it links with a router, sets up a free
//! circuit over it to a destination, and sends and receives. What the vectors fix in pieces has to hold together here.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use towpath_primitives::{check_ed25519, sign_ed25519, NodeId, Signature};
use towpath_proto::{
	agent::{Agent, Config, Event, RouterInfo},
	crypto::Role,
	settlement::Limits,
	time::Instant,
};

use crate::{
	messages::{le32, le64},
	scenario::{crypto, Party, DESTINATION, GENESIS, ROUTER_1, SOURCE},
	stranger::{self, compact, h, kdf, mac, mac_key, scale_bytes, Noise},
};

const SESSION: u32 = 0x0a0b_0c0d;
const LABEL: u32 = 0x0e0f_1011;
const LINK: &[u8] = b"towpath/link/v1";
const CIRCUIT: &[u8] = b"towpath/circuit/v1";
const LIFETIME: u32 = 600;

fn address(host: u8) -> SocketAddr {
	SocketAddr::from(([10, 0, 0, host], 7))
}

fn agent(party: Party, now: Instant) -> Agent {
	let limits = Limits { unsecured: 0, unsecured_total: 0 };
	let (secrets, free_rate) = (party.secrets(), 1 << 20);
	let config = Config {
		secrets,
		price: 0,
		transit: true,
		limits,
		loss_allowance: 100,
		free_rate,
		max_price: 0,
		max_path_price: 0,
	};
	let mut agent = Agent::new(config, crypto(), &[], party.seed(), now);
	let known = RouterInfo { price: 0, active: true };
	agent.set_registry(BTreeMap::from([ROUTER_1, DESTINATION].map(|party| (party.node(), known))), now);
	agent
}

/// The router (host 2) and the destination (host 3), both the code under test; host 1 is the stranger.
struct Net {
	agents: [Agent; 2],
	now: Instant,
	inbox: Vec<Vec<u8>>,
	delivered: Vec<(Party, Event)>,
}

impl Net {
	/// Both agents, when routes have been exchanged.
	fn new() -> Self {
		let now = Instant::from_micros(1_000_000);
		let agents = [agent(ROUTER_1, now), agent(DESTINATION, now)];
		let mut net = Self { agents, now, inbox: Vec::new(), delivered: Vec::new() };
		net.agents[0].dial(address(3), now);
		while net.now < Instant::from_micros(11_000_000) {
			net.now = net.now + Duration::from_millis(50);
			net.agents.iter_mut().for_each(|agent| agent.handle_timeout(net.now));
			net.run();
		}
		net
	}

	/// Carries datagrams until nobody has any. Time stands still.
	fn run(&mut self) {
		loop {
			let mut datagrams = Vec::new();
			for (agent, host) in self.agents.iter_mut().zip([2, 3]) {
				while let Some(sent) = agent.poll_transmit(self.now) {
					let one = |bytes: &[u8]| (host, sent.to, bytes.to_vec());
					datagrams.extend(sent.bytes.chunks(sent.segment).map(one));
				}
			}
			if datagrams.is_empty() {
				break;
			}
			for (from, to, mut bytes) in datagrams {
				match [address(2), address(3)].iter().position(|address| *address == to) {
					Some(index) => self.agents[index].handle_datagram(address(from), &mut bytes, self.now),
					None => self.inbox.push(bytes),
				}
			}
		}
		for (agent, party) in self.agents.iter_mut().zip([ROUTER_1, DESTINATION]) {
			while let Some(event) = agent.poll_event() {
				self.delivered.push((party, event));
			}
		}
	}

	/// The stranger sends, and everything follows.
	fn send(&mut self, mut datagram: Vec<u8>) {
		self.agents[0].handle_datagram(address(1), &mut datagram, self.now);
		self.run();
	}
}

/// Takes a message apart.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
	fn take(&mut self, length: usize) -> &'a [u8] {
		let (taken, rest) = self.0.split_at(length);
		self.0 = rest;
		taken
	}

	fn array<const N: usize>(&mut self) -> [u8; N] {
		self.take(N).try_into().unwrap()
	}

	fn bytes(&mut self) -> &'a [u8] {
		let first = self.0[0];
		let length = match first & 3 {
			0 => usize::from(self.array::<1>()[0] >> 2),
			1 => usize::from(u16::from_le_bytes(self.array()) >> 2),
			_ => panic!("no message here is so long"),
		};
		self.take(length)
	}
}

/// Checks a payload of a handshake; the rest of it.
fn identity(noise: &Noise, payload: &[u8], who: Party, usage: &[u8], role: u8) -> Vec<u8> {
	let mut reader = Reader(payload);
	let (node, signature) = (reader.array::<32>(), Signature(reader.array()));
	assert_eq!(NodeId(node), who.node());
	let claim = [b"towpath/noise-identity/v1", &GENESIS[..], usage, &[role], &noise.their_static()].concat();
	assert!(check_ed25519(&signature, &claim, &node));
	reader.0.to_vec()
}

fn own_payload(usage: &[u8], extra: &[u8]) -> Vec<u8> {
	let signature = sign_ed25519(&SOURCE.seed(), &SOURCE.claim(Role::Initiator, usage));
	[&SOURCE.node().0[..], &signature.0, extra].concat()
}

/// The stranger's side of its only link.
struct Neighbour {
	net: Net,
	remote: [u8; 4],
	forth: [u8; 32],
	back: [u8; 32],
	controls: u64,
	packets: u64,
}

impl Neighbour {
	fn link() -> Self {
		let mut net = Net::new();
		let mut noise = SOURCE.stranger(Role::Initiator, LINK);
		net.send([&[3][..], &SESSION.to_be_bytes(), &noise.write(&[])].concat());
		let response = net.inbox.remove(0);
		let mut reader = Reader(&response);
		assert_eq!((reader.take(1), reader.array()), (&[4][..], SESSION.to_be_bytes()));
		let remote = reader.array();
		let payload = noise.read(reader.0);
		assert!(identity(&noise, &payload, ROUTER_1, LINK, 1).is_empty());
		let last = noise.write(&own_payload(LINK, &[]));
		net.send([&[5][..], &remote, &last].concat());
		let (forth, back) = noise.split();
		Self { net, remote, forth, back, controls: 0, packets: 0 }
	}

	fn control(&mut self, message: &[u8]) {
		self.controls += 1;
		let header = [&[2][..], &self.remote, &self.controls.to_be_bytes()[2..]].concat();
		let key = kdf(&self.forth, "link control", &[]);
		let (sealed, tag) = stranger::seal(&key, self.controls, &header, message);
		self.net.send([&header[..], &sealed, &tag].concat());
	}

	fn packet(&mut self, up: [u8; 4], seal: &[u8; 32], sequence: u64, flags: u8, payload: &[u8]) {
		self.packets += 1;
		let (sealed, tag) = stranger::seal(seal, sequence, &[flags], payload);
		let front = [&[1, flags][..], &up, &self.packets.to_be_bytes()[2..]].concat();
		let back = [&sequence.to_be_bytes()[2..], &tag[..8], &tag].concat();
		let key = mac_key(&self.forth, "link packets", &[]);
		let link_tag = mac(&key, 1, &[&front, &back, &(sealed.len() as u16).to_be_bytes()]);
		self.net.send([&front[..], &link_tag, &back, &sealed].concat());
	}

	/// What came: control messages, and packets as they are.
	fn received(&mut self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
		let key = kdf(&self.back, "link control", &[]);
		let (mut messages, mut packets) = (Vec::new(), Vec::new());
		for datagram in self.net.inbox.drain(..) {
			match datagram[0] {
				1 => packets.push(datagram),
				2 => {
					let (header, sealed) = datagram.split_at(11);
					let (sealed, tag) = sealed.split_at(sealed.len() - 16);
					assert_eq!(header[1..5], SESSION.to_be_bytes());
					let counter = header[5..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
					messages.push(stranger::open(&key, counter, header, sealed, tag).unwrap());
				}
				other => panic!("kind {other} has no place here"),
			}
		}
		(messages, packets)
	}

	/// The payload of a packet that came to the circuit's source, over the routers with these keys.
	fn opened(&self, packet: &[u8], seal: &[u8; 32], chain: &[[u8; 16]]) -> (u8, Vec<u8>) {
		let (header, cipher) = packet.split_at(50);
		let (front, link_tag, back) = (&header[..12], &header[12..20], &header[20..]);
		let (sequence, transit, tag) = (&back[..6], &back[6..14], &back[14..]);
		let length = (cipher.len() as u16).to_be_bytes();
		assert_eq!(front[2..6], LABEL.to_be_bytes());
		assert_eq!(link_tag, mac(&mac_key(&self.back, "link packets", &[]), 1, &[front, back, &length]));
		let first: [u8; 8] = tag[..8].try_into().unwrap();
		let step = |before: [u8; 8], key: &[u8; 16]| mac(key, 2, &[&before, sequence, &length, tag]);
		assert_eq!(transit, chain.iter().fold(first, step));
		let number = sequence.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
		(front[1], stranger::open(seal, number, &front[1..2], cipher, tag).unwrap())
	}
}

/// What one router offered.
struct Hop {
	node: [u8; 32],
	digest: [u8; 32],
	keys: [[u8; 16]; 3],
	up: [u8; 4],
	noise: Vec<u8>,
	/// The offer with its signature, as it came.
	signed: Vec<u8>,
}

fn offer(message: &[u8], cid: &[u8; 32], place: u8) -> Hop {
	let mut reader = Reader(message);
	assert_eq!((reader.take(1), reader.array()), (&[4][..], LABEL.to_le_bytes()));
	let up = u32::from_le_bytes(reader.array()).to_be_bytes();
	let offer = reader.take(113);
	let signature = Signature(reader.array());
	let noise = reader.bytes().to_vec();
	assert!(reader.0.is_empty());
	let mut fields = Reader(offer);
	assert_eq!((fields.array::<32>(), fields.array()), (*cid, [place]));
	let (node, ephemeral): ([u8; 32], [u8; 32]) = (fields.array(), fields.array());
	let payload = [&scale_bytes(b"towpath/offer/v1"), &GENESIS[..], offer].concat();
	assert!(check_ed25519(&signature, &payload, &node));
	let shared = stranger::shared(&SOURCE.hop_secret(), &ephemeral);
	let keys = ["transit up", "transit down", "messages"].map(|purpose| mac_key(&shared, purpose, &[cid, &node]));
	let signed = [offer, &signature.0].concat();
	Hop { node, digest: h("towpath/offer/v1", offer), keys, up, noise, signed }
}

/// A reading from the router at `place`, with a good tag: its counter.
fn reading(message: &[u8], place: u8, key: &[u8; 16]) -> u32 {
	let mut reader = Reader(message);
	assert_eq!((reader.take(1), reader.array(), reader.array()), (&[7][..], LABEL.to_le_bytes(), [place]));
	let counter = u32::from_le_bytes(reader.array());
	let (body, tag) = (reader.bytes(), reader.take(8));
	assert_eq!(tag, mac(key, 4, &[&counter.to_be_bytes(), body]));
	assert_eq!(&body[..2], [0, 0], "a reading without a receipt");
	// 1,392 bytes are the most there are. Nothing lies beyond the destination.
	let known = [1, 0x70, 0x05];
	let lengths = if place == 1 { [known, known].concat() } else { [&[0][..], &known].concat() };
	assert_eq!(body[2 + 32 + 48..], lengths);
	counter
}

#[test]
fn a_stranger_who_follows_the_specification_is_served() {
	served(false);
}

#[test]
fn a_stranger_who_proves_that_both_ends_validate_is_served_as_a_validator() {
	served(true);
}

/// What follows the label of a Bind, or of a Prove: all but the last Noise message.
fn acceptance(cid: &[u8; 32], hops: &[Hop], proven: bool) -> Vec<u8> {
	let list = [&compact(2)[..], &hops[0].digest, &hops[1].digest].concat();
	if !proven {
		return [&cid[..], &[0], &list, &le32(LIFETIME), &[0; 64]].concat();
	}
	let domain = scale_bytes(b"towpath/prove/v1");
	let payload = [&domain[..], &GENESIS, cid, &h("towpath/prove/v1", &list), &le32(LIFETIME)].concat();
	let signature = sign_ed25519(&SOURCE.seed(), &payload);
	[&cid[..], &SOURCE.node().0, &hops[1].signed, &list, &le32(LIFETIME), &signature.0].concat()
}

fn served(proven: bool) {
	let mut link = Neighbour::link();
	if proven {
		let (now, nodes) = (link.net.now, [SOURCE.node(), DESTINATION.node()]);
		link.net.agents.iter_mut().for_each(|agent| agent.set_validators(nodes, now));
	}
	let now = link.net.now;
	link.net.agents[0].handle_timeout(now);
	link.net.run();
	let (probes, _) = link.received();
	let probe = probes.iter().find(|message| message[0] == 1).unwrap();
	link.control(&[&[2][..], &probe[1..9], &le64(1), &le64(100), &le64(7)].concat());

	// A padded probe fills what is the longest datagram.
	let pad = probes.iter().find(|message| message[0] == 16).unwrap();
	assert_eq!(11 + pad.len() + 16, 50 + 1392);
	link.control(&[&[17][..], &pad[1..5]].concat());

	let mut noise = SOURCE.stranger(Role::Initiator, CIRCUIT);
	let first = scale_bytes(&noise.write(&[]));
	let destination = DESTINATION.node().overlay_address().0;
	let ephemeral = stranger::public(&SOURCE.hop_secret());
	let setup = [&destination[..], &ephemeral, &le64(0), &[proven.into()], &compact(0), &first].concat();
	let cid = h("towpath/cid/v1", &setup);
	link.control(&[&[3][..], &setup, &[1], &le32(LABEL)].concat());
	let (messages, _) = link.received();
	let offers: Vec<_> = messages.iter().filter(|message| message[0] == 4).collect();
	let hops: Vec<_> = (1..).zip(offers).map(|(place, message)| offer(message, &cid, place)).collect();
	assert_eq!(hops.iter().map(|hop| NodeId(hop.node)).collect::<Vec<_>>(), [ROUTER_1.node(), DESTINATION.node()]);
	assert!(hops[0].noise.is_empty());
	let payload = noise.read(&hops[1].noise);
	assert!(identity(&noise, &payload, DESTINATION, CIRCUIT, 1).is_empty());

	let [transit_up, transit_down, _] = hops[0].keys;
	let last = scale_bytes(&noise.write(&own_payload(CIRCUIT, &transit_up)));
	let label = le32(u32::from_be_bytes(hops[0].up));
	let index = if proven { 10 } else { 5 };
	link.control(&[&[index][..], &label, &acceptance(&cid, &hops, proven), &last].concat());
	let (messages, packets) = link.received();
	assert_eq!(messages.len(), 2, "a reading of each");
	let protected = link.net.agents[0].status().carried_protected;
	assert_eq!(protected, usize::from(proven));
	(1..).zip(messages.iter().zip(&hops)).for_each(|(place, (message, hop))| {
		assert_eq!(reading(message, place, &hop.keys[2]), 1);
	});
	let (forth, back) = noise.split();
	let (up, down) = (kdf(&forth, "circuit up", &[]), kdf(&back, "circuit down", &[]));
	let (flags, report) = link.opened(&packets[0], &down, &[transit_down]);
	assert_eq!((flags, report[0], report.len()), (1, 0, 1 + 5 * 8 + 4 + 1));

	link.packet(hops[0].up, &up, 1, 0, b"there");
	let from = SOURCE.node().overlay_address();
	let there = Event::Deliver { from, packet: b"there".to_vec() };
	assert!(link.net.delivered.iter().any(|(party, event)| party.node() == DESTINATION.node() && *event == there));

	link.packet(hops[0].up, &up, 2, 1, &[&[1][..], &le64(1_000_000), &le64(1_000_000), &le64(5), &[0]].concat());
	let now = link.net.now;
	link.net.agents[1].answer_packet(from, b"and back", now);
	link.net.run();
	let (_, packets) = link.received();
	let opened: Vec<_> = packets.iter().map(|packet| link.opened(packet, &down, &[transit_down])).collect();
	assert_eq!(opened.last(), Some(&(0, b"and back".to_vec())));
	let echo = opened.iter().find(|(flags, message)| *flags == 1 && message.len() == 1 + 5 * 8 + 4 + 13);
	assert_eq!(echo.unwrap().1[46..54], le64(5)[..], "the limit's stamp comes back");

	let tag = mac(&hops[1].keys[2], 3, &[&1u32.to_be_bytes(), &[1]]);
	link.control(&[&[6][..], &label, &[2], &le32(1), &scale_bytes(&[1]), &tag].concat());
	let (messages, _) = link.received();
	assert_eq!(reading(&messages[0], 2, &hops[1].keys[2]), 2, "who is asked answers");
}
