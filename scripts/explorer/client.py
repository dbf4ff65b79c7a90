"""The same essentials with substrate-interface for Python. Writes one JSON object per call to stdout.

usage: client.py URL VECTORS

VECTORS is a JSON file with the encoded events and errors of Towpath's pallets, made from the chain's metadata.
"""

import json
import os
import sys
import time
import traceback

from substrateinterface import Keypair, SubstrateInterface

SMALL_SPEND = 20


class Failed(Exception):
    """A call went wrong and was recorded."""


def ask(page, call, action, check=lambda answer: True):
    """Makes a call, checks its answer, records how it went."""
    error = None
    try:
        answer = action()
        if check(answer) is False:
            error = f"unexpected answer {str(answer)[:200]}"
    except Exception as problem:  # whatever a client may throw at its user
        error = f"{type(problem).__name__}: {problem}"
    print(json.dumps({"page": page, "call": call, "error": error}), flush=True)
    if error:
        raise Failed(call)
    return answer


def each(calls):
    """Calls that do not need each other."""
    for call in calls:
        try:
            ask(*call)
        except Failed:
            pass


def until(what, probe, seconds=240):
    """The first answer that counts."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(1)
    raise TimeoutError(f"{what}: not within {seconds} s")


class Chain:
    """A connection and what is done over it."""

    def __init__(self, url):
        self.substrate = SubstrateInterface(url=url, ss58_format=42)
        self.unit = 10**12

    def submit(self, who, pallet, function, params):
        """Signs, sends, waits until final."""
        call = self.substrate.compose_call(pallet, function, params)
        extrinsic = self.substrate.create_signed_extrinsic(call, who)
        return self.substrate.submit_extrinsic(extrinsic, wait_for_finalization=True)

    def send(self, who, pallet, function, params):
        """The same for what must succeed."""
        receipt = self.submit(who, pallet, function, params)
        if not receipt.is_success:
            raise RuntimeError(f"dispatch failed: {receipt.error_message}")
        return receipt

    def account(self, who):
        return self.substrate.query("System", "Account", [who.ss58_address]).value["data"]

    @staticmethod
    def event(receipt, pallet, name):
        """The fields of the transaction's one event of this kind."""
        values = [record.value["event"] for record in receipt.triggered_events]
        found = [value["attributes"] for value in values if (value["module_id"], value["event_id"]) == (pallet, name)]
        if len(found) != 1:
            raise RuntimeError(f"{len(found)} events {pallet}.{name} instead of one")
        return found[0]


def metadata(chain, vectors):
    """Everything of the chain's types that this client uses."""
    page, substrate = "Metadata", chain.substrate
    substrate.init_runtime()
    pallets = substrate.metadata.pallets

    def storage(pallet, item):
        kind = item.value["type"]
        if "Map" in kind:
            result = substrate.query_map(pallet, item.value["name"], page_size=100, max_results=20)
            return [(key.value if hasattr(key, "value") else key, value.value) for key, value in result]
        return substrate.query(pallet, item.value["name"]).value

    def constants(pallet):
        for constant in pallet.constants:
            substrate.get_constant(pallet.name, constant.name)

    each(
        [(page, f"constants of {pallet.name}", lambda pallet=pallet: constants(pallet)) for pallet in pallets]
        + [
            (page, f"query {pallet.name}.{item.value['name']}", lambda pallet=pallet, item=item: storage(pallet.name, item))
            for pallet in pallets
            for item in pallet.storage or []
        ]
    )

    records = substrate.get_metadata_storage_function("System", "Events").get_value_type_string()

    def decode_event(vector):
        # One record: in the first transaction, without topics.
        data = "0x04" + "0000000000" + vector["data"][2:] + "00"
        (record,) = substrate.decode_scale(records, data)
        event = record["event"]
        if (event["module_id"], event["event_id"]) != (vector["pallet"], vector["name"]):
            raise RuntimeError(f"decoded as {event['module_id']}.{event['event_id']}")

    def decode_error(vector):
        error = substrate.metadata.get_module_error(vector["index"], int(vector["error"][2:4], 16))
        if error.name != vector["name"] or not error.docs:
            raise RuntimeError(f"decoded as {error.name}, docs {error.docs}")

    each(
        [(page, f"the event {v['pallet']}.{v['name']}", lambda v=v: decode_event(v)) for v in vectors["events"]]
        + [(page, f"the error {v['pallet']}.{v['name']}", lambda v=v: decode_error(v)) for v in vectors["errors"]]
    )


