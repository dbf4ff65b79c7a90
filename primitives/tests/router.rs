//! Bounds of what a router says of itself.

#![allow(clippy::unwrap_used)]

mod common;

use codec::{Encode, MaxEncodedLen};
use common::*;
use proptest::prelude::*;
use towpath_primitives::{
	Cell, Endpoint, Prefix, PrefixError, Profile, ProfileError, MAX_ADDRESSES, MAX_NAME_LEN, MAX_PREFIXES,
};

fn named(name: &[u8]) -> Profile {
	Profile { name: name.to_vec(), ..Profile::default() }
}

fn sound() -> Profile {
	named(b"router")
}

fn located(latitude: i16, longitude: i16) -> Profile {
	Profile { location: Some(Cell { latitude, longitude }), ..sound() }
}

/// What a prefix is, told by shifts on the whole address instead of byte by byte.
fn reference(prefix: &Prefix) -> Result<(), PrefixError> {
	let (address, width, len) = match *prefix {
		Prefix::V4(a, len) => (u128::from(u32::from_be_bytes(a)), 32, u32::from(len)),
		Prefix::V6(a, len) => (u128::from_be_bytes(a), 128, u32::from(len)),
	};
	if len > width {
		return Err(PrefixError::TooLong);
	}
	let host = 1u128.checked_shl(width - len).map_or(u128::MAX, |size| size - 1);
	if address & host != 0 {
		return Err(PrefixError::HostBits);
	}
	if width == 128 && len >= 8 && address >> 120 == 0xfd {
		return Err(PrefixError::Overlay);
	}
	Ok(())
}

#[test]
fn prefixes_of_every_length_up_to_the_address_are_accepted() {
	for len in 0..=32 {
		assert_eq!(Prefix::V4([0; 4], len).check(), Ok(()));
	}
	for len in 0..=128 {
		assert_eq!(Prefix::V6([0; 16], len).check(), Ok(()));
	}
	assert_eq!(Prefix::V4([0; 4], 33).check(), Err(PrefixError::TooLong));
	assert_eq!(Prefix::V6([0; 16], 129).check(), Err(PrefixError::TooLong));
	assert_eq!(Prefix::V4([0; 4], 255).check(), Err(PrefixError::TooLong));
}

#[test]
fn bits_after_the_prefix_are_refused() {
	assert_eq!(Prefix::V4([10, 0, 0, 0], 8).check(), Ok(()));
	assert_eq!(Prefix::V4([10, 128, 0, 0], 9).check(), Ok(()));
	assert_eq!(Prefix::V4([10, 128, 0, 0], 8).check(), Err(PrefixError::HostBits));
	assert_eq!(Prefix::V4([128, 0, 0, 0], 0).check(), Err(PrefixError::HostBits));
	assert_eq!(Prefix::V4([10, 0, 0, 1], 31).check(), Err(PrefixError::HostBits));
	assert_eq!(Prefix::V4([10, 0, 0, 1], 32).check(), Ok(()));
}

#[test]
fn nothing_inside_the_overlay_range_can_be_offered_but_what_lies_around_it_can() {
	let v6 = |first: u8, len| Prefix::V6(core::array::from_fn(|i| if i == 0 { first } else { 0 }), len);
	for len in 8..=128 {
		assert_eq!(v6(0xfd, len).check(), Err(PrefixError::Overlay));
	}
	assert_eq!(v6(0xfc, 7).check(), Ok(()));
	assert_eq!(v6(0xfc, 8).check(), Ok(()));
	assert_eq!(v6(0xfe, 8).check(), Ok(()));
	assert_eq!(Prefix::V4([0xfd, 0, 0, 0], 8).check(), Ok(()));
}

#[test]
fn names_have_three_to_thirty_two_of_the_allowed_bytes() {
	assert_eq!(named(b"ab").check(), Err(ProfileError::Name));
	assert_eq!(named(b"abc").check(), Ok(()));
	assert_eq!(named(&[b'a'; MAX_NAME_LEN]).check(), Ok(()));
	assert_eq!(named(&[b'a'; MAX_NAME_LEN + 1]).check(), Err(ProfileError::Name));
	assert_eq!(MAX_NAME_LEN, 32);
	for byte in 0..=u8::MAX {
		let allowed = b"abcdefghijklmnopqrstuvwxyz0123456789-".contains(&byte);
		assert_eq!(named(&[b'a', byte, b'z']).check().is_ok(), allowed, "{byte}");
	}
}

#[test]
fn eight_prefixes_are_accepted_and_nine_are_not() {
	let with = |count| Profile { prefixes: vec![Prefix::V4([0; 4], 0); count], ..sound() };
	assert_eq!(MAX_PREFIXES, 8);
	assert_eq!(with(8).check(), Ok(()));
	assert_eq!(with(9).check(), Err(ProfileError::TooManyPrefixes));
}

