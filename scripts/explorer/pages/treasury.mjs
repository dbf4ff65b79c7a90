// Treasury and Bounties.

import { must, until } from '../calls.mjs';
import { propose, untilApproved } from './governance.mjs';

function treasuryAccount(api) {
	const raw = new Uint8Array(32);
	raw.set([...new TextEncoder().encode('modl'), ...api.consts.treasury.palletId.toU8a(true)]);
	return api.registry.createType('AccountId', raw);
}

export async function treasury(ask, chain) {
	const { api } = chain;
	const pot = treasuryAccount(api);
	await ask.each([
		['query.treasury.proposals is there', () => typeof api.query.treasury?.proposals, (type) => type === 'function'],
		['derive.treasury.proposals', () => api.derive.treasury.proposals(), ({ approvals, proposals }) => approvals.length + proposals.length === 0],
		['derive.balances.account of the treasury', () => api.derive.balances.account(pot), ({ freeBalance }) => !freeBalance.isZero()],
		['query.treasury.proposalCount', () => api.query.treasury.proposalCount()],
		['query.treasury.approvals', () => api.query.treasury.approvals()],
		['query.treasury.spendCount', () => api.query.treasury.spendCount()],
		['query.treasury.spends.entries', () => api.query.treasury.spends.entries()],
		['query.treasury.deactivated', () => api.query.treasury.deactivated()],
		['query.treasury.lastSpendPeriod', () => api.query.treasury.lastSpendPeriod()],
		['consts.treasury.palletId', () => api.consts.treasury.palletId.toUtf8(), (id) => id === 'towpath/'],
		['consts.treasury.spendPeriod', () => api.consts.treasury.spendPeriod, (blocks) => !blocks.isZero()],
		['consts.treasury.burn', () => api.consts.treasury.burn, (burn) => burn.isZero()],
		['consts.treasury.payoutPeriod', () => api.consts.treasury.payoutPeriod, (blocks) => !blocks.isZero()],
		['consts.treasury.potAccount', () => api.consts.treasury.potAccount, (account) => account === undefined || account.eq(pot)],
	]);
}

// Somebody else than the beneficiary draws a spend that a referendum decided.
export async function payout(ask, chain, { builder, amount, spent }) {
	const { api, eve } = chain;
	await ask('query.treasury.spends, before', () => api.query.treasury.spends(spent), (spend) => {
		const { amount: due, beneficiary, status } = spend.unwrap();
		return due.toBigInt() === amount && beneficiary.eq(builder) && status.isPending;
	});
	await ask('tx.treasury.payout', () => chain.send(eve, api.tx.treasury.payout(spent)), (sent) => {
		const { from, to, amount: moved } = chain.only(sent, 'balances', 'Transfer');
		must(from.eq(treasuryAccount(api)) && to.eq(builder) && moved.toBigInt() === amount, 'not the treasury\'s transfer to the builder');
		return Boolean(chain.only(sent, 'treasury', 'Paid'));
	});
	await ask('the payout arrived, to the unit', () => chain.account(builder), ({ free, held }) => free === amount && held === 0n);
	await ask('tx.treasury.payout again: treasury.AlreadyAttempted', () => chain.submit(eve, api.tx.treasury.payout(spent)), ({ error }) =>
		error?.name === 'AlreadyAttempted' && error.docs.length > 0);
	await ask('tx.treasury.checkStatus', () => chain.send(eve, api.tx.treasury.checkStatus(spent)), (sent) =>
		chain.only(sent, 'treasury', 'SpendProcessed').index.eq(spent));
}

export async function bounties(ask, chain) {
	const { api, alice, charlie, eve, unit } = chain;
	const [value, fee] = [50n * unit, 5n * unit];
	const title = 'Mast on the mill\'s roof, with ä and 漢';
	const { bountyDescriptions, bounties: stored } = api.query.bounties;
	await ask.each([
		['tx.bounties.proposeBounty is there', () => typeof api.tx.bounties?.proposeBounty, (type) => type === 'function'],
		['derive.bounties.bounties', () => api.derive.bounties.bounties()],
		['query.bounties.bountyCount', () => api.query.bounties.bountyCount()],
		['query.bounties.bountyApprovals', () => api.query.bounties.bountyApprovals()],
		['query.childBounties.childBountyCount', () => api.query.childBounties.childBountyCount()],
		['query.childBounties.parentTotalChildBounties.keys', () => api.query.childBounties.parentTotalChildBounties.keys()],
		...['bountyDepositBase', 'bountyValueMinimum', 'dataDepositPerByte', 'maximumReasonLength', 'bountyUpdatePeriod', 'bountyDepositPayoutDelay', 'curatorDepositMultiplier']
			.map((constant) => [`consts.bounties.${constant}`, () => api.consts.bounties[constant], (found) => !found.isZero()]),
		['consts.bounties.curatorDepositMin and curatorDepositMax', () => [api.consts.bounties.curatorDepositMin, api.consts.bounties.curatorDepositMax], (all) => all.every((one) => one.isSome)],
	]);

	const sent = await ask('tx.bounties.proposeBounty', () => chain.send(eve, api.tx.bounties.proposeBounty(value, title)));
	const id = chain.only(sent, 'bounties', 'BountyProposed').index.toNumber();
	const ofMine = async () => (await api.derive.bounties.bounties()).find(({ index }) => index.eq(id));
	await ask('derive.bounties.bounties, with a proposed one', ofMine, ({ bounty, description }) =>
		bounty.status.isProposed && bounty.value.toBigInt() === value && description === title);
	await ask('query.bounties.bountyDescriptions', () => bountyDescriptions(id), (text) => text.unwrap().toUtf8() === title);

	const approve = api.tx.bounties.approveBountyWithCurator(id, charlie.address, fee);
	const index = await propose(ask, chain, approve, 'a bounty');
	const vote = { Standard: { vote: { aye: true, conviction: 'Locked1x' }, balance: 50_000n * unit } };
	await Promise.all([alice, charlie].map((voter) =>
		ask('tx.convictionVoting.vote: a bounty', () => chain.send(voter, api.tx.convictionVoting.vote(index, vote)))));
	await ask('the bounty\'s referendum is approved', () => untilApproved(api, index));
	const status = async () => (await stored(id)).unwrap().status;
	await ask('query.bounties.bounties: funded, with a curator proposed', () => until('the bounty\'s money', async () => (await status()).isCuratorProposed));
	await ask('tx.bounties.acceptCurator', () => chain.send(charlie, api.tx.bounties.acceptCurator(id)));
	await ask('query.bounties.bounties: active', status, ({ asActive }) => asActive.curator.eq(charlie.address));
	await ask('tx.bounties.extendBountyExpiry', () => chain.send(charlie, api.tx.bounties.extendBountyExpiry(id, 'the mast stands')));
	await ask('tx.bounties.awardBounty', () => chain.send(charlie, api.tx.bounties.awardBounty(id, eve.address)));
	await ask('derive.bounties.bounties, with an awarded one', ofMine, ({ bounty }) => bounty.status.asPendingPayout.beneficiary.eq(eve.address));
}
