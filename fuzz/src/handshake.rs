//! Noise messages that somebody changed on the way, or made up.

use std::sync::Arc;

use towpath_proto::crypto::{Crypto, Handshake, Role, RustCrypto, Secrets, SharedCrypto, MAX_NOISE_MESSAGE};

const USAGE: &[u8] = b"towpath/fuzz/v1";

fn secrets(seed: u8) -> Secrets {
	Secrets { genesis: [3; 32], node_seed: [seed; 32], noise: [seed ^ 0x55; 32] }
}

fn begin(role: Role) -> Handshake {
	let crypto: SharedCrypto = Arc::new(RustCrypto);
	let seed = if role == Role::Initiator { 1 } else { 2 };
	Handshake::new(role, USAGE, &[], &secrets(seed), &crypto, [seed ^ 0xaa; 32])
}

/// The message that arrives: the honest one, changed as the input says, or the input itself.
fn tamper(honest: &[u8], how: u8, bytes: &[u8]) -> Vec<u8> {
	let mut message = honest.to_vec();
	match how % 3 {
		0 => return bytes.to_vec(),
		1 => bytes.iter().zip(&mut message).for_each(|(byte, target)| *target ^= byte),
		_ => {
			let length = bytes.first().map_or(0, |byte| usize::from(*byte));
			message.resize(honest.len() - honest.len().min(length), 0);
			message.extend_from_slice(bytes.get(1..).unwrap_or(&[]));
		}
	}
	message
}

/// Input: which of the three messages is changed, how, and with what. Whoever reads a changed second or third message
/// believes nothing of it; what comes unchanged is believed whole, and both sides then share keys.
pub fn handshake(bytes: &[u8]) {
	let [which, how, rest @ ..] = bytes else { return };
	let (mut initiator, mut responder) = (begin(Role::Initiator), begin(Role::Responder));
	let Ok(first) = initiator.write(&[]) else { panic!("the first message is always written") };
	let arrived = if which % 3 == 0 { tamper(&first, *how, rest) } else { first.clone() };
	let read = responder.read(&arrived);
	if arrived.len() > MAX_NOISE_MESSAGE {
		assert!(read.is_err());
	}
	if read.is_err() {
		assert!(arrived != first);
		return;
	}
	assert_eq!(read, Ok(None), "the first message proves nothing");
	let extra = &rest[..rest.len().min(600)];
	let Ok(second) = responder.write(extra) else { panic!("so much fits") };
	let tampered = if which % 3 == 1 { tamper(&second, *how, rest) } else { second.clone() };
	let Ok(identity) = initiator.read(&tampered) else {
		assert!(tampered != second || arrived != first);
		return;
	};
	assert!(tampered == second && arrived == first, "nobody changes what a handshake says");
	let identity = identity.expect("the second message names its sender");
	assert_eq!((identity.node.0, &identity.extra[..]), (RustCrypto.public_key(&[2; 32]), extra));
	let Ok(third) = initiator.write(extra) else { panic!("so much fits") };
	let last = if which % 3 == 2 { tamper(&third, *how, rest) } else { third.clone() };
	let Ok(identity) = responder.read(&last) else {
		assert!(last != third);
		return assert_eq!(responder.peer(), None);
	};
	assert_eq!(last, third);
	assert_eq!(identity.map(|identity| identity.node.0), Some(RustCrypto.public_key(&[1; 32])));
	let (Ok(ours), Ok(theirs)) = (initiator.finish(), responder.finish()) else { panic!("all three have passed") };
	assert_eq!((ours.forth, ours.back), (theirs.forth, theirs.back));
}