#[test]
fn one_bad_prefix_among_good_ones_is_found_wherever_it_stands() {
	for place in 0..MAX_PREFIXES {
		let mut prefixes = vec![Prefix::V6([0; 16], 0); MAX_PREFIXES];
		prefixes[place] = Prefix::V4([1, 2, 3, 4], 8);
		let profile = Profile { prefixes, ..sound() };
		assert_eq!(profile.check(), Err(ProfileError::Prefix(PrefixError::HostBits)));
	}
}

#[test]
fn four_addresses_are_accepted_and_five_are_not() {
	let with = |count| Profile { addresses: vec![Endpoint::V4([0; 4], 0); count], ..sound() };
	assert_eq!(MAX_ADDRESSES, 4);
	assert_eq!(with(4).check(), Ok(()));
	assert_eq!(with(5).check(), Err(ProfileError::TooManyAddresses));
}

#[test]
fn cells_lie_on_this_planet() {
	for (latitude, longitude) in [(-1_800, -3_600), (1_799, 3_599), (0, 0)] {
		assert_eq!(located(latitude, longitude).check(), Ok(()));
	}
	for (latitude, longitude) in [(-1_801, 0), (1_800, 0), (0, -3_601), (0, 3_600), (i16::MIN, 0), (0, i16::MAX)] {
		assert_eq!(located(latitude, longitude).check(), Err(ProfileError::Location));
	}
}

#[test]
fn the_largest_profile_reaches_the_bound_exactly() {
	let largest = Profile {
		name: vec![b'z'; MAX_NAME_LEN],
		price: u64::MAX,
		prefixes: vec![Prefix::V6([0x20; 16], 128); MAX_PREFIXES],
		addresses: vec![Endpoint::V6([0xff; 16], u16::MAX); MAX_ADDRESSES],
		location: Some(Cell { latitude: -1_800, longitude: -3_600 }),
	};
	assert_eq!(largest.check(), Ok(()));
	assert_eq!(largest.encoded_size(), Profile::MAX_ENCODED_LEN);
	assert_eq!(Profile::max_encoded_len(), Profile::MAX_ENCODED_LEN);
}

#[test]
fn a_router_with_any_prefix_is_a_gateway() {
	assert!(!sound().is_gateway());
	assert!(Profile { prefixes: vec![Prefix::V4([0; 4], 0)], ..sound() }.is_gateway());
}

proptest! {
	#![proptest_config(cases(1_000))]

	#[test]
	fn prefixes_are_checked_as_their_definition_says(prefix in prefix(), first in any::<u8>(), len in 0u8..=130) {
		prop_assert_eq!(prefix.check(), reference(&prefix));
		for first in [first, 0xfc, 0xfd] {
			let mut bytes = [0; 16];
			bytes[0] = first;
			let near = Prefix::V6(bytes, len);
			prop_assert_eq!(near.check(), reference(&near));
		}
	}

	#[test]
	fn good_prefixes_pass_and_one_bit_after_their_length_spoils_them(prefix in good_prefix(), bit in 0usize..128) {
		prop_assert_eq!(prefix.check(), Ok(()));
		let spoiled = match prefix {
			Prefix::V4(mut a, len) => {
				let bit = bit % 32;
				a[bit / 8] |= 0x80 >> (bit % 8);
				(bit >= len.into()).then_some(Prefix::V4(a, len))
			}
			Prefix::V6(mut a, len) => {
				a[bit / 8] |= 0x80 >> (bit % 8);
				(bit >= len.into()).then_some(Prefix::V6(a, len))
			}
		};
		if let Some(spoiled) = spoiled {
			prop_assert_eq!(spoiled.check(), Err(PrefixError::HostBits));
		}
	}

	#[test]
	fn no_profile_that_passes_is_larger_than_the_bound(any in profile(), good in good_profile()) {
		prop_assert_eq!(good.check(), Ok(()));
		prop_assert!(good.encoded_size() <= Profile::MAX_ENCODED_LEN);
		prop_assert!(any.check().is_err() || any.encoded_size() <= Profile::MAX_ENCODED_LEN);
	}

	#[test]
	fn a_good_profile_with_one_thing_wrong_is_refused_for_that(good in good_profile()) {
		let mut bad = good.clone();
		bad.name.push(b'_');
		prop_assert_eq!(bad.check(), Err(ProfileError::Name));
		let mut bad = good.clone();
		bad.prefixes.resize(MAX_PREFIXES + 1, Prefix::V4([0; 4], 0));
		prop_assert_eq!(bad.check(), Err(ProfileError::TooManyPrefixes));
		let mut bad = good.clone();
		bad.addresses.resize(MAX_ADDRESSES + 1, Endpoint::V4([0; 4], 0));
		prop_assert_eq!(bad.check(), Err(ProfileError::TooManyAddresses));
		let bad = Profile { location: Some(Cell { latitude: 1_800, longitude: 0 }), ..good };
		prop_assert_eq!(bad.check(), Err(ProfileError::Location));
	}
}
