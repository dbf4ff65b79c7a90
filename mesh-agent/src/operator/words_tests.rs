use super::*;
use crate::config::UNIT;

const ME: NodeId = NodeId([5; 32]);

fn rival(bond: u128, node: u8) -> Rival {
	Rival { bond: bond * UNIT, node: NodeId([node; 32]), serving: true }
}

/// A candidate that will be elected, beside two others.
fn fine() -> Facts {
	Facts {
		node: ME,
		era: 7,
		election_for: 8,
		floor: 2,
		places: 4,
		newcomers: 4,
		min_bond: 1_000 * UNIT,
		standing_minimum: UNIT,
		standing_term: 1_000,
		qualifying: UNIT / 4,
		registration: Registration::Ours(RouterStatus::Active),
		standing_until: Some(900),
		candidacy: Some(Candidacy { node: ME, bond: 2_000 * UNIT, barred: false, idle: false }),
		unbonding: None,
		keys: SessionKeys::Held,
		rivals: vec![rival(3_000, 1), rival(2_000, 9)],
		active: false,
		serving: false,
		slashes: Vec::new(),
		authored: 0,
		coming: Coming::Undecided,
		own: OwnNode { authority: true, syncing: false, peers: 3 },
		pending: Vec::new(),
	}
}

fn codes(facts: &Facts) -> Vec<&'static str> {
	judge(facts).reasons.iter().map(|reason| reason.code).collect()
}

/// One thing is different, and that one alone is the reason.
fn refused(code: &'static str, change: impl FnOnce(&mut Facts)) -> String {
	let mut facts = fine();
	change(&mut facts);
	let verdict = judge(&facts);
	assert!(!verdict.elected, "{code}");
	assert_eq!(codes(&facts), [code]);
	assert!(verdict.reasons[0].stops && !verdict.reasons[0].action.is_empty());
	sentences(&facts, &verdict).join("\n")
}

/// One thing is different; it is told, and the election goes on.
fn told(code: &'static str, change: impl FnOnce(&mut Facts)) {
	let mut facts = fine();
	change(&mut facts);
	let verdict = judge(&facts);
	assert!(verdict.elected, "{code}");
	assert_eq!(codes(&facts), [code]);
	assert!(!verdict.reasons[0].stops);
}

#[test]
fn a_router_with_everything_is_elected_and_told_its_place() {
	let facts = fine();
	let verdict = judge(&facts);
	assert_eq!((verdict.elected, verdict.place, verdict.qualified), (true, Some(2), 3));
	assert!(verdict.reasons.is_empty());
	let words = sentences(&facts, &verdict).join("\n");
	assert!(words.contains("not a validator in era 7"), "{words}");
	assert!(words.contains("will be elected for era 8") && words.contains("place 2 of 3"), "{words}");
}

#[test]
fn every_reason_against_an_election_is_named_alone_with_what_to_do() {
	refused("other_operator", |facts| facts.registration = Registration::OfAnother);
	refused("jailed", |facts| facts.registration = Registration::Ours(RouterStatus::Jailed));
	refused("router_leaving", |facts| facts.registration = Registration::Ours(RouterStatus::Leaving));
	refused("not_candidate", |facts| facts.candidacy = None);
	refused("other_router", |facts| facts.candidacy.as_mut().unwrap().node = NodeId([6; 32]));
	refused("barred", |facts| facts.candidacy.as_mut().unwrap().barred = true);
	let words = refused("idle", |facts| facts.candidacy.as_mut().unwrap().idle = true);
	assert!(words.contains("validator resume"), "{words}");
	refused("no_session_keys", |facts| facts.keys = SessionKeys::None);
	let words = refused("bond_below_minimum", |facts| facts.min_bond = 2_500 * UNIT);
	assert!(words.contains("--bond 2500.00"), "{words}");
	let words = refused("no_standing", |facts| facts.standing_until = None);
	assert!(words.contains("claims worth 1.00 TOW") && words.contains("in era 7 it has 0.25"), "{words}");
	let words = refused("standing_expired", |facts| facts.standing_until = Some(7));
	assert!(words.contains("ends with era 7"), "{words}");
	let words = refused("left", |facts| (facts.candidacy, facts.unbonding) = (None, Some((UNIT, 9))));
	assert!(words.contains("from era 9 on"), "{words}");
	let words = refused("left", |facts| (facts.candidacy, facts.unbonding) = (None, Some((UNIT, 7))));
	assert!(words.contains("can be withdrawn"), "{words}");
}

#[test]
fn a_full_set_is_named_with_the_bond_that_is_enough() {
	let words = refused("set_full", |facts| (facts.places, facts.floor) = (1, 1));
	assert!(words.contains("the last elected one is 3000.00 TOW"), "{words}");
	assert!(words.contains("--bond 3000.000000000001"), "{words}");
	// With that bond it is elected.
	let mut facts = Facts { places: 1, floor: 1, ..fine() };
	facts.candidacy.as_mut().unwrap().bond = 3_000 * UNIT + 1;
	assert!(judge(&facts).elected);
}

