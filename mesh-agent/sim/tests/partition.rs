//! The story of a partition: an island without the chain, two islands on which one deposit is spent twice, and what an
//! honest payer gets back after it.
//!
//! Real: the agents, whole and unchanged, with their links, routes, circuits, meters, receipts and claims; the arithmetic of
//! the money, which is `pallet_rewards::settlement` as the chain runs it. Modelled: wires and disks, and of the chain its
//! blocks, its finality (claims are executed twelve seconds after they leave) and who reaches it. The claim window is ten
//! minutes of two-second blocks instead of seven days, so an hour here is to it what six weeks are there. A disk
//! loses in a crash whatever it had not yet confirmed.

#![allow(clippy::unwrap_used)]

#[path = "common/books.rs"]
mod books;
mod common;

use books::Books;
use common::*;
use towpath_primitives::Amount;
use towpath_proto::{agent::Event, forward::Reason};
use towpath_sim::{Net, NodeSpec};

const MIB: u64 = 1 << 20;
/// Far beyond a claim's latency, an era and the claim window.
const LONG: u64 = 3600;
/// W, as agents see it.
const W: u64 = 600;

/// Out of the chain's reach, or back.
fn set_offline(net: &mut Net, agents: &[usize], offline: bool) {
	agents.iter().for_each(|agent| net.set_offline(*agent, offline));
}

/// What the routers have on disk for themselves, and the furthest that their meters can be.
fn newest(net: &Net, router: usize) -> Amount {
	receipts(net, router).last().map_or(0, |receipt| receipt.0)
}

fn meter(net: &Net, router: usize) -> Amount {
	ceilings(net, router).last().copied().unwrap_or(0)
}

/// The payer signs its last receipts and closes the channel; the window passes, with every claim made again in it; the rest
/// goes back.
fn close_and_finish(net: &mut Net, books: &Books, payer: usize) {
	net.with(payer, |agent, now| agent.finish_paying(now));
	net.run(secs(5));
	books.close(net);
	net.run(secs(60));
	replay_every_claim(net, books);
	assert!(!books.window_over(net));
	net.run(secs(W));
	books.finish(net);
}

/// Every claim that was ever made is made again. Nothing is paid twice.
fn replay_every_claim(net: &mut Net, books: &Books) {
	let claim = |(_, _, event): &(usize, _, Event)| match event {
		Event::Claim(signed) => Some(*signed),
		_ => None,
	};
	let claims: Vec<_> = net.log.iter().filter_map(claim).collect();
	let before = (books.0.borrow().slots.clone(), books.0.borrow().state, books.0.borrow().operators.clone());
	claims.iter().for_each(|signed| assert!(net.chain.claim(signed)));
	let after = (books.0.borrow().slots.clone(), books.0.borrow().state, books.0.borrow().operators.clone());
	assert_eq!(before, after);
	assert!(claims.len() > before.0.len() && books.0.borrow().stale >= claims.len() as u64);
}

/// Each router was paid exactly what it was owed, and the payer got exactly the rest.
fn assert_settled(net: &mut Net, books: &Books, routers: &[usize]) {
	let mut owed = 0;
	for router in routers {
		let (node, owed_here) = (net.node(*router), newest(net, *router));
		assert_eq!(books.0.borrow().paid(&node), owed_here, "router {router}");
		assert_eq!(account(net, *router).0, owed_here, "and says so");
		assert!(meter(net, *router) <= owed_here, "and carried no more than that");
		owed += owed_here;
	}
	let ledger = books.0.borrow();
	ledger.assert_balanced();
	assert_eq!(ledger.state.paid, owed);
	assert_eq!(ledger.refunded, ledger.state.deposit + ledger.state.reserve - owed);
	assert_eq!((ledger.forfeited, ledger.late), (0, 0));
}

