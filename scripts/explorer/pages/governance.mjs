// Referenda, Preimages and Scheduler: a proposal from its preimage to its enactment, with votes and a delegation.

import { must, until } from '../calls.mjs';

const CONVICTIONS = { None: [1n, 10n], Locked1x: [1n, 1n], Locked2x: [2n, 1n] };
const weighed = (balance, conviction) => (balance * CONVICTIONS[conviction][0]) / CONVICTIONS[conviction][1];
const SMALL_SPEND = 20;
const name = (info) => info.name.toString().replaceAll('\0', '');

// The curves as the page draws them: a share of one thousand million after a share of the decision.
function threshold({ asLinearDecreasing: { ceil, floor, length } }, passed) {
	const [top, bottom, whole] = [ceil, floor, length].map((part) => part.toBigInt());
	return top - ((passed < whole ? passed : whole) * (top - bottom)) / whole;
}

export async function tracks(ask, { api }) {
	const expected = ['root', 'network_parameters', 'admission', 'small_spend', 'medium_spend', 'big_spend', 'emergency'];
	await ask.each([
		['tx.referenda.submit is there', () => typeof api.tx.referenda?.submit, (type) => type === 'function'],
		['tx.convictionVoting.vote is there', () => typeof api.tx.convictionVoting?.vote, (type) => type === 'function'],
		['consts.referenda.tracks', () => api.consts.referenda.tracks, (all) => all.map(([, info]) => name(info)).join() === expected.join()],
		['consts.referenda.tracks: curves', () => api.consts.referenda.tracks, (all) => all.every(([, { minApproval, minSupport, decisionPeriod }]) =>
			decisionPeriod.toNumber() > 0 && [minApproval, minSupport].every((curve) =>
				curve.isLinearDecreasing && threshold(curve, 0n) > threshold(curve, 500_000_000n) && threshold(curve, 500_000_000n) > threshold(curve, 1_000_000_000n)))],
		['consts.referenda.submissionDeposit', () => api.consts.referenda.submissionDeposit, (deposit) => !deposit.isZero()],
		['consts.referenda.undecidingTimeout', () => api.consts.referenda.undecidingTimeout, (blocks) => !blocks.isZero()],
		['consts.convictionVoting.voteLockingPeriod', () => api.consts.convictionVoting.voteLockingPeriod, (blocks) => !blocks.isZero()],
		['consts.convictionVoting.maxVotes', () => api.consts.convictionVoting.maxVotes, (votes) => !votes.isZero()],
		['query.referenda.referendumCount', () => api.query.referenda.referendumCount()],
		['query.referenda.decidingCount', () => api.query.referenda.decidingCount(SMALL_SPEND)],
		['query.referenda.trackQueue', () => api.query.referenda.trackQueue(SMALL_SPEND)],
		['query.balances.totalIssuance and inactiveIssuance', () =>
			Promise.all([api.query.balances.totalIssuance(), api.query.balances.inactiveIssuance()]), ([all, inactive]) => all.gt(inactive)],
	]);
}

// Submits a referendum, votes, lets decide, and waits for the approval.
export async function adopt(ask, chain, call, what) {
	const { api, alice, charlie, unit } = chain;
	const proposal = { Inline: call.method.toHex() };
	const submit = api.tx.referenda.submit({ Origins: 'SmallSpend' }, proposal, { After: 0 });
	const sent = await ask(`tx.referenda.submit: ${what}`, () => chain.send(charlie, submit));
	const index = chain.only(sent, 'referenda', 'Submitted').index.toNumber();
	// Votes come before the deposit that starts the decision: a voter who is busy elsewhere would find it over.
	const vote = { Standard: { vote: { aye: true, conviction: 'Locked1x' }, balance: 50_000n * unit } };
	await Promise.all([alice, charlie].map((voter) =>
		ask(`tx.convictionVoting.vote: ${what}`, () => chain.send(voter, api.tx.convictionVoting.vote(index, vote)))));
	await ask(`tx.referenda.placeDecisionDeposit: ${what}`, () => chain.send(charlie, api.tx.referenda.placeDecisionDeposit(index)));
	await ask(`the referendum is approved: ${what}`, () => untilApproved(api, index));
}