def wallet(chain):
    """Ferdie, and somebody new whom he gives some money."""
    page, substrate, unit = "Wallet", chain.substrate, chain.unit

    def stranger():
        return Keypair.create_from_seed("0x" + os.urandom(32).hex(), ss58_format=42)

    ferdie = Keypair.create_from_uri("//Ferdie", ss58_format=42)
    friend, builder = stranger(), stranger()
    ask(page, "rpc system_chain", lambda: substrate.chain, lambda name: name.startswith("Towpath"))
    ask(page, "rpc system_properties", lambda: substrate.properties, lambda found: found["tokenSymbol"] == "TOW")
    ask(page, "chain_getBlock, decoded", lambda: substrate.get_block(), lambda block: len(block["extrinsics"]) > 0)
    ask(page, "query System.Events, decoded", lambda: substrate.get_events(), lambda events: len(events) > 0)

    amount = 20 * unit
    params = {"dest": friend.ss58_address, "value": amount}
    call = substrate.compose_call("Balances", "transfer_keep_alive", params)
    ask(page, "payment_queryInfo", lambda: substrate.get_payment_info(call, ferdie), lambda info: info["partialFee"] > 0)
    before = chain.account(ferdie)["free"]
    sent = ask(page, "Balances.transfer_keep_alive, signed and sent", lambda: chain.send(ferdie, "Balances", "transfer_keep_alive", params))

    def exact():
        fee = chain.event(sent, "TransactionPayment", "TransactionFeePaid")["actual_fee"]
        return fee > 0 and chain.account(friend)["free"] == amount and chain.account(ferdie)["free"] == before - amount - fee

    ask(page, "the transfer's amount and fee, to the unit", exact)

    spend = substrate.compose_call(
        "Treasury", "spend", {"asset_kind": (), "amount": 25 * unit, "beneficiary": builder.ss58_address, "valid_from": None}
    )
    submission = {
        "proposal_origin": {"Origins": "SmallSpend"},
        "proposal": {"Inline": spend.data.to_hex()},
        "enactment_moment": {"After": 0},
    }
    sent = ask(page, "Referenda.submit", lambda: chain.send(ferdie, "Referenda", "submit", submission))
    index = chain.event(sent, "Referenda", "Submitted")["index"]
    ask(page, "Referenda.place_decision_deposit", lambda: chain.send(ferdie, "Referenda", "place_decision_deposit", {"index": index}))
    # The lowest bits are the conviction, the highest says yes: locked for one period.
    vote = {"poll_index": index, "vote": {"Standard": {"vote": 0b1000_0001, "balance": 80_000 * unit}}}
    ask(page, "ConvictionVoting.vote", lambda: chain.send(ferdie, "ConvictionVoting", "vote", vote))
    delegation = {"class": SMALL_SPEND, "to": ferdie.ss58_address, "conviction": "Locked1x", "balance": 10 * unit}
    ask(page, "ConvictionVoting.delegate", lambda: chain.send(friend, "ConvictionVoting", "delegate", delegation))
    voting = [friend.ss58_address, SMALL_SPEND]
    ask(page, "query ConvictionVoting.VotingFor", lambda: substrate.query("ConvictionVoting", "VotingFor", voting).value, lambda found: "Delegating" in found)

    def approved():
        info = substrate.query("Referenda", "ReferendumInfoFor", [index]).value
        if "Ongoing" not in info and "Approved" not in info:
            raise RuntimeError(f"the referendum is {info}")
        return "Approved" in info

    ask(page, "query Referenda.ReferendumInfoFor until approved", lambda: until("the approval", approved))

    ask(page, "ConvictionVoting.undelegate", lambda: chain.send(friend, "ConvictionVoting", "undelegate", {"class": SMALL_SPEND}))

    def found():
        spends = substrate.query_map("Treasury", "Spends")
        mine = [key.value for key, spend in spends if spend.value["beneficiary"] == builder.ss58_address]
        return mine and [mine[0]]

    (spent,) = ask(page, "query Treasury.Spends", lambda: until("the spend", found))
    ask(page, "Treasury.payout", lambda: chain.send(ferdie, "Treasury", "payout", {"index": spent}), lambda sent: chain.event(sent, "Treasury", "Paid"))
    ask(page, "the payout arrived, to the unit", lambda: chain.account(builder)["free"], lambda free: free == 25 * unit)

    routers = substrate.query_map("NodeIdentity", "Routers")
    node = next(iter(routers))[0].value
    call = {"node": node}
    ask(
        page,
        "NodeIdentity.leave of somebody else's router: NotOperator",
        lambda: chain.submit(friend, "NodeIdentity", "leave", call).error_message,
        lambda error: error["name"] == "NotOperator" and len(error["docs"]) > 0,
    )


def main():
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    with open(sys.argv[2], encoding="utf-8") as file:
        vectors = json.load(file)
    try:
        chain = ask("Metadata", "connect", lambda: Chain(sys.argv[1]))
    except Failed:
        return 1
    for page, story in (("Wallet", lambda: wallet(chain)), ("Metadata", lambda: metadata(chain, vectors))):
        try:
            story()
        except Failed:
            pass
        except Exception as problem:
            traceback.print_exc()
            print(json.dumps({"page": page, "call": "the client itself", "error": repr(problem)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
