//! Packets on their way (§5, T6 to T8): source, two routers, destination, and back.

use codec::Encode;
use serde_json::{json, Value};
use towpath_proto::{
	circuit::{End, Opened},
	crypto::{Crypto, Keys, MacKey, Role, RustCrypto},
	link::{Accepted, Session},
	time::Instant,
	wire::{
		control::EndMessage,
		packet::{Packet, HEADER_LEN},
	},
};

use crate::{
	compare, hex,
	scenario::{self, pattern, Circuit},
	stranger::{self, mac, mac_key},
};

const NOW: Instant = Instant::from_micros(0);
/// Sequence numbers and link counters go on from here, so that the order of their bytes shows.
const SEQUENCE: u64 = 0x0102_0304_0505;
const COUNTER: u64 = 0x0102;
const LABELS_UP: [u32; 3] = [0x0010_0001, 0x0020_0002, 0xfff0_0003];
const LABELS_DOWN: [u32; 3] = [0x0030_0004, 0x0040_0005, 0x0050_0006];

/// The two sides of one link; the first one is nearer to the source.
struct Link {
	/// The split keys of the direction towards the destination, and of the other one.
	keys: [[u8; 32]; 2],
	near: Session,
	far: Session,
}

impl Link {
	fn new(index: usize) -> Self {
		let keys = Keys { forth: pattern(0x31 + index as u8), back: pattern(0x61 + index as u8) };
		// The destination dialled the last link: there the split's first key is that of the way back.
		let (near, far) = match index {
			2 => (Role::Responder, Role::Initiator),
			_ => (Role::Initiator, Role::Responder),
		};
		let towards = if index == 2 { [keys.back, keys.forth] } else { [keys.forth, keys.back] };
		let session = |role| Session::new(&RustCrypto, role, &keys, 1, 2);
		let (mut near, mut far) = (session(near), session(far));
		for session in [&mut near, &mut far] {
			let mut idle = [0; HEADER_LEN];
			(0..COUNTER).for_each(|_| session.send_packet(&mut Packet::blank(&mut idle[..]), 0, &[0; 8]));
		}
		Self { keys: towards, near, far }
	}

	fn sides(&mut self, up: bool) -> (&mut Session, &mut Session) {
		match up {
			true => (&mut self.near, &mut self.far),
			false => (&mut self.far, &mut self.near),
		}
	}
}

fn ends(circuit: &Circuit) -> (End, End) {
	let aead = |key: &[u8; 32]| RustCrypto.aead(key);
	let keys = &circuit.keys;
	let (up, down) = &circuit.seals;
	let chain_up = vec![keys[0].up, keys[1].up];
	let chain_down = vec![keys[1].down, keys[0].down];
	let mut source = End::new(aead(up), aead(down), chain_down, NOW);
	let mut destination = End::new(aead(down), aead(up), chain_up, NOW);
	(source.sequence, destination.sequence) = (SEQUENCE, SEQUENCE);
	(source, destination)
}

/// One packet over all links. The links' counters go on from packet to packet.
fn journey(
	links: &mut [Link; 3],
	ends: &mut (End, End),
	circuit: &Circuit,
	up: bool,
	flags: u8,
	payload: &[u8],
) -> Value {
	let (from, to) = if up { (&mut ends.0, &mut ends.1) } else { (&mut ends.1, &mut ends.0) };
	let mut bytes = from.seal_as(flags, payload, NOW);
	let sequence = from.sequence;
	let seal = if up { circuit.seals.0 } else { circuit.seals.1 };
	let (cipher, tag) = stranger::seal(&seal, sequence, &[flags], payload);
	let (sequence_bytes, length) = (&sequence.to_be_bytes()[2..], (payload.len() as u16).to_be_bytes());

	let order = if up { [0, 1, 2] } else { [2, 1, 0] };
	let routers =
		if up { [circuit.keys[0].up, circuit.keys[1].up] } else { [circuit.keys[1].down, circuit.keys[0].down] };
	let labels = if up { LABELS_UP } else { LABELS_DOWN };
	let mut transit: [u8; 8] = tag[..8].try_into().unwrap();
	let (mut transits, mut on_links) = (vec![hex(transit)], Vec::new());
	for (step, index) in order.into_iter().enumerate() {
		let link = &mut links[index];
		let split = link.keys[usize::from(!up)];
		let (sender, receiver) = link.sides(up);
		let mut packet = Packet::blank(&mut bytes[..]);
		let carried = match step {
			0 => packet.transit(),
			_ => {
				let MacKey(key) = routers[step - 1];
				transit = mac(&key, 2, &[&transit, sequence_bytes, &length, &tag]);
				transits.push(hex(transit));
				packet.next_transit(&routers[step - 1])
			}
		};
		assert_eq!(carried, transit);
		sender.send_packet(&mut packet, labels[index], &carried);
		let counter = packet.counter();
		let front = [&[1, flags][..], &labels[index].to_be_bytes(), &counter.to_be_bytes()[2..]].concat();
		let back = [sequence_bytes, &transit, &tag].concat();
		let key = mac_key(&split, "link packets", &[]);
		let link_tag = mac(&key, 1, &[&front, &back, &length]);
		let expected = [&front[..], &link_tag, &back, &cipher].concat();
		assert_eq!(hex(&bytes), hex(&expected), "link {index}");
		assert_eq!(receiver.accept_packet(&Packet::parse(&bytes[..]).unwrap()), Accepted::Yes);
		assert_eq!(receiver.accept_packet(&Packet::parse(&bytes[..]).unwrap()), Accepted::Replayed);
		on_links.push(json!({
			"split": hex(split),
			"packets": hex(key),
			"label": hex(labels[index].to_be_bytes()),
			"counter": counter.to_string(),
			"link_tag": hex(link_tag),
			"datagram": hex(expected),
		}));
	}
	let opened = if flags == 1 { Opened::Control } else { Opened::Data };
	let mut packet = Packet::parse(&mut bytes[..]).unwrap();
	assert_eq!(to.open(&mut packet, NOW), Ok(opened));
	assert_eq!(packet.payload_mut(), payload);
	json!({
		"direction": if up { "up" } else { "down" },
		"flags": hex([flags]),
		"sequence": sequence.to_string(),
		"seal": hex(seal),
		"transit_keys": routers.map(|key| hex(key.0)),
		"payload": hex(payload),
		"aead_tag": hex(tag),
		"transit": transits,
		"links": on_links,
	})
}

#[test]
fn packets_on_their_way_are_those_of_the_golden_vectors() {
	let circuit = scenario::circuit();
	let (mut links, mut ends) = ([0, 1, 2].map(Link::new), ends(&circuit));
	let limit = EndMessage::Limit { bytes: 262_144, pace: 1_250_000, stamp: 9_000_000, length: Some(1182) }.encode();
	let (highest, verified, sequence, sent) = (SEQUENCE + 1, 300, SEQUENCE + 1, 5);
	let echo = Some((9_000_000, 1500));
	let report = EndMessage::Report { highest, verified, sequence, sent, waiting: 0, damaged: 0, echo }.encode();
	let data: [u8; 300] = pattern(0);
	// The last two are the halves of a packet that is too long for the path.
	let packets: [(bool, u8, &[u8]); 6] = [
		(true, 0, &data),
		(false, 0, b"hello"),
		(true, 1, &limit),
		(false, 1, &report),
		(true, 2, &data[..150]),
		(true, 4, &data[150..]),
	];
	let vectors = packets.map(|(up, flags, payload)| journey(&mut links, &mut ends, &circuit, up, flags, payload));
	compare("packet.json", vectors.to_vec());
}