#[test]
fn an_island_serves_within_its_exposure_and_settles_to_the_last_unit_when_it_is_back() {
	let (mut net, household, routers) = line(21, 3, wire(50, 5));
	let [a, b, c] = routers[..] else { unreachable!() };
	let exposure = cost(8 * MIB);
	let books = Books::open(&mut net, cost(400 * MIB), exposure, 4, &routers);
	net.spend(household, spending(RECEIPT_SEED));
	join(&mut net, household, c);
	assert!(stream(&mut net, household, c, ms(4), secs(20)) > 6_000_000);

	let island = [household, a, b];
	set_offline(&mut net, &island, true);
	net.cut(b, c, true);
	let known: Vec<_> = [a, b].map(|router| claimed(&mut net, router)).to_vec();
	join(&mut net, household, b);
	let inside = stream(&mut net, household, b, ms(4), secs(90));
	assert!(inside > 2 * MIB, "{inside}");
	assert_eq!(stream(&mut net, household, b, ms(4), secs(30)), 0, "the exposure is used up");
	for (router, known) in [a, b].into_iter().zip(&known) {
		assert!(meter(&net, router) > *known + exposure / 2 && meter(&net, router) <= *known + exposure);
	}
	let signed = owed(&mut net, household);
	net.run(secs(LONG));
	assert_eq!(stream(&mut net, household, b, ms(100), secs(60)), 0);
	assert_eq!(owed(&mut net, household), signed, "nothing is signed for service that nobody gives");
	assert!(newest(&net, a) > claimed(&mut net, a), "and nothing of it is settled yet");

	set_offline(&mut net, &island, false);
	net.cut(b, c, false);
	net.run(secs(30));
	for router in [a, b] {
		assert!(newest(&net, router) - claimed(&mut net, router) < exposure / 4, "what it had is home");
	}
	join(&mut net, household, c);
	assert!(stream(&mut net, household, c, ms(4), secs(20)) > 6_000_000, "and service goes on");
	assert_eq!(drops(&mut net, &routers, Reason::NoCredit), 0);
	close_and_finish(&mut net, &books, household);
	assert_settled(&mut net, &books, &routers);
}

#[test]
fn a_channel_that_closes_behind_an_islands_back_is_served_for_half_a_window_and_paid_within_the_other() {
	let (mut net, household, routers) = line(22, 3, wire(50, 5));
	let [a, b, c] = routers[..] else { unreachable!() };
	let books = Books::open(&mut net, cost(4000 * MIB), cost(1000 * MIB), 4, &routers);
	net.spend(household, spending(RECEIPT_SEED));
	join(&mut net, household, c);
	stream(&mut net, household, c, ms(10), secs(10));
	let island = [household, a, b];
	set_offline(&mut net, &island, true);
	net.cut(b, c, true);
	let cut = net.now;
	books.close(&mut net);
	net.run(secs(20));
	assert_eq!(claimed(&mut net, c), newest(&net, c), "who heard of it claims at once");

	join(&mut net, household, b);
	while net.now.since(cut) < secs(W / 2 - 20) {
		assert!(stream(&mut net, household, b, ms(50), secs(20)) > 300_000, "the island knows of nothing");
	}
	stream(&mut net, household, b, ms(50), secs(30));
	let (carried, signed) = ([a, b].map(|router| meter(&net, router)), owed(&mut net, household));
	assert_eq!(stream(&mut net, household, b, ms(50), secs(60)), 0, "its view is half a window old");
	assert_eq!([a, b].map(|router| meter(&net, router)), carried);
	assert_eq!(owed(&mut net, household), signed);

	// Back within the window, just so.
	while net.now.since(cut) < secs(W - 30) {
		net.run(secs(1));
	}
	assert!([a, b].iter().all(|router| claimed(&mut net, *router) < newest(&net, *router)));
	set_offline(&mut net, &island, false);
	net.cut(b, c, false);
	net.run(secs(40));
	assert!(books.window_over(&net));
	books.finish(&mut net);
	assert_settled(&mut net, &books, &routers);
}

/// Two islands of a household and two routers each. Both households hold the receipt key of one channel.
fn two_islands(seed: u64, deposit: Amount, exposure: Amount) -> (Net, Books, [[usize; 3]; 2]) {
	let mut net = Net::new(seed, secs(12));
	let islands = [0; 2].map(|_| [net.add(CLIENT), net.add(ROUTER), net.add(ROUTER)]);
	for [household, near, far] in islands {
		net.connect(household, near, wire(50, 5));
		net.connect(near, far, wire(50, 5));
	}
	net.connect(islands[0][2], islands[1][2], wire(50, 5));
	let named: Vec<_> = islands.iter().flat_map(|island| island[1..].to_vec()).collect();
	let books = Books::open(&mut net, deposit, exposure, 4, &named);
	for [household, _, _] in islands {
		net.spend(household, spending(RECEIPT_SEED));
	}
	(net, books, islands)
}

