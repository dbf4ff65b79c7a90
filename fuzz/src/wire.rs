//! Datagrams, and what is in them, before anything is decrypted.

use towpath_proto::{
	crypto::{Crypto, MacKey, RustCrypto},
	wire::{babel, beacon, frame, packet, Kind},
};

use crate::heap::peak_of;

const KEY: MacKey = MacKey([9; 16]);
/// Reading allocates no more than so many bytes for each that came in, and a little besides.
const BLOW_UP: usize = 64;
const LITTLE: usize = 4096;

fn assert_thrifty(peak: usize, input: &[u8]) {
	assert!(peak <= LITTLE + BLOW_UP * input.len(), "{peak} bytes on the heap for an input of {}", input.len());
}

/// A packet is read without a heap, keeps to its lengths, and is the same for the next router but for what that one changes.
pub fn packet(bytes: &[u8]) {
	let (parsed, peak) = peak_of(|| packet::Packet::parse(bytes));
	assert_eq!(peak, 0, "the data path does not allocate");
	let Ok(parsed) = parsed else { return };
	assert!(parsed.length() <= packet::MAX_LENGTH && parsed.length() + packet::HEADER_LEN == bytes.len());
	assert!(!parsed.is_control() || bytes.len() <= packet::MAX_CONTROL_LEN);
	assert!(parsed.counter() < 1 << 48 && parsed.sequence() < 1 << 48);
	let (label, counter, transit) = (parsed.label(), parsed.counter(), parsed.transit());
	let step = parsed.next_transit(&KEY);

	// Written from what was read, it is what was read, but for the link's tag.
	let mut again = bytes.to_vec();
	packet::Packet::blank(&mut again[..]).readdress(label, counter, &transit, &KEY);
	let mut expected = bytes.to_vec();
	expected[12..20].copy_from_slice(&parsed.expected_link_tag(&KEY));
	assert_eq!(again, expected);

	packet::Packet::blank(&mut again[..]).readdress(!label, counter ^ 1, &step, &KEY);
	let Ok(next) = packet::Packet::parse(&again) else { panic!("what is passed on is a packet") };
	assert_eq!((next.label(), next.counter(), next.transit()), (!label, counter ^ 1, step));
	assert_eq!((next.sequence(), next.aead_tag()), (parsed.sequence(), parsed.aead_tag()));
	assert_eq!((next.flags(), next.length()), (parsed.flags(), parsed.length()));
	assert_eq!(next.link_tag(), next.expected_link_tag(&KEY));
}

/// A frame that is read is the one that would be written; a control message that nobody sealed does not open.
pub fn frame(bytes: &[u8]) {
	use frame::Frame;
	let (parsed, peak) = peak_of(|| frame::Frame::parse(bytes));
	assert_eq!(peak, 0, "frames borrow");
	let Some(parsed) = parsed else { return };
	let written = match parsed {
		Frame::Init { sender, noise, cookie } => {
			let cookie: &[u8] = cookie.map_or(&[], |cookie| cookie);
			assert!(bytes.len() == 5 + frame::FIRST_NOISE_LEN + cookie.len());
			frame::handshake(Kind::HandshakeInit, &[sender], &[noise, cookie].concat())
		}
		Frame::Response { receiver, sender, noise } => {
			frame::handshake(Kind::HandshakeResponse, &[receiver, sender], noise)
		}
		Frame::Final { receiver, noise } => frame::handshake(Kind::HandshakeFinal, &[receiver], noise),
		Frame::Retry { receiver, cookie } => frame::handshake(Kind::HandshakeRetry, &[receiver], cookie),
		Frame::Beacon(beacon) => beacon.to_bytes(),
		Frame::Control { receiver, counter } => return control(bytes, receiver, counter),
	};
	assert_eq!(written, bytes);
}

fn control(bytes: &[u8], receiver: u32, counter: u64) {
	assert!(counter < 1 << 48);
	let aead = RustCrypto.aead(&[7; 32]);
	let mut sealed = bytes.to_vec();
	assert_eq!(frame::open_control(&*aead, counter, &mut sealed), None, "nobody sealed it");
	// The same text, sealed, is read again; with one bit changed it is not.
	let text = &bytes[frame::CONTROL_HEADER_LEN..];
	let mut sealed = frame::seal_control(&*aead, receiver, counter, text);
	assert_eq!(frame::Frame::parse(&sealed), Some(frame::Frame::Control { receiver, counter }));
	assert_eq!(frame::open_control(&*aead, counter, &mut sealed.clone()), Some(text));
	let bit = counter as usize % (sealed.len() * 8);
	sealed[bit / 8] ^= 1 << (bit % 8);
	assert_eq!(frame::open_control(&*aead, counter, &mut sealed), None);
}

/// A beacon is its bytes, and one that its node did not sign is not signed. The first byte of the input chooses between raw
/// bytes and a beacon that is signed, with one place changed.
pub fn beacon(bytes: &[u8]) {
	let Some((mode, rest)) = bytes.split_first() else { return };
	let genesis = [3; 32];
	if mode & 1 == 0 {
		let Some(parsed) = beacon::Beacon::parse(rest) else { return };
		assert_eq!((rest.len(), &parsed.to_bytes()[..]), (beacon::BEACON_LEN, rest));
		assert!(!parsed.is_signed(&RustCrypto, &genesis));
		return;
	}
	let [number, place, flip, ..] = *rest else { return };
	let honest = beacon::Beacon::sign(&RustCrypto, &[*mode; 32], &genesis, 7700, [number; 8], u32::from(number));
	assert!(honest.is_signed(&RustCrypto, &genesis));
	let mut changed = honest.to_bytes();
	changed[usize::from(place) % beacon::BEACON_LEN] ^= flip;
	match beacon::Beacon::parse(&changed) {
		// The network's short name is not signed: it is derived from what is.
		Some(parsed) => {
			let same = parsed == beacon::Beacon { network: parsed.network, ..honest };
			assert_eq!(parsed.is_signed(&RustCrypto, &genesis), same);
		}
		None => assert!(flip != 0),
	}
}

/// What is written after reading is read as the same, and every packet that is written keeps to its length.
pub fn babel(bytes: &[u8]) {
	let (parsed, peak) = peak_of(|| babel::parse(bytes));
	assert_thrifty(peak, bytes);
	let Ok(tlvs) = parsed else { return };
	assert!(tlvs.len() * 2 <= bytes.len(), "every TLV has a kind and a length");
	for tlv in &tlvs {
		if let babel::Tlv::Update { prefix: Some(prefix), .. } | babel::Tlv::RouteRequest { prefix: Some(prefix), .. } =
			tlv
		{
			let behind = u128::from_be_bytes(prefix.address).checked_shl(prefix.length.into()).unwrap_or(0);
			assert!(prefix.length <= 128 && behind == 0, "{prefix:?}");
		}
	}
	let packets = babel::write(&tlvs);
	assert!(packets.iter().all(|packet| packet.len() <= 4 + babel::MAX_BODY));
	let again: Vec<_> = packets.iter().flat_map(|packet| babel::parse(packet).expect("it was written here")).collect();
	assert_eq!(again.len(), tlvs.len(), "{tlvs:?} became {again:?}");
	assert_eq!(babel::write(&again), packets);
}
