// Bounties: two whole lives, of a bounty and of a part of one.

import { must, until } from '../calls.mjs';
import { adopt } from './governance.mjs';

// A payment is drawn four of governance's days after its award: 96 blocks here, of two seconds if nothing is late.
const PAYOUT_SECONDS = 600;

// From its proposal to a curator at work; the curator is Charlie. `proposed` looks at it before anybody has voted.
async function active(ask, chain, { title, value, fee }, proposed = async () => {}) {
	const { api, alice, charlie, eve, unit } = chain;
	const sent = await ask('tx.bounties.proposeBounty', () => chain.send(eve, api.tx.bounties.proposeBounty(value, title)));
	const id = chain.only(sent, 'bounties', 'BountyProposed').index.toNumber();
	await proposed(id);
	const approve = api.tx.bounties.approveBountyWithCurator(id, charlie.address, fee);
	await adopt(ask, chain, approve, 'a bounty');
	const status = async () => (await api.query.bounties.bounties(id)).unwrap().status;
	await ask('query.bounties.bounties: funded, with a curator proposed', () => until('the bounty\'s money', async () => (await status()).isCuratorProposed));
	await ask('tx.bounties.acceptCurator', () => chain.send(charlie, api.tx.bounties.acceptCurator(id)));
	await ask('query.bounties.bounties: active', status, ({ asActive }) => asActive.curator.eq(charlie.address));
	return id;
}

// A claim is refused before its time, and made by somebody else than the beneficiary after it. `pending` is the award.
async function claimed(ask, chain, name, claim, pending) {
	const { eve } = chain;
	await ask(`${name} too early: bounties.Premature`, () => chain.submit(eve, claim()), ({ error }) => error?.name === 'Premature');
	const at = (await pending()).unlockAt.toNumber();
	await until(`block ${at}, when the payment is due`, async () => (await chain.height()) >= at, PAYOUT_SECONDS);
	return ask(name, () => chain.send(eve, claim()));
}

export async function bounties(ask, chain) {
	const { api, charlie, unit } = chain;
	const [value, fee] = [50n * unit, 5n * unit];
	const title = 'Mast on the mill\'s roof, with ä and 漢';
	const { bountyDescriptions, bounties: stored } = api.query.bounties;
	await ask.each([
		['tx.bounties.proposeBounty is there', () => typeof api.tx.bounties?.proposeBounty, (type) => type === 'function'],
		['derive.bounties.bounties', () => api.derive.bounties.bounties()],
		['query.bounties.bountyCount', () => api.query.bounties.bountyCount()],
		['query.bounties.bountyApprovals', () => api.query.bounties.bountyApprovals()],
		...['bountyDepositBase', 'bountyValueMinimum', 'dataDepositPerByte', 'maximumReasonLength', 'bountyUpdatePeriod', 'bountyDepositPayoutDelay', 'curatorDepositMultiplier']
			.map((constant) => [`consts.bounties.${constant}`, () => api.consts.bounties[constant], (found) => !found.isZero()]),
		['consts.bounties.curatorDepositMin and curatorDepositMax', () => [api.consts.bounties.curatorDepositMin, api.consts.bounties.curatorDepositMax], (all) => all.every((one) => one.isSome)],
	]);

	const byDerive = async (id) => (await api.derive.bounties.bounties()).find(({ index }) => index.eq(id));
	const id = await active(ask, chain, { title, value, fee }, async (id) => {
		await ask('derive.bounties.bounties, with a proposed one', () => byDerive(id), ({ bounty, description }) =>
			bounty.status.isProposed && bounty.value.toBigInt() === value && description === title);
		await ask('query.bounties.bountyDescriptions', () => bountyDescriptions(id), (text) => text.unwrap().toUtf8() === title);
	});
	await ask('tx.bounties.extendBountyExpiry', () => chain.send(charlie, api.tx.bounties.extendBountyExpiry(id, 'the mast stands')));
	const builder = chain.stranger().address;
	await ask('tx.bounties.awardBounty', () => chain.send(charlie, api.tx.bounties.awardBounty(id, builder)));
	await ask('derive.bounties.bounties, with an awarded one', () => byDerive(id), ({ bounty }) => bounty.status.asPendingPayout.beneficiary.eq(builder));
	const pending = async () => (await stored(id)).unwrap().status.asPendingPayout;
	const sent = await claimed(ask, chain, 'tx.bounties.claimBounty', () => api.tx.bounties.claimBounty(id), pending);
	await ask('the bounty and the curator\'s fee, to the unit', async () => {
		const { payout, beneficiary } = chain.only(sent, 'bounties', 'BountyClaimed');
		must(payout.toBigInt() === value - fee && beneficiary.eq(builder), `${payout} for ${beneficiary}`);
		const fees = sent.events.filter(({ section, method, data }) => section === 'balances' && method === 'Transfer' && data.to.eq(charlie.address));
		must(fees.length === 1 && fees[0].data.amount.toBigInt() === fee, 'not the fee that was agreed on');
		const { free, held } = await chain.account(builder);
		must(free === value - fee && held === 0n, `the builder has ${free}`);
	});
	await ask('derive.bounties.bounties, without the claimed one', async () => (await byDerive(id)) === undefined, (gone) => gone);
}