#[test]
fn a_deposit_that_is_spent_on_two_islands_pays_every_router_for_all_it_carried_and_convicts() {
	// One side keeps the chain, or neither does; and either is the first to be back.
	for (mainland, first) in [(Some(0), 1), (None, 0), (None, 1)] {
		let (deposit, exposure) = (cost(24 * MIB), cost(8 * MIB));
		let (mut net, books, islands) = two_islands(23, deposit, exposure);
		for [household, _, far] in islands {
			join(&mut net, household, far);
		}
		net.run(secs(20));
		net.cut(islands[0][2], islands[1][2], true);
		for side in [0, 1] {
			set_offline(&mut net, &islands[side], mainland != Some(side));
		}
		let mut carried = [0; 2];
		for side in [0, 1] {
			let [household, _, far] = islands[side];
			join(&mut net, household, far);
			stream(&mut net, household, far, ms(2), secs(60));
			let signed = owed(&mut net, household);
			assert!(signed <= deposit, "each one alone is within the deposit");
			carried[side] = net.agent(far).status().delivered;
		}
		let promised = owed(&mut net, islands[0][0]) + owed(&mut net, islands[1][0]);
		assert!(promised > deposit * 5 / 4, "{promised}");
		assert!(!books.convicted(), "nobody can know yet");
		net.run(secs(LONG));

		set_offline(&mut net, &islands[first], false);
		net.run(secs(60));
		set_offline(&mut net, &islands[1 - first], false);
		net.cut(islands[0][2], islands[1][2], false);
		net.run(secs(60));
		assert!(books.convicted());
		assert!(!books.window_over(&net), "claims have a whole window from then");
		let signed: Vec<_> = islands.iter().map(|island| owed(&mut net, island[0])).collect();
		net.run(secs(W));
		books.finish(&mut net);

		let ledger = books.0.borrow();
		ledger.assert_balanced();
		for (side, island) in islands.iter().enumerate() {
			for router in &island[1..] {
				let paid = ledger.paid(&net.node(*router));
				assert!(paid >= cost(carried[side]), "router {router} was paid {paid} for {}", cost(carried[side]));
				assert!(paid >= meter(&net, *router), "and for all that its meter can have counted");
				assert!(paid <= newest(&net, *router), "and nothing that was not signed");
			}
			assert_eq!(owed(&mut net, island[0]), signed[side], "nothing is signed after a conviction");
		}
		assert_eq!(ledger.state.paid, deposit, "the deposit is paid once");
		assert!(ledger.state.from_reserve > 0 && ledger.state.from_reserve <= ledger.state.reserve);
		assert_eq!(ledger.refunded, 0);
		assert_eq!(ledger.forfeited, ledger.state.reserve - ledger.state.from_reserve);
	}
}

#[test]
fn an_honest_payer_on_an_island_is_never_convicted_and_gets_back_exactly_what_it_did_not_owe() {
	for round in 0..6 {
		let (mut net, household, routers) = line(24 + round, 3, wire(50, 5));
		let [a, b, c] = routers[..] else { unreachable!() };
		// The deposit is used up in the end, whoever crashes.
		let deposit = cost(24 * MIB);
		let books = Books::open(&mut net, deposit, cost(10 * MIB), 4, &routers);
		net.spend(household, spending(RECEIPT_SEED));
		join(&mut net, household, c);
		let before = stream(&mut net, household, c, ms(2), secs(6));
		assert!(before > 2_000_000, "{before}");
		let island = [household, a, b];
		set_offline(&mut net, &island, true);
		net.cut(b, c, true);
		join(&mut net, household, b);
		stream(&mut net, household, b, ms(2), secs(10) + ms(1777 * round));
		// Its disk is slow at the moment, so a crash takes something away.
		net.disk_latency = ms(50 + 400 * (round % 3));
		stream(&mut net, household, b, ms(2), secs(1));
		let crashed = if round % 2 == 0 { b } else { a };
		let mut carried = if crashed == b { net.agent(b).status().delivered } else { 0 };
		net.kill(crashed);
		net.run(secs(5));
		net.disk_latency = ms(2);
		net.start(crashed);
		stream(&mut net, household, b, ms(2), secs(30));
		net.kill(household);
		net.run(secs(W));
		net.start(household);
		set_offline(&mut net, &island, false);
		net.cut(b, c, false);
		net.run(secs(30));
		join(&mut net, household, b);
		stream(&mut net, household, b, ms(2), secs(60));
		let signed = owed(&mut net, household);
		assert!(signed > deposit * 3 / 5, "round {round}: the deposit is what ends it, not {signed} of {deposit}");
		carried += net.agent(b).status().delivered;
		assert!(carried > 4_000_000, "{carried}");
		assert!(cost(carried) <= newest(&net, b), "nothing is carried twice for the same money");
		assert!(owed(&mut net, household) <= deposit);
		close_and_finish(&mut net, &books, household);
		assert!(!books.convicted());
		assert_settled(&mut net, &books, &routers);
	}
}

