//! Everything that crosses a wire or a database comes back as it went, and nothing that arrives makes decoding panic.

#![allow(clippy::unwrap_used)]

mod common;

use codec::{Decode, DecodeAll, Encode, MaxEncodedLen};
use common::*;
use proptest::prelude::*;
use towpath_primitives::{
	Cell, Endpoint, NodeId, OverlayAddress, Prefix, Profile, Receipt, RouterStatus, RouterView, Signature,
	SignedReceipt, SlotView,
};

fn comes_back<T: Encode + Decode + PartialEq + core::fmt::Debug>(value: &T) {
	let encoded = value.encode();
	assert_eq!(T::decode_all(&mut &encoded[..]).as_ref(), Ok(value));
	for len in 0..encoded.len() {
		assert!(T::decode_all(&mut &encoded[..len]).is_err(), "{len} of {} bytes are not a value", encoded.len());
	}
}

fn comes_back_bounded<T: Encode + Decode + MaxEncodedLen + PartialEq + core::fmt::Debug>(value: &T) {
	comes_back(value);
	assert!(value.encoded_size() <= T::max_encoded_len());
}

fn status() -> impl Strategy<Value = RouterStatus> {
	prop_oneof![Just(RouterStatus::Active), Just(RouterStatus::Jailed), Just(RouterStatus::Leaving)]
}

proptest! {
	#![proptest_config(cases(256))]

	#[test]
	fn node_ids_and_overlay_addresses_come_back(node in node()) {
		comes_back_bounded(&node);
		comes_back_bounded(&node.overlay_address());
	}

	#[test]
	fn signatures_come_back(signature in signature()) {
		comes_back_bounded(&signature);
	}

	#[test]
	fn receipts_come_back(signed in signed_receipt()) {
		comes_back_bounded(&signed.receipt);
		comes_back_bounded(&signed);
	}

	#[test]
	fn a_signed_receipt_is_its_fields_in_order_in_128_bytes(signed in signed_receipt()) {
		let SignedReceipt { receipt: Receipt { channel, node, owed, bytes }, signature } = signed;
		let fields =
			[&channel.to_le_bytes()[..], &node.0, &owed.to_le_bytes(), &bytes.to_le_bytes(), &signature.0].concat();
		prop_assert_eq!(fields.len(), 128);
		prop_assert_eq!(signed.encode(), fields);
		prop_assert_eq!(SignedReceipt::max_encoded_len(), 128);
	}

	#[test]
	fn prefixes_and_endpoints_come_back(prefix in prefix(), endpoint in endpoint()) {
		comes_back_bounded(&prefix);
		comes_back_bounded(&endpoint);
	}

	#[test]
	fn cells_and_states_come_back(latitude: i16, longitude: i16, status in status()) {
		comes_back_bounded(&Cell { latitude, longitude });
		comes_back_bounded(&status);
	}

	#[test]
	fn profiles_good_and_bad_come_back(bad in profile(), good in good_profile()) {
		comes_back(&bad);
		comes_back_bounded(&good);
	}

	#[test]
	fn router_views_come_back(
		node in node(),
		operator: [u8; 32],
		status in status(),
		profile in good_profile(),
		standing_until: Option<u32>,
	) {
		comes_back(&RouterView { node, operator, status, profile, standing_until });
	}

	#[test]
	fn slot_views_come_back(
		channel: u64,
		node in node(),
		(claimed, paid, fee, from_reserve) in any::<(u128, u128, u128, u128)>(),
		bytes: u64,
	) {
		comes_back(&SlotView { channel, node, claimed, paid, fee, from_reserve, bytes });
	}

	#[test]
	fn decoding_what_anybody_may_send_never_panics(noise in prop::collection::vec(any::<u8>(), 0..400)) {
		let _ = NodeId::decode(&mut &noise[..]);
		let _ = OverlayAddress::decode(&mut &noise[..]);
		let _ = Signature::decode(&mut &noise[..]);
		let _ = SignedReceipt::decode(&mut &noise[..]);
		let _ = Prefix::decode(&mut &noise[..]);
		let _ = Endpoint::decode(&mut &noise[..]);
		let _ = RouterView::<[u8; 32]>::decode(&mut &noise[..]);
		let _ = SlotView::decode(&mut &noise[..]);
		if let Ok(profile) = Profile::decode(&mut &noise[..]) {
			let _ = profile.check();
		}
	}

	#[test]
	fn profiles_come_back_from_json(profile in good_profile()) {
		let text = serde_json::to_string(&profile).unwrap();
		prop_assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
	}
}