// The curator has a part of a bounty done by somebody else, who has a curator and a payment of his own.
export async function childBounties(ask, chain) {
	const { api, bob, charlie, unit } = chain;
	const { childBounties: query, bounties: parents } = api.query;
	const tx = api.tx.childBounties;
	await ask.each([
		['query.childBounties.childBountyCount', () => query.childBountyCount()],
		['query.childBounties.parentTotalChildBounties.keys', () => query.parentTotalChildBounties.keys()],
		...['childBountyValueMinimum', 'maxActiveChildBountyCount'].map((constant) =>
			[`consts.childBounties.${constant}`, () => api.consts.childBounties[constant], (found) => !found.isZero()]),
	]);
	const parent = await active(ask, chain, { title: 'Masts along the river', value: 60n * unit, fee: 6n * unit });

	const [value, fee] = [20n * unit, 2n * unit];
	const title = 'The mast at the weir';
	const added = await ask('tx.childBounties.addChildBounty', () => chain.send(charlie, tx.addChildBounty(parent, value, title)));
	const { index, childIndex } = chain.only(added, 'childBounties', 'Added');
	must(index.eq(parent), 'a child of another bounty');
	const child = childIndex.toNumber();
	const status = async () => (await query.childBounties(parent, child)).unwrap().status;
	await ask('query.childBounties.childBounties: added', () => query.childBounties(parent, child), (found) => {
		const { status: first, value: all } = found.unwrap();
		return first.isAdded && all.toBigInt() === value;
	});
	await ask('query.childBounties.childBountyDescriptionsV1', () => query.childBountyDescriptionsV1(parent, child), (text) => text.unwrap().toUtf8() === title);
	await ask('query.childBounties.parentChildBounties', () => query.parentChildBounties(parent), (count) => count.toNumber() === 1);
	await ask('tx.childBounties.proposeCurator', () => chain.send(charlie, tx.proposeCurator(parent, child, bob.address, fee)));
	await ask('tx.childBounties.acceptCurator', () => chain.send(bob, tx.acceptCurator(parent, child)));
	await ask('query.childBounties.childBounties: active', status, ({ asActive }) => asActive.curator.eq(bob.address));
	await ask('tx.bounties.awardBounty with a child at work: bounties.HasActiveChildBounty', () =>
		chain.submit(charlie, api.tx.bounties.awardBounty(parent, charlie.address)), ({ error }) => error?.name === 'HasActiveChildBounty');
	const builder = chain.stranger().address;
	await ask('tx.childBounties.awardChildBounty', () => chain.send(bob, tx.awardChildBounty(parent, child, builder)));
	const pending = async () => (await status()).asPendingPayout;
	const sent = await claimed(ask, chain, 'tx.childBounties.claimChildBounty', () => tx.claimChildBounty(parent, child), pending);
	await ask('the child\'s payment, to the unit', async () => {
		const { payout, beneficiary } = chain.only(sent, 'childBounties', 'Claimed');
		must(payout.toBigInt() === value - fee && beneficiary.eq(builder), `${payout} for ${beneficiary}`);
		must((await chain.account(builder)).free === value - fee, 'it did not arrive');
	});
	await ask('query.childBounties.childBounties: gone', () => query.childBounties(parent, child), (found) => found.isNone);
	await ask('tx.bounties.awardBounty without children', () => chain.send(charlie, api.tx.bounties.awardBounty(parent, builder)));
	await ask('query.bounties.bounties: awarded', () => parents.bounties(parent), (found) => found.unwrap().status.isPendingPayout);
}