#[test]
fn a_router_whose_payer_is_gone_for_good_is_paid_for_all_that_it_carried_before_it_crashed() {
	for round in 0..6 {
		let (mut net, household, routers) = line(30 + round, 2, wire(50, 5));
		let [a, b] = routers[..] else { unreachable!() };
		// Little credit, so that what is signed is soon used, and a disk that is far behind.
		let books = Books::open(&mut net, cost(400 * MIB), cost(2 * MIB), 4, &routers);
		net.spend(household, spending(RECEIPT_SEED));
		join(&mut net, household, b);
		net.disk_latency = ms(100 + 150 * round);
		set_offline(&mut net, &[household, a, b], true);
		stream(&mut net, household, b, ms(2), ms(1500 + 333 * round));
		let carried = net.agent(b).status().delivered;
		assert!(carried > 30_000, "{carried}");
		[household, a, b].into_iter().for_each(|agent| net.kill(agent));
		net.run(secs(W / 4));
		[a, b].into_iter().for_each(|router| net.start(router));
		net.run(secs(5));
		set_offline(&mut net, &[a, b], false);
		net.run(secs(30));
		books.close(&mut net);
		net.run(secs(W + 10));
		books.finish(&mut net);
		for router in [a, b] {
			let node = net.node(router);
			assert!(books.0.borrow().paid(&node) >= cost(carried), "round {round}, router {router}");
		}
		assert_settled(&mut net, &books, &routers);
	}
}

/// A power cut in the village, while the chain is out of reach: everybody starts again with what is on disk, and routers with this
/// limit of their operators'.
fn restart(net: &mut Net, household: usize, routers: &[usize], limit: Amount) {
	let view = net.chain.channels[&CHANNEL].clone();
	let all: Vec<_> = routers.iter().copied().chain([household]).collect();
	all.iter().for_each(|agent| net.kill(*agent));
	net.run(secs(5));
	for agent in all {
		net.start(agent);
		net.with(agent, |agent, now| {
			agent.set_unsecured_limit(limit);
			agent.recall_channel(view.clone(), now);
		});
	}
}

/// The household and two routers on an island, of which the chain has paid all that they carried.
fn an_island(seed: u64, free_rate: u64) -> (Net, Books, usize, [usize; 2]) {
	let mut net = Net::new(seed, secs(12));
	let household = net.add(CLIENT);
	let routers = [0; 2].map(|_| net.add(NodeSpec { free_rate, ..ROUTER }));
	net.connect(household, routers[0], wire(50, 5));
	net.connect(routers[0], routers[1], wire(50, 5));
	let books = Books::open(&mut net, cost(400 * MIB), cost(8 * MIB), 4, &routers);
	net.spend(household, spending(RECEIPT_SEED));
	join(&mut net, household, routers[1]);
	assert!(stream(&mut net, household, routers[1], ms(4), secs(10)) > 2_000_000);
	net.run(secs(20));
	routers.iter().for_each(|router| net.with(*router, |agent, now| agent.claim_all(now)));
	net.run(secs(20));
	for router in routers {
		assert_eq!(account(&mut net, router).1, 0, "all that it has receipts for is home");
	}
	set_offline(&mut net, &[household, routers[0], routers[1]], true);
	(net, books, household, routers)
}

