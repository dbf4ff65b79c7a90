//! What routers, payers and validators send.

use codec::{Decode, Encode};
use frame_support::traits::KeyOwnerProofSystem;
use pallet_node_identity::{Routers, Vouches};
use pallet_rewards::{AllChannels, Slots};
use pallet_validator_election::Candidates;
use sp_consensus_babe::digests::{CompatibleDigestItem, PreDigest, SecondaryPlainPreDigest};
use sp_core::Pair;
use sp_runtime::{traits::Header as _, DigestItem};
use towpath_primitives::{Profile, Receipt, RouterStatus, SignedReceipt};

use super::{people, Story};
use crate::*;

impl Story {
	/// What somebody could mean by this call, and who: of our own pallets, sessions and reports.
	pub fn of_network(&mut self, pallet: &str, call: &str) -> Option<(usize, RuntimeCall)> {
		match pallet {
			"NodeIdentity" => self.of_identity(call),
			"Rewards" => self.of_channels(call),
			"BandwidthAttestations" => self.of_claims(call),
			"ValidatorElection" | "Session" => self.of_election(call),
			"Babe" | "Grandpa" => self.of_reports(pallet, call),
			_ => None,
		}
	}

	/// A registered router and its operator, if that is one of the people.
	fn router(&mut self) -> Option<(usize, usize)> {
		let routers: Vec<_> = Routers::<Runtime>::iter().map(|(node, router)| (node, router.operator)).collect();
		let (node, operator) = self.dice.pick(&routers)?;
		let node = self.wild.nodes.iter().position(|known| *known == node)?;
		Some((node, self.people.index(&operator)?))
	}

	fn profile(&mut self, node: usize) -> Profile {
		let name = format!("router-{}", if self.dice.one_in(4) { self.dice.below(20) } else { node + 1 });
		Profile { name: name.into_bytes(), price: self.dice.below(1 << 40) as u64, ..Profile::default() }
	}

	fn of_identity(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_node_identity::Call;
		let fresh = self.dice.below(people::NODES);
		let (own, operator) = self.router().unwrap_or((fresh, 0));
		let mut anyone = self.dice.below(people::PEOPLE);
		let (node, voucher) = (self.wild.nodes[own], self.wild.nodes[own]);
		let (who, call) = match call {
			"register" => {
				// Mostly by those who can pay.
				anyone = if self.dice.one_in(3) { anyone } else { 4 + self.dice.below(2) };
				let proof = self.people.possession(fresh, &self.genesis, &self.people.account(anyone));
				let profile = self.profile(fresh);
				(anyone, Call::register { node: self.wild.nodes[fresh], proof, profile })
			}
			"update" => (operator, Call::update { node, profile: self.profile(own) }),
			"leave" => (operator, Call::leave { node }),
			"withdraw" => (operator, Call::withdraw { node }),
			"vouch" => (operator, Call::vouch { voucher, node: self.wild.nodes[fresh] }),
			"unvouch" => {
				let vouches: Vec<_> = Vouches::<Runtime>::iter().map(|(node, who, _)| (node, who)).collect();
				let (node, who) = self.dice.pick(&vouches)?;
				(self.people.index(&who)?, Call::unvouch { node })
			}
			_ => return None,
		};
		Some((who, RuntimeCall::NodeIdentity(call)))
	}

	fn of_channels(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_rewards::Call;
		let channels: Vec<_> = AllChannels::<Runtime>::iter().collect();
		let channel = self.dice.pick(&channels);
		let anyone = self.dice.below(people::PEOPLE);
		let (who, call) = match call {
			"open" => {
				let deposit = self.dice.money();
				let reserve = (deposit / 3).max(UNIT * self.dice.below(20) as u128);
				let sponsored = self.dice.one_in(4).then(|| self.people.account(self.dice.below(people::PEOPLE)));
				let named = self.router().map(|(node, _)| self.wild.nodes[node]).filter(|_| self.dice.one_in(2));
				let open = Call::open {
					payer: sponsored,
					receipt_key: self.dice.pick(&self.receipt_keys)?,
					deposit,
					reserve,
					max_slots: 1 + self.dice.below(4) as u32,
					named: named.into_iter().collect::<Vec<_>>().try_into().ok()?,
				};
				(anyone, open)
			}
			"top_up" => {
				let (id, channel) = channel?;
				(self.people.index(&channel.payer)?, Call::top_up { channel: id, amount: self.dice.money() })
			}
			"close" => {
				let (id, channel) = channel?;
				(self.people.index(&channel.payer)?, Call::close { channel: id })
			}
			"finish" => (anyone, Call::finish { channel: channel?.0 }),
			"payout" => {
				let (node, _) = self.router()?;
				let pending = Rewards::pending_payouts(&self.wild.nodes[node]);
				let era = self.dice.pick(&pending).map_or(0, |(era, ..)| era);
				(anyone, Call::payout { node: self.wild.nodes[node], era })
			}
			_ => return None,
		};
		Some((who, RuntimeCall::Rewards(call)))
	}