export async function untilApproved(api, index) {
	return until(`the approval of referendum ${index}`, async () => {
		const info = (await api.query.referenda.referendumInfoFor(index)).unwrap();
		must(info.isOngoing || info.isApproved, `referendum ${index} is ${info.type}`);
		return info.isApproved && info;
	});
}

export async function referenda(ask, chain) {
	const { api, alice, bob, charlie, unit } = chain;
	const [mine, delegated, abstaining] = [60_000n * unit, 40_000n * unit, 100n * unit];
	const amount = 100n * unit;
	const builder = chain.stranger().address;
	const voting = api.query.convictionVoting;

	// Preimages.
	const spend = api.tx.treasury.spend(null, amount, builder, null);
	const encoded = spend.method.toHex();
	const { hash } = spend.method;
	const length = spend.method.encodedLength;
	await ask('tx.preimage.notePreimage', () => chain.send(charlie, api.tx.preimage.notePreimage(encoded)), (sent) =>
		chain.only(sent, 'preimage', 'Noted').hash_.eq(hash));
	await ask.each([
		['query.preimage.statusFor.keys', () => api.query.preimage.statusFor.keys()],
		['query.preimage.statusFor', () => api.query.preimage.statusFor(hash)],
		['query.preimage.requestStatusFor.keys', () => api.query.preimage.requestStatusFor.keys(), (keys) => keys.some(({ args: [key] }) => key.eq(hash))],
		['query.preimage.requestStatusFor', () => api.query.preimage.requestStatusFor(hash), (status) => {
			const { ticket: [who, deposit], len } = status.unwrap().asUnrequested;
			return who.eq(charlie.address) && !deposit.isZero() && len.eq(length);
		}],
		['query.preimage.preimageFor, decoded as a call', () => api.query.preimage.preimageFor([hash, length]), (found) => {
			const call = api.registry.createType('Call', found.unwrap());
			return call.section === 'treasury' && call.method === 'spend' && call.encodedLength === length;
		}],
		['the key of query.preimage.preimageFor is hash and length', () =>
			api.registry.lookup.getTypeDef(api.query.preimage.preimageFor.creator.meta.type.asMap.key).type, (type) => type === '(H256,u32)'],
	]);

	// A referendum over that preimage.
	const submit = api.tx.referenda.submit({ Origins: 'SmallSpend' }, { Lookup: { hash_: hash, len: length } }, { After: 0 });
	const sent = await ask('tx.referenda.submit, with a preimage', () => chain.send(charlie, submit));
	const index = chain.only(sent, 'referenda', 'Submitted').index.toNumber();
	await ask('query.referenda.referendumInfoFor.multi', () => api.query.referenda.referendumInfoFor.multi([index]), ([info]) => {
		const { track, proposal, origin, tally, submissionDeposit } = info.unwrap().asOngoing;
		return track.eq(SMALL_SPEND) && proposal.asLookup.hash_.eq(hash) && origin.asOrigins.isSmallSpend && tally.ayes.isZero() && submissionDeposit.who.eq(charlie.address);
	});
	// Votes come before the decision deposit: once that is there, everything is over in a few blocks.
	const standard = { Standard: { vote: { aye: true, conviction: 'Locked1x' }, balance: mine } };
	const split = { SplitAbstain: { aye: abstaining, nay: abstaining, abstain: abstaining } };
	await Promise.all([
		ask('tx.convictionVoting.delegate', () => chain.send(bob, api.tx.convictionVoting.delegate(SMALL_SPEND, alice.address, 'Locked2x', delegated))),
		ask('tx.convictionVoting.vote, standard', () => chain.send(alice, api.tx.convictionVoting.vote(index, standard))),
		ask('tx.convictionVoting.vote, split with abstention', () => chain.send(charlie, api.tx.convictionVoting.vote(index, split))),
	]);
	await ask('the tally of votes, conviction and delegation, to the unit', () => api.query.referenda.referendumInfoFor(index), (info) => {
		const { ayes, nays, support } = info.unwrap().asOngoing.tally;
		const none = weighed(abstaining, 'None');
		must(ayes.toBigInt() === weighed(mine, 'Locked1x') + weighed(delegated, 'Locked2x') + none, `ayes: ${ayes}`);
		must(nays.toBigInt() === none, `nays: ${nays}`);
		must(support.toBigInt() === mine + delegated + 2n * abstaining, `support: ${support}`);
	});
	await ask.each([
		['query.convictionVoting.votingFor, who voted', () => voting.votingFor(alice.address, SMALL_SPEND), ({ asCasting }) => {
			const [, vote] = asCasting.votes.find(([poll]) => poll.eq(index));
			return vote.asStandard.vote.conviction.type === 'Locked1x' && vote.asStandard.vote.isAye && asCasting.delegations.capital.toBigInt() === delegated;
		}],
		['query.convictionVoting.votingFor, who delegated', () => voting.votingFor(bob.address, SMALL_SPEND), ({ asDelegating }) => asDelegating.target.eq(alice.address)],
		['query.convictionVoting.votingFor.multi', () => voting.votingFor.multi([[alice.address, SMALL_SPEND], [bob.address, SMALL_SPEND]]), (all) => all.length === 2],
		['query.convictionVoting.votingFor.entries', () => voting.votingFor.entries(), (all) => all.length >= 2],
		['query.convictionVoting.classLocksFor', () => voting.classLocksFor(alice.address), ([[track, locked]]) => track.eq(SMALL_SPEND) && locked.toBigInt() === mine],
		['derive.balances.all, with the vote\'s lock', () => api.derive.balances.all(alice.address), ({ lockedBreakdown }) => lockedBreakdown.length > 0],
		['query.scheduler.agenda.entries', () => api.query.scheduler.agenda.entries(), (agenda) => agenda.some(([, tasks]) => tasks.some((task) => task.isSome && task.unwrap().call.isInline))],
		['query.scheduler.lookup.keys', () => api.query.scheduler.lookup.keys()],
		['query.scheduler.retries.keys', () => api.query.scheduler.retries.keys()],
	]);
	await ask('tx.referenda.placeDecisionDeposit', () => chain.send(charlie, api.tx.referenda.placeDecisionDeposit(index)));
	await ask('a decision is under way: referendumInfoFor, deciding', () => until('the decision', async () => {
		const info = (await api.query.referenda.referendumInfoFor(index)).unwrap();
		return info.isOngoing ? info.asOngoing.deciding.isSome && info : info;
	}));
	await ask('the referendum is approved', () => untilApproved(api, index));

	// The scheduler made the call.
	const found = await ask('its enactment: query.treasury.spends has the spend', () => until('the spend', async () =>
		(await api.query.treasury.spends.entries()).find(([, entry]) => entry.isSome && entry.unwrap().beneficiary.eq(builder))));
	const spent = found[0].args[0].toNumber();
	await ask('the preimage is no longer requested', () => api.query.preimage.requestStatusFor(hash));

	// What comes after it.
	await Promise.all([
		(async () => {
			await ask('tx.convictionVoting.removeVote', () => chain.send(alice, api.tx.convictionVoting.removeVote(SMALL_SPEND, index)));
			await ask('tx.convictionVoting.unlock', () => chain.send(alice, api.tx.convictionVoting.unlock(SMALL_SPEND, alice.address)));
		})(),
		ask('tx.convictionVoting.undelegate', () => chain.send(bob, api.tx.convictionVoting.undelegate(SMALL_SPEND))),
		(async () => {
			await ask('tx.referenda.refundSubmissionDeposit', () => chain.send(charlie, api.tx.referenda.refundSubmissionDeposit(index)));
			await ask('tx.referenda.refundDecisionDeposit', () => chain.send(charlie, api.tx.referenda.refundDecisionDeposit(index)));
			await ask('tx.convictionVoting.removeVote, of a split vote', () => chain.send(charlie, api.tx.convictionVoting.removeVote(SMALL_SPEND, index)));
		})(),
	]);
	return { builder, amount, spent };
}