fn at_risk(net: &mut Net, router: usize) -> Amount {
	net.agent(router).at_risk()
}

#[test]
fn after_a_power_cut_without_a_chain_routers_serve_up_to_their_operators_limit_and_an_honest_payer_pays_it_all() {
	let limit = cost(3 * MIB);
	for crash in [false, true] {
		let (mut net, books, household, [a, b]) = an_island(50, 0);
		restart(&mut net, household, &[a, b], limit);
		join(&mut net, household, b);
		let mut inside = stream(&mut net, household, b, ms(8), secs(20));
		if crash {
			restart(&mut net, household, &[a, b], limit);
			net.run(secs(20));
			join(&mut net, household, b);
		}
		inside += stream(&mut net, household, b, ms(4), secs(120));
		assert!(inside > 2 * MIB, "{inside}");
		assert_eq!(stream(&mut net, household, b, ms(4), secs(30)), 0, "the limit is used up");
		for router in [a, b] {
			let unpaid = meter(&net, router) - claimed(&mut net, router);
			let told = at_risk(&mut net, router);
			assert!(unpaid <= told, "{unpaid} of {told}");
			assert!(told <= limit && told > limit / 2, "{told} of {limit}");
		}
		// Longer than any window.
		net.run(secs(LONG));
		set_offline(&mut net, &[household, a, b], false);
		net.run(secs(60));
		assert_eq!([a, b].map(|router| at_risk(&mut net, router)), [0, 0], "all of it came home");
		join(&mut net, household, b);
		assert!(stream(&mut net, household, b, ms(4), secs(20)) > 4_000_000, "and service goes on");
		close_and_finish(&mut net, &books, household);
		assert_settled(&mut net, &books, &[a, b]);
	}
}

#[test]
fn a_payer_who_takes_everything_back_behind_an_islands_back_costs_a_router_no_more_than_its_operators_limit() {
	for limit in [0, cost(3 * MIB)] {
		let (mut net, books, household, [a, b]) = an_island(52, 0);
		restart(&mut net, household, &[a, b], limit);
		books.close(&mut net);
		let before = net.agent(b).status().delivered;
		net.run(secs(20));
		let to = net.address(b);
		net.with(household, |agent, now| agent.send_packet(to, &[0], now));
		stream(&mut net, household, b, ms(4), secs(120));
		let inside = net.agent(b).status().delivered - before;
		assert!(if limit == 0 { inside == 0 } else { inside > 2 * MIB }, "{inside}");
		net.run(secs(2 * W));
		books.finish(&mut net);
		set_offline(&mut net, &[household, a, b], false);
		net.run(secs(60));
		for router in [a, b] {
			let (node, told) = (net.node(router), at_risk(&mut net, router));
			let loss = meter(&net, router).saturating_sub(books.0.borrow().paid(&node));
			assert!(loss <= limit && told <= limit, "lost {loss}, told {told}, limit {limit}");
			assert!(limit == 0 || loss.min(told) > limit / 2, "lost {loss}, told {told}, and it stays told");
		}
	}
}

#[test]
fn a_household_whose_routers_take_no_money_after_a_power_cut_goes_on_for_nothing_and_pays_again_when_the_chain_is_back()
{
	let (mut net, books, household, [a, b]) = an_island(54, 40_000);
	let signed = owed(&mut net, household);
	restart(&mut net, household, &[a, b], 0);
	let carried = [a, b].map(|router| meter(&net, router));
	join(&mut net, household, b);
	net.run(secs(30));
	let inside = stream(&mut net, household, b, ms(50), secs(60));
	assert!(inside > 1_000_000, "about what is free: {inside}");
	assert_eq!([a, b].map(|router| meter(&net, router)), carried, "and nothing is served for money (R3)");
	let more = owed(&mut net, household) - signed;
	assert!(more < cost(MIB), "nor signed for, but for one grant: {more} is {} bytes", more / cost(1));
	set_offline(&mut net, &[household, a, b], false);
	net.run(secs(10));
	assert!(stream(&mut net, household, b, ms(4), secs(20)) > 4_000_000, "much more than is free");
	close_and_finish(&mut net, &books, household);
	assert_settled(&mut net, &books, &[a, b]);
}