#[test]
fn newcomers_who_are_too_many_wait_and_are_told_for_what() {
	let newcomer = |bond, node| Rival { serving: false, ..rival(bond, node) };
	let mut facts = Facts { newcomers: 1, ..fine() };
	assert!(judge(&facts).elected, "the only one");
	facts.rivals.push(newcomer(2_500, 2));
	assert_eq!(codes(&facts), ["newcomers_full"]);
	let words = sentences(&facts, &judge(&facts)).join("\n");
	assert!(words.contains("no more than 1 newcomers") && words.contains("--bond 2500.000000000001"), "{words}");
	facts.candidacy.as_mut().unwrap().bond = 2_500 * UNIT + 1;
	assert!(judge(&facts).elected);
	// Who serves already does not count as one, and the floor may need more.
	let serving = Facts { serving: true, ..facts.clone() };
	assert!(judge(&serving).elected);
	facts.candidacy.as_mut().unwrap().bond = 2_000 * UNIT;
	facts.floor = 4;
	assert!(judge(&facts).elected);
}

#[test]
fn ties_go_to_the_smaller_node_id() {
	let mut facts = Facts { places: 2, ..fine() };
	assert!(judge(&facts).elected, "05… comes before 09…");
	facts.rivals[1].node = NodeId([2; 32]);
	assert_eq!(codes(&facts), ["set_full"]);
}

#[test]
fn a_stranger_is_told_to_register_first_and_not_of_what_follows_from_that() {
	let facts = Facts {
		registration: Registration::None,
		candidacy: None,
		keys: SessionKeys::None,
		standing_until: None,
		..fine()
	};
	assert_eq!(codes(&facts), ["not_registered", "no_standing"]);
}

#[test]
fn what_does_not_stop_an_election_but_its_fruits_is_told_too() {
	told("keys_not_in_node", |facts| facts.keys = SessionKeys::Elsewhere);
	told("keys_unknown", |facts| facts.keys = SessionKeys::Unknown("denied".into()));
	told("node_not_validating", |facts| facts.own.authority = false);
	told("slash_pending", |facts| facts.slashes = vec![(UNIT, 9)]);
	told("node_syncing", |facts| facts.own.syncing = true);
	told("standing_expires", |facts| facts.standing_until = Some(8));
	let quiet = Facts { standing_until: Some(108), ..fine() };
	assert!(judge(&quiet).reasons.is_empty(), "a tenth of the term is left");
}

#[test]
fn with_too_few_who_qualify_the_set_stays_with_or_without_it() {
	let outside = Facts { floor: 4, ..fine() };
	assert_eq!(codes(&outside), ["set_kept"]);
	assert!(!judge(&outside).elected);
	// A validator stays although it does not qualify.
	let inside = Facts { active: true, floor: 4, standing_until: None, ..fine() };
	let verdict = judge(&inside);
	assert!(verdict.elected);
	assert!(sentences(&inside, &verdict).join("\n").contains("It stays in era 8 all the same"));
	// With nobody and a floor of zero, the set stays too.
	let nobody = Facts { floor: 0, rivals: vec![], standing_until: None, ..fine() };
	assert_eq!(codes(&nobody), ["no_standing", "set_kept"]);
}

#[test]
fn what_is_decided_is_told_as_decided() {
	let words = |coming| {
		let facts = Facts { coming, active: true, authored: 12, election_for: 9, ..fine() };
		sentences(&facts, &judge(&facts)).join("\n")
	};
	assert!(words(Coming::Chosen(true)).contains("It is chosen for era 8."));
	assert!(words(Coming::Chosen(false)).contains("chosen, without it"));
	assert!(words(Coming::Kept).contains("the validators stay"));
	assert!(words(Coming::Undecided).contains("has authored 12 blocks"));
	assert!(words(Coming::Undecided).contains("elected for era 9"));
}

#[test]
fn json_says_the_same_in_stable_keys() {
	let facts = Facts { standing_until: None, pending: vec![(5, 2, 3), (6, 0, 10)], ..fine() };
	let json = to_json(&facts, &judge(&facts));
	assert_eq!(json["validator"], false);
	assert_eq!(json["next_election"]["for_era"], 8);
	assert_eq!(json["next_election"]["elected"], false);
	assert_eq!(json["reasons"][0]["code"], "no_standing");
	assert_eq!(json["reasons"][0]["stops_election"], true);
	assert_eq!(json["pending_total"], "15");
	assert_eq!(json["coming_era"], json!({ "era": 8, "validator": null }));
	let all = ["authored_blocks", "bond", "candidate", "coming_era", "era", "minimum_bond", "next_election", "pending"];
	let more =
		["pending_total", "reasons", "session_keys", "slashes", "standing_until", "unbonding", "validator", "words"];
	let mut keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
	keys.sort_unstable();
	assert_eq!(keys, [&all[..], &more[..]].concat());
}
