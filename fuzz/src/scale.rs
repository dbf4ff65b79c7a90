//! Everything that is decoded with SCALE: it is canonical, so what decodes is what would be encoded.

use std::fmt::Debug;

use codec::{Decode, Encode, MaxEncodedLen};
use towpath_primitives::{
	Endpoint, NodeId, OverlayAddress, Prefix, Profile, Receipt, RouterView, SignedReceipt, SlotView, MAX_ADDRESSES,
	MAX_NAME_LEN, MAX_PREFIXES, RECEIPT_PAYLOAD_LEN,
};
use towpath_proto::{
	record::Record,
	wire::control::{decode, Bind, Control, EndMessage, Offer, Setup, SignedOffer, ToRouter, ToSource},
};

use crate::heap::peak_of;

/// Reading allocates no more than so many bytes for each that came in, and a little besides, whatever lengths it names: the
/// codec reserves 16 KiB at once for a list, and no message has more than two.
const BLOW_UP: usize = 8;
const LITTLE: usize = 40 * 1024;

fn canonical<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
	let (decoded, peak) = peak_of(|| decode::<T>(bytes));
	assert!(peak <= LITTLE + BLOW_UP * bytes.len(), "{peak} bytes on the heap for an input of {}", bytes.len());
	let decoded = decoded?;
	assert_eq!(decoded.encode(), bytes, "{decoded:?}");
	Some(decoded)
}

/// Messages between neighbours, and those that they carry for others.
pub fn control(bytes: &[u8]) {
	match canonical::<Control>(bytes) {
		Some(Control::Babel(packet)) => crate::wire::babel(&packet),
		Some(Control::ToRouter(relayed)) => drop(canonical::<ToRouter>(&relayed.body)),
		Some(Control::ToSource(relayed)) => drop(canonical::<ToSource>(&relayed.body)),
		Some(Control::Setup { setup, .. }) => {
			let mut other = setup.clone();
			other.max_price ^= 1;
			assert_ne!(setup.cid(), other.cid(), "a circuit's name covers its price limit");
		}
		Some(Control::Bind { bind, .. }) => {
			assert_ne!(bind.payload(&[0; 32]), bind.payload(&[1; 32]), "a bind is of one network");
		}
		Some(Control::Offer { offer, .. }) => {
			assert_ne!(offer.offer.payload(&[0; 32]), offer.offer.payload(&[1; 32]), "an offer is of one network");
		}
		_ => {}
	}
}

/// What is sealed inside of something else. The first byte chooses the type.
pub fn inner(bytes: &[u8]) {
	let Some((kind, rest)) = bytes.split_first() else { return };
	match kind % 7 {
		0 => drop(canonical::<EndMessage>(rest)),
		1 => drop(canonical::<ToRouter>(rest)),
		2 => drop(canonical::<ToSource>(rest)),
		3 => drop(canonical::<Setup>(rest)),
		4 => drop(canonical::<SignedOffer>(rest)),
		5 => drop(canonical::<Offer>(rest)),
		_ => drop(canonical::<Bind>(rest)),
	}
}

/// Records of the spool.
pub fn record(bytes: &[u8]) {
	if let Some(record) = canonical::<Record>(bytes) {
		assert!(record.encode().len() <= 1024, "the spool reads no longer ones");
	}
}

/// Types that chain and agent share. The first byte chooses the type.
pub fn primitives(bytes: &[u8]) {
	let Some((kind, rest)) = bytes.split_first() else { return };
	match kind % 8 {
		0 => {
			if let Some(signed) = canonical::<SignedReceipt>(rest) {
				assert_eq!(signed.encoded_size(), SignedReceipt::max_encoded_len());
				assert_eq!(signed.receipt.payload(&[0; 32]).len(), RECEIPT_PAYLOAD_LEN);
				assert!(!signed.verifies(&[0; 32], &[5; 32], towpath_primitives::check_ed25519));
			}
		}
		1 => drop(canonical::<Receipt>(rest)),
		2 => {
			if let Some(profile) = canonical::<Profile>(rest) {
				profile_keeps_its_bounds(&profile);
			}
		}
		3 => {
			if let Some(prefix) = canonical::<Prefix>(rest).filter(|prefix| prefix.check().is_ok()) {
				prefix_is_sound(&prefix);
			}
		}
		4 => drop(canonical::<Endpoint>(rest)),
		5 => drop(canonical::<RouterView<[u8; 32]>>(rest)),
		6 => drop(canonical::<SlotView>(rest)),
		_ => {
			let text = String::from_utf8_lossy(rest);
			if let Ok(node) = text.parse::<NodeId>() {
				assert_eq!(node.to_string().parse::<NodeId>(), Ok(node));
				assert_eq!(node.overlay_address().0[0], OverlayAddress::FIRST_BYTE);
			}
		}
	}
}

fn profile_keeps_its_bounds(profile: &Profile) {
	if profile.check().is_err() {
		return;
	}
	assert!(profile.encoded_size() <= Profile::MAX_ENCODED_LEN);
	assert!(profile.name.len() <= MAX_NAME_LEN && profile.name.is_ascii());
	assert!(profile.prefixes.len() <= MAX_PREFIXES && profile.addresses.len() <= MAX_ADDRESSES);
	profile.prefixes.iter().for_each(prefix_is_sound);
}

/// A prefix that is accepted covers addresses, and none of its bits lies behind its length.
fn prefix_is_sound(prefix: &Prefix) {
	match *prefix {
		Prefix::V4(address, length) => {
			assert!(length <= 32 && u64::from(u32::from_be_bytes(address)) << length & 0xffff_ffff == 0);
		}
		Prefix::V6(address, length) => {
			assert!(length <= 128);
			let behind = u128::from_be_bytes(address).checked_shl(length.into()).unwrap_or(0);
			assert_eq!(behind, 0);
			assert!(length < 8 || address[0] != OverlayAddress::FIRST_BYTE, "overlay addresses have their owners");
		}
	}
}
