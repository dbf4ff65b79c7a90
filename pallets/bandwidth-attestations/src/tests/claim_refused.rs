//! `claim`, refused: each reason of C1 and C3 by its name, and nothing has changed.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::{DispatchError, TokenError};
use towpath_primitives::{possession_payload, sign_ed25519, Receipt, Signature, SignedReceipt};

use crate::{mock::*, Error};

/// Refused whoever submits it, for this reason, and without any effect.
#[track_caller]
fn refused(receipt: SignedReceipt, error: impl Into<DispatchError>) {
	let error: DispatchError = error.into();
	for who in [operator(1), stranger()] {
		assert_noop!(claim_as(&who, receipt), error);
	}
}

/// A good receipt on a channel on which router 1 has claimed already, to be spoiled.
fn run_with_receipt(test: impl FnOnce(u64, SignedReceipt)) {
	run(|| {
		let id = open();
		claim(id, 1, 500);
		let good = receipt(id, 1, 1_000);
		test(id, good);
		// It was good: nothing but the spoiling was refused.
		assert_ok!(claim_as(&operator(1), good));
		assert_eq!(earned(1), 900);
	});
}

#[test]
fn a_channel_that_was_never_opened_is_unknown() {
	run_with_receipt(|id, _| {
		refused(receipt(id + 1, 1, 1_000), Error::<Test>::UnknownChannel);
		refused(receipt(u64::MAX, 1, 1_000), Error::<Test>::UnknownChannel);
	});
}

#[test]
fn a_finished_channel_is_unknown() {
	run(|| {
		let id = open();
		claim(id, 1, 500);
		close(id);
		next_blocks(WINDOW);
		assert_ok!(Rewards::finish(origin(&payer()), id));
		refused(receipt(id, 1, 1_000), Error::<Test>::UnknownChannel);
	});
}

#[test]
fn a_signature_with_a_flipped_bit_is_bad() {
	run_with_receipt(|_, good| {
		for bit in (0..512).step_by(37) {
			let mut bad = good;
			bad.signature.0[bit / 8] ^= 1 << (bit % 8);
			refused(bad, Error::<Test>::BadSignature);
		}
		refused(SignedReceipt { signature: Signature([0; 64]), ..good }, Error::<Test>::BadSignature);
	});
}

#[test]
fn a_changed_amount_is_not_what_was_signed() {
	run_with_receipt(|_, good| {
		for owed in [0, 999, 1_001, u128::MAX] {
			refused(SignedReceipt { receipt: Receipt { owed, ..good.receipt }, ..good }, Error::<Test>::BadSignature);
		}
	});
}

#[test]
fn changed_bytes_are_not_what_was_signed() {
	run_with_receipt(|_, good| {
		let bytes = good.receipt.bytes + 1;
		refused(SignedReceipt { receipt: Receipt { bytes, ..good.receipt }, ..good }, Error::<Test>::BadSignature);
	});
}

#[test]
fn a_receipt_for_one_router_does_not_pay_another() {
	run_with_receipt(|_, good| {
		refused(
			SignedReceipt { receipt: Receipt { node: node(2), ..good.receipt }, ..good },
			Error::<Test>::BadSignature,
		);
	});
}

#[test]
fn a_receipt_of_another_network_is_bad() {
	run_with_receipt(|id, good| {
		let mut genesis = GENESIS;
		genesis[0] ^= 1;
		refused(good.receipt.sign(&genesis, &receipt_seed(id)), Error::<Test>::BadSignature);
		refused(good.receipt.sign(&[0; 32], &receipt_seed(id)), Error::<Test>::BadSignature);
	});
}

#[test]
fn a_receipt_of_another_channels_key_is_bad() {
	run_with_receipt(|id, good| {
		let other = open();
		refused(good.receipt.sign(&GENESIS, &receipt_seed(other)), Error::<Test>::BadSignature);
		// Nor does the other channel pay for this one's receipt.
		refused(
			SignedReceipt { receipt: Receipt { channel: other, ..good.receipt }, ..good },
			Error::<Test>::BadSignature,
		);
		assert_ne!(receipt_key(id), receipt_key(other));
	});
}

#[test]
fn a_receipt_that_the_router_signed_itself_is_bad() {
	run_with_receipt(|_, good| refused(good.receipt.sign(&GENESIS, &node_seed(1)), Error::<Test>::BadSignature));
}

#[test]
fn a_signature_for_another_purpose_is_bad() {
	run_with_receipt(|id, good| {
		let signature = sign_ed25519(&receipt_seed(id), &possession_payload(&GENESIS, &[1; 32]));
		refused(SignedReceipt { signature, ..good }, Error::<Test>::BadSignature);
		let bare = &good.receipt.payload(&GENESIS)[towpath_primitives::RECEIPT_DOMAIN.len()..];
		let signature = sign_ed25519(&receipt_seed(id), bare);
		refused(SignedReceipt { signature, ..good }, Error::<Test>::BadSignature);
	});
}

#[test]
fn a_router_that_was_never_registered_is_unknown() {
	run_with_receipt(|id, _| refused(receipt(id, ROUTERS + 1, 1_000), Error::<Test>::UnknownRouter));
}

#[test]
fn a_router_that_is_gone_is_unknown_even_with_a_slot() {
	run(|| {
		let id = open();
		claim(id, 1, 500);
		withdraw(1);
		refused(receipt(id, 1, 1_000), Error::<Test>::UnknownRouter);
	});
}

#[test]
fn after_the_window_even_stale_receipts_and_slots_are_refused() {
	run(|| {
		let id = open_with(D, R, K, &[2]);
		claim(id, 1, 500);
		close(id);
		next_blocks(WINDOW);
		for late in [receipt(id, 1, 1_000), receipt(id, 1, 500), receipt(id, 2, 1), receipt(id, 3, 0)] {
			refused(late, Error::<Test>::WindowOver);
		}
		next_blocks(10 * WINDOW);
		refused(receipt(id, 1, u128::MAX), Error::<Test>::WindowOver);
	});
}

#[test]
fn with_all_slots_taken_a_further_router_is_refused_and_those_inside_go_on() {
	run(|| {
		let id = open_with(D, R, K, &[1, 2]);
		claim(id, 3, 0);
		claim(id, 4, 100);
		refused(receipt(id, 5, 1_000), Error::<Test>::NoFreeSlot);
		refused(receipt(id, 5, 0), Error::<Test>::NoFreeSlot);
		for router in 1..=4 {
			claim(id, router, 1_000);
			assert_eq!(earned(router), 900);
		}
	});
}

#[test]
fn money_that_cannot_be_moved_refuses_the_claim_and_leaves_nothing_behind() {
	// A treasury that does not exist cannot take less than the existential deposit.
	Chain { treasury: 0, ..Chain::default() }.run(|| {
		let id = open();
		assert_noop!(claim_as(&operator(1), receipt(id, 1, 100)), TokenError::CannotCreate);
		assert_eq!(slot(id, 1), None);
		// Its part of a larger claim is enough, and then of every claim.
		claim(id, 1, 1_000);
		claim(id, 2, 100);
		assert_eq!((earned(1), earned(2), free(&treasury())), (900, 90, 55));
	});
}

#[test]
fn only_signed_origins_claim() {
	run_with_receipt(|_, good| {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			assert_noop!(Attestations::claim(origin.into(), good), DispatchError::BadOrigin);
		}
	});
}
