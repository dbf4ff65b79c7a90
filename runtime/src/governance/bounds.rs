//! Within what governance may change the rules that money depends on.

use frame_support::weights::Weight;
use pallet_bandwidth_attestations::WeightInfo;
use pallet_rewards::{settlement::Terms, Policy};
use sp_runtime::Perbill;

use crate::{periods, weights, Balance, Runtime, TransactionPayment};

/// Most that the protocol may take of a payment.
pub const MAX_FEE: Perbill = Perbill::from_percent(25);
/// Most that a validator's bond yields in an era.
pub const MAX_VALIDATOR_RATE: Perbill = Perbill::from_parts(1_000_000);
/// A claim's transaction is not longer: the call, a signature, an account, and what the extensions add.
const CLAIM_BYTES: u32 = 300;

/// The bounds of rewards' terms and policy.
pub struct Rewards;

impl pallet_rewards::Bounds for Rewards {
	fn hold(terms: &Terms, policy: &Policy) -> bool {
		broken(&periods::Current::<Runtime>::get(), terms, policy).is_none()
	}
}

/// Which of the bounds does not hold, on a chain with these periods.
pub fn broken(settings: &periods::Settings, terms: &Terms, policy: &Policy) -> Option<&'static str> {
	if terms.window < settings.era_blocks() {
		Some("terms.window: a router that is away for an era must still be in time to claim")
	} else if terms.window > settings.leave_blocks {
		Some("terms.window: a router's record, which stays for periods.leaveBlocks, must outlive it")
	} else if terms.fee > MAX_FEE {
		Some("terms.fee: at most 250000000 (a quarter of what is paid)")
	} else if policy.validator_rate > MAX_VALIDATOR_RATE {
		Some("policy.validatorRate: at most 1000000 (a thousandth of the bond an era)")
	} else if net_fee(terms, policy) < claim_cost() {
		Some("terms.minClaim: claims are free from here on, so its fee, less subsidy, must cover their cost; raise it")
	} else {
		None
	}
}

/// What the network keeps of the smallest claim whose transaction is free: its fee, less the subsidy that it may earn.
pub fn net_fee(terms: &Terms, policy: &Policy) -> Balance {
	let fee = terms.fee.mul_floor(terms.min_claim);
	fee.saturating_sub(policy.theta.mul_ceil(terms.burned_share.mul_ceil(fee)))
}

/// What that transaction would cost in an empty block.
pub fn claim_cost() -> Balance {
	let call = <Runtime as pallet_bandwidth_attestations::Config>::WeightInfo::claim();
	let base: Weight = <Runtime as frame_system::Config>::BlockWeights::get()
		.get(frame_support::dispatch::DispatchClass::Operational)
		.base_extrinsic;
	TransactionPayment::weight_to_fee(base.saturating_add(weights::extensions()).saturating_add(call))
		.saturating_add(TransactionPayment::length_to_fee(CLAIM_BYTES))
}