	/// A receipt for more than the slot has claimed, mostly, and sometimes for more than the channel can pay.
	fn receipt(&mut self) -> Option<SignedReceipt> {
		let channels: Vec<_> = AllChannels::<Runtime>::iter().collect();
		let (id, channel) = self.dice.pick(&channels)?;
		let (node, _) = self.router()?;
		let node = self.wild.nodes[node];
		let claimed = Slots::<Runtime>::get(id, node).map_or(0, |slot| slot.claimed);
		let owed = match self.dice.below(24) {
			0 => u128::MAX,
			1 => claimed,
			2 => channel.state.deposit + self.dice.money() % UNIT,
			3..=9 => claimed + channel.state.deposit.saturating_sub(channel.state.claimed) / 2,
			_ => claimed.saturating_add(self.dice.money() % (20 * UNIT)),
		};
		let receipt = Receipt { channel: id, node, owed, bytes: self.dice.next() >> 20 };
		let mut signed = self.people.sign_receipt(receipt, &self.genesis, &channel.receipt_key)?;
		if self.dice.one_in(30) {
			signed.receipt.owed = signed.receipt.owed.wrapping_add(1);
		}
		Some(signed)
	}

	fn of_claims(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_bandwidth_attestations::Call;
		let anyone = self.dice.below(people::PEOPLE);
		let receipt = self.receipt()?;
		let operator =
			Routers::<Runtime>::get(receipt.receipt.node).and_then(|router| self.people.index(&router.operator));
		let who = operator.filter(|_| !self.dice.one_in(3)).unwrap_or(anyone);
		let call = match call {
			"claim" => Call::claim { receipt },
			"claim_many" => {
				let more = (0..self.dice.below(12)).filter_map(|_| self.receipt());
				let receipts: Vec<_> = more.chain([receipt]).collect();
				Call::claim_many { receipts: receipts.try_into().ok()? }
			}
			_ => return None,
		};
		Some((who, RuntimeCall::BandwidthAttestations(call)))
	}

	fn of_election(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_validator_election::Call;
		let candidates: Vec<_> = Candidates::<Runtime>::iter_keys().collect();
		let candidate = self.dice.pick(&candidates).and_then(|who| self.people.index(&who));
		let anyone = self.dice.below(people::PEOPLE);
		let (who, call) = match call {
			"declare" => {
				let routers: Vec<_> = Routers::<Runtime>::iter()
					.filter(|(_, router)| !Candidates::<Runtime>::contains_key(&router.operator))
					.filter(|(_, router)| {
						self.dice.one_in(4) || pallet_session::NextKeys::<Runtime>::contains_key(&router.operator)
					})
					.filter(|(_, router)| router.status == RouterStatus::Active)
					.map(|(node, router)| (node, router.operator))
					.collect();
				let (node, operator) = self.dice.pick(&routers)?;
				let operator = self.people.index(&operator)?;
				let bond = (1_000 + 500 * self.dice.below(30) as u128) * UNIT;
				(operator, Call::declare { node, bond })
			}
			"raise_bond" => (candidate?, Call::raise_bond { by: self.dice.money() }),
			// Not so often that nobody is left.
			"leave" if self.dice.one_in(6) => (candidate?, Call::leave {}),
			"withdraw" => {
				let unbonding: Vec<_> = pallet_validator_election::Unbonding::<Runtime>::iter_keys().collect();
				(self.people.index(&self.dice.pick(&unbonding)?)?, Call::withdraw {})
			}
			"resume" => {
				let idle = Candidates::<Runtime>::iter().filter(|(_, candidate)| candidate.idle).map(|(who, _)| who);
				let idle: Vec<_> = idle.collect();
				(self.people.index(&self.dice.pick(&idle)?)?, Call::resume {})
			}
			"set_keys" => {
				let anyone = if self.dice.one_in(2) { anyone } else { 4 + self.dice.below(2) };
				let (keys, proof) = self.people.session_keys(&mut self.dice, anyone);
				return Some((anyone, RuntimeCall::Session(pallet_session::Call::set_keys { keys, proof })));
			}
			"purge_keys" => {
				// By either call; only the election's may succeed.
				if self.dice.one_in(4) {
					return Some((anyone, RuntimeCall::Session(pallet_session::Call::purge_keys {})));
				}
				(anyone, Call::purge_keys {})
			}
			_ => return None,
		};
		Some((who, RuntimeCall::ValidatorElection(call)))
	}

