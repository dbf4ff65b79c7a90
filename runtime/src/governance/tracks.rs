//! How a referendum passes, per track.
//!
//! Approval is the share of votes in favour, each weighed by its conviction; support is the money behind the votes in favour,
//! whatever their conviction, as a share of all that could vote. What is asked of either falls in a straight line while the
//! decision lasts: what nearly everybody wants passes soon, what few care for passes late or never.

use alloc::borrow::Cow;
use frame_support::traits::{Get, OriginTrait};
use pallet_referenda::{Curve, Track, TrackInfo, TracksInfo};
use sp_runtime::{str_array, Perbill};

use super::origins::Origin;
use crate::{periods, Balance, BlockNumber, OriginCaller, RuntimeOrigin, UNIT};

/// A track as people read it. Times are in governance's hours; shares in thousandths, as `(at first, in the end)`.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
	/// Its number on the chain.
	pub id: u16,
	/// Its name on screens.
	pub name: &'static str,
	/// The origin that it gives; none is root.
	pub origin: Option<Origin>,
	/// How many referenda are decided at once; the others queue, the best supported first.
	pub deciding: u32,
	/// Whoever wants a decision puts this at stake, in tokens.
	pub deposit: u32,
	/// From submission to the decision.
	pub prepare: u32,
	/// Longest decision.
	pub decide: u32,
	/// How long approval and support must hold without a break.
	pub confirm: u32,
	/// Least time from passing to taking effect.
	pub enact: u32,
	/// Share of votes in favour.
	pub approval: (u32, u32),
	/// Share of the money that could vote.
	pub support: (u32, u32),
}

/// Every track, by rising number.
pub const RULES: [Rule; 7] = [
	Rule {
		id: 0,
		name: "root",
		origin: None,
		deciding: 1,
		deposit: 1_000,
		prepare: 24,
		decide: 336,
		confirm: 24,
		enact: 24,
		approval: (900, 600),
		support: (500, 100),
	},
	Rule {
		id: 10,
		name: "network_parameters",
		origin: Some(Origin::NetworkParameters),
		deciding: 5,
		deposit: 200,
		prepare: 12,
		decide: 336,
		confirm: 24,
		enact: 24,
		approval: (800, 550),
		support: (300, 50),
	},
	Rule {
		id: 11,
		name: "admission",
		origin: Some(Origin::Admission),
		deciding: 10,
		deposit: 50,
		prepare: 2,
		decide: 168,
		confirm: 6,
		enact: 2,
		approval: (800, 550),
		support: (200, 10),
	},
	Rule {
		id: 20,
		name: "small_spend",
		origin: Some(Origin::SmallSpend),
		deciding: 20,
		deposit: 10,
		prepare: 2,
		decide: 168,
		confirm: 6,
		enact: 2,
		approval: (700, 500),
		support: (100, 5),
	},
	Rule {
		id: 21,
		name: "medium_spend",
		origin: Some(Origin::MediumSpend),
		deciding: 10,
		deposit: 100,
		prepare: 6,
		decide: 336,
		confirm: 12,
		enact: 12,
		approval: (800, 500),
		support: (200, 20),
	},
	Rule {
		id: 22,
		name: "big_spend",
		origin: Some(Origin::BigSpend),
		deciding: 5,
		deposit: 500,
		prepare: 24,
		decide: 672,
		confirm: 48,
		enact: 24,
		approval: (900, 550),
		support: (300, 50),
	},
	Rule {
		id: 30,
		name: "emergency",
		origin: Some(Origin::Emergency),
		deciding: 3,
		deposit: 500,
		prepare: 1,
		decide: 72,
		confirm: 1,
		enact: 0,
		approval: (950, 800),
		support: (500, 200),
	},
];

/// From the first figure at the decision's start to the second at its end.
const fn falling((first, last): (u32, u32)) -> Curve {
	Curve::LinearDecreasing {
		length: Perbill::one(),
		floor: Perbill::from_parts(last * 1_000_000),
		ceil: Perbill::from_parts(first * 1_000_000),
	}
}

impl Rule {
	/// The track for the referenda pallet, with an hour of so many blocks.
	fn track(&self, hour: BlockNumber) -> Track<u16, Balance, BlockNumber> {
		let blocks = |hours: u32| hours.saturating_mul(hour);
		Track {
			id: self.id,
			info: TrackInfo {
				name: str_array(self.name),
				max_deciding: self.deciding,
				decision_deposit: Balance::from(self.deposit) * UNIT,
				prepare_period: blocks(self.prepare),
				decision_period: blocks(self.decide),
				confirm_period: blocks(self.confirm),
				min_enactment_period: blocks(self.enact),
				min_approval: falling(self.approval),
				min_support: falling(self.support),
			},
		}
	}
}

/// [`RULES`] in the chain's blocks.
pub struct Tracks;

impl TracksInfo<Balance, BlockNumber> for Tracks {
	type Id = u16;
	type RuntimeOrigin = <RuntimeOrigin as OriginTrait>::PalletsOrigin;

	fn tracks() -> impl Iterator<Item = Cow<'static, Track<u16, Balance, BlockNumber>>> {
		let hour = <periods::GovernanceHour as Get<u32>>::get();
		RULES.iter().map(move |rule| Cow::Owned(rule.track(hour)))
	}

	fn track_for(origin: &Self::RuntimeOrigin) -> Result<u16, ()> {
		let wanted = match origin {
			OriginCaller::system(frame_system::RawOrigin::Root) => None,
			OriginCaller::Origins(ours) => Some(*ours),
			_ => return Err(()),
		};
		RULES.iter().find(|rule| rule.origin == wanted).map(|rule| rule.id).ok_or(())
	}
}