	fn of_reports(&mut self, pallet: &str, call: &str) -> Option<(usize, RuntimeCall)> {
		let anyone = self.dice.below(people::PEOPLE);
		let signed = call == "report_equivocation";
		if !signed && call != "report_equivocation_unsigned" {
			return None;
		}
		let call = match pallet {
			"Babe" => {
				let (proof, owner) = self.two_blocks_for_one_slot()?;
				let (equivocation_proof, key_owner_proof) = (Box::new(proof), owner);
				RuntimeCall::Babe(match signed {
					true => pallet_babe::Call::report_equivocation { equivocation_proof, key_owner_proof },
					false => pallet_babe::Call::report_equivocation_unsigned { equivocation_proof, key_owner_proof },
				})
			}
			_ => {
				let (proof, owner) = self.two_votes_in_one_round()?;
				let (equivocation_proof, key_owner_proof) = (Box::new(proof), owner);
				RuntimeCall::Grandpa(match signed {
					true => pallet_grandpa::Call::report_equivocation { equivocation_proof, key_owner_proof },
					false => pallet_grandpa::Call::report_equivocation_unsigned { equivocation_proof, key_owner_proof },
				})
			}
		};
		Some((anyone, call))
	}

	fn two_blocks_for_one_slot(
		&mut self,
	) -> Option<(sp_consensus_babe::EquivocationProof<Header>, sp_session::MembershipProof)> {
		let authorities = pallet_babe::Authorities::<Runtime>::get();
		let index = self.dice.below(authorities.len());
		let offender = authorities[index].0.clone();
		let pair = self.people.babe_pair(offender.as_ref())?;
		let slot = self.slot.into();
		let pre = PreDigest::SecondaryPlain(SecondaryPlainPreDigest { authority_index: index as u32, slot });
		let sealed = |mark: u8| {
			let mut header = Header::new(
				System::block_number(),
				Default::default(),
				[mark; 32].into(),
				Default::default(),
				Default::default(),
			);
			header.digest_mut().push(DigestItem::babe_pre_digest(pre.clone()));
			let signature = pair.sign(header.hash().as_ref());
			header.digest_mut().push(DigestItem::babe_seal(signature.into()));
			header
		};
		let owner = Historical::prove((sp_consensus_babe::KEY_TYPE, offender.clone()))?;
		let proof =
			sp_consensus_babe::EquivocationProof { offender, slot, first_header: sealed(1), second_header: sealed(2) };
		Some((proof, owner))
	}

	fn two_votes_in_one_round(
		&mut self,
	) -> Option<(sp_consensus_grandpa::EquivocationProof<Hash, BlockNumber>, sp_session::MembershipProof)> {
		let authorities = Grandpa::grandpa_authorities();
		let offender = authorities[self.dice.below(authorities.len())].0.clone();
		let pair = self.people.grandpa_pair(offender.as_ref())?;
		let set = Grandpa::current_set_id();
		let round = self.dice.below(100) as u64;
		let number: BlockNumber = System::block_number();
		let vote = |mark: u8| {
			let target = (Hash::from([mark; 32]), number);
			// A prevote is variant 0 of what is signed.
			let signed = sp_consensus_grandpa::localized_payload(round, set, &(0u8, target));
			(target, pair.sign(&signed))
		};
		let owner = Historical::prove((sp_consensus_grandpa::KEY_TYPE, offender.clone()))?;
		let bytes = (set, 0u8, round, offender, vote(1), vote(2)).encode();
		let proof = sp_consensus_grandpa::EquivocationProof::decode(&mut &bytes[..]).unwrap();
		Some((proof, owner))
	}
}
