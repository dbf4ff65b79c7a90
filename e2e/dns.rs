//! DNS at a household: two agents on loopback, a gateway with a resolver of the test's, and a client that asks with the same library of
//! messages. What the resolver sees is all that the world sees.

#![allow(clippy::unwrap_used)]

use std::{
	io::{Read, Write},
	net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
	sync::{Arc, Mutex},
	thread,
	time::{Duration, Instant},
};

use hickory_proto::{
	op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
	rr::{
		rdata::{A, AAAA, MX, PTR, SOA, TXT},
		Name, RData, Record, RecordType,
	},
};

use crate::laboratory::{
	loopback::{self as lab, until, Agent},
	ports::free_port,
	turns::{self, Need},
};

/// Longer than the agent waits for a gateway that is gone.
const PATIENCE: Duration = Duration::from_secs(10);

fn name(text: &str) -> Name {
	Name::from_ascii(text).unwrap()
}

/// A resolver of the gateway's: its address, and the names that it was asked for.
fn resolver() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
	let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
	let address = tcp.local_addr().unwrap();
	let udp = UdpSocket::bind(address).unwrap();
	let asked: Arc<Mutex<Vec<String>>> = Arc::default();
	let (by_udp, by_tcp) = (asked.clone(), asked.clone());
	thread::spawn(move || {
		let mut buffer = [0; 4096];
		while let Ok((length, from)) = udp.recv_from(&mut buffer) {
			let answer = zone(&buffer[..length], &by_udp);
			let bytes = answer.to_vec().unwrap();
			let cut = answer.truncate().to_vec().unwrap();
			udp.send_to(if bytes.len() > 1232 { &cut } else { &bytes }, from).unwrap();
		}
	});
	thread::spawn(move || {
		for mut stream in tcp.incoming().flatten() {
			let mut length = [0; 2];
			stream.read_exact(&mut length).unwrap();
			let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
			stream.read_exact(&mut bytes).unwrap();
			let bytes = zone(&bytes, &by_tcp).to_vec().unwrap();
			stream.write_all(&(bytes.len() as u16).to_be_bytes()).unwrap();
			stream.write_all(&bytes).unwrap();
		}
	});
	(address, asked)
}

/// What the world knows.
fn zone(bytes: &[u8], asked: &Mutex<Vec<String>>) -> Message {
	let query = Message::from_vec(bytes).unwrap();
	let question = query.queries[0].clone();
	asked.lock().unwrap().push(format!("{} {}", question.name(), question.query_type()));
	let mut answer = Message::new(query.id, MessageType::Response, OpCode::Query);
	let host = question.name().clone();
	let data = match (host.to_ascii().to_lowercase().as_str(), question.query_type()) {
		("example.org.", RecordType::A) => RData::A(A::new(192, 0, 2, 1)),
		("example.org.", RecordType::MX) => RData::MX(MX::new(10, name("mail.example.org."))),
		("large.example.org.", RecordType::TXT) => RData::TXT(TXT::new(vec!["x".repeat(250); 12])),
		_ => {
			let soa = SOA::new(name("org."), name("org."), 1, 1, 1, 1, 300);
			answer.add_authority(Record::from_rdata(name("org."), 300, RData::SOA(soa)));
			answer.metadata.response_code = ResponseCode::NXDomain;
			answer.add_query(question);
			return answer;
		}
	};
	answer.add_query(question);
	answer.add_answer(Record::from_rdata(host, 300, data));
	answer
}

fn question(host: &str, kind: RecordType, payload: Option<u16>) -> Message {
	let mut query = Message::new(4711, MessageType::Query, OpCode::Query);
	query.metadata.recursion_desired = true;
	query.add_query(Query::query(name(host), kind));
	if let Some(payload) = payload {
		let mut edns = Edns::new();
		edns.set_max_payload(payload);
		query.set_edns(edns);
	}
	query
}

fn ask_with(port: u16, query: &Message) -> (Message, usize) {
	let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
	socket.set_read_timeout(Some(PATIENCE)).unwrap();
	socket.send_to(&query.to_vec().unwrap(), ("127.0.0.1", port)).unwrap();
	let mut buffer = [0; 65_535];
	let (length, _) = socket.recv_from(&mut buffer).unwrap();
	let answer = Message::from_vec(&buffer[..length]).unwrap();
	assert_eq!((answer.id, &answer.queries), (4711, &query.queries));
	(answer, length)
}

fn ask(port: u16, host: &str, kind: RecordType) -> Message {
	ask_with(port, &question(host, kind, Some(1232))).0
}

fn ask_by_tcp(port: u16, host: &str, kind: RecordType) -> Message {
	let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
	stream.set_read_timeout(Some(PATIENCE)).unwrap();
	let bytes = question(host, kind, None).to_vec().unwrap();
	stream.write_all(&(bytes.len() as u16).to_be_bytes()).unwrap();
	stream.write_all(&bytes).unwrap();
	let mut length = [0; 2];
	stream.read_exact(&mut length).unwrap();
	let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
	stream.read_exact(&mut bytes).unwrap();
	Message::from_vec(&bytes).unwrap()
}

#[test]
fn a_household_is_told_names_of_the_mesh_here_and_all_others_by_its_gateway_alone() {
	let _turn = turns::wait("dns", Need::Little);
	let home = tempfile::tempdir().unwrap();
	let (resolver, asked) = resolver();
	let seen = || asked.lock().unwrap().clone();
	let more = format!("[router]\nfree_rate = 200000\n[router.gateway]\nresolvers = [\"{resolver}\"]\n");
	let gateway = Agent::start(&home, "gateway", &[], &more, None);
	let node = gateway.node();
	let port = free_port();
	let proxy = free_port();
	let more = format!(
		"[payer]\ngateway = \"{node}\"\nlimit = \"1\"\n[dns]\nlisten = [\"127.0.0.1:{port}\"]\n[proxy]\nlisten = \"127.0.0.1:{proxy}\"\n"
	);
	let file = lab::names_file(&[("garden", node)]);
	let agent = Agent::start(&home, "household", &[gateway.port], &more, Some(&file));
	until("a route to the gateway", || (!agent.json("routes").as_array().unwrap().is_empty()).then_some(()));

	inside(port, node.overlay_address().to_ipv6().into(), &agent);
	assert!(seen().is_empty(), "no name of the mesh left this machine: {:?}", seen());

	let found = ask(port, "example.org.", RecordType::MX);
	assert_eq!(found.answers[0].data, RData::MX(MX::new(10, name("mail.example.org."))));
	assert_eq!(ask(port, "EXAMPLE.org.", RecordType::A).answers.len(), 1);
	assert_eq!(ask(port, "gone.example.org.", RecordType::A).response_code, ResponseCode::NXDomain);
	let before = seen();
	assert_eq!(before.len(), 3, "{before:?}");
	for _ in 0..3 {
		assert_eq!(ask(port, "Example.ORG.", RecordType::MX).answers, found.answers.clone());
		assert_eq!(ask(port, "gone.example.org.", RecordType::A).response_code, ResponseCode::NXDomain);
	}
	assert_eq!(seen(), before, "what is known is not asked for again");

	// The proxy remembers too, and both of them one and the same; that there is no address of one kind as well.
	for _ in 0..3 {
		assert!(lab::through_proxy(proxy, "example.org", 25).is_err(), "a port that no gateway reaches");
	}
	let by_proxy = [&before[..], &["example.org. AAAA".to_owned()]].concat();
	assert_eq!(seen(), by_proxy, "its IPv4 address was known, and the question for the other is asked once");

	let (cut, length) = ask_with(port, &question("large.example.org.", RecordType::TXT, None));
	assert!(cut.truncation && cut.answers.is_empty() && length <= 512);
	let whole = ask_by_tcp(port, "large.example.org.", RecordType::TXT);
	assert_eq!(whole.answers[0].data, RData::TXT(TXT::new(vec!["x".repeat(250); 12])));

	let before = seen();
	drop(gateway);
	let began = Instant::now();
	assert_eq!(ask(port, "other.example.org.", RecordType::A).response_code, ResponseCode::ServFail);
	assert!(began.elapsed() < PATIENCE);
	assert_eq!(seen(), before, "nothing went another way");
	inside(port, node.overlay_address().to_ipv6().into(), &agent);
	let questions = agent.json("status")["questions"].clone();
	assert_eq!((questions["failed"].as_u64(), questions["cached"].as_u64()), (Some(1), Some(7)), "{questions}");
}

/// Names and addresses of the mesh, by UDP and TCP.
fn inside(port: u16, address: IpAddr, agent: &Agent) {
	let IpAddr::V6(v6) = address else { panic!("overlay addresses are IPv6") };
	for answer in [ask(port, "Garden.mesh.", RecordType::AAAA), ask_by_tcp(port, "garden.mesh.", RecordType::AAAA)] {
		assert_eq!(answer.answers[0].data, RData::AAAA(AAAA(v6)));
		assert!(answer.authoritative);
	}
	let nothing = ask(port, "garden.mesh.", RecordType::A);
	assert_eq!((nothing.response_code, nothing.answers.len()), (ResponseCode::NoError, 0));
	assert_eq!(nothing.authorities[0].record_type(), RecordType::SOA);
	assert_eq!(ask(port, "nobody.mesh.", RecordType::AAAA).response_code, ResponseCode::NXDomain);
	let back = ask(port, &Name::from(address).to_ascii(), RecordType::PTR);
	assert_eq!(back.answers[0].data, RData::PTR(PTR(name("garden.mesh."))));
	assert_eq!(agent.text("resolve", &["garden.mesh"]).trim(), address.to_string());
}

#[test]
fn without_a_gateway_only_names_of_the_mesh_are_answered_and_junk_stops_nothing() {
	let _turn = turns::wait("dns", Need::Little);
	let home = tempfile::tempdir().unwrap();
	let port = free_port();
	let more = format!("[dns]\nlisten = [\"127.0.0.1:{port}\"]\n");
	let agent = Agent::start(&home, "agent", &[], &more, None);
	assert_eq!(ask(port, "example.org.", RecordType::A).response_code, ResponseCode::Refused);
	let before_the_chain = ask(port, "garden.mesh.", RecordType::AAAA);
	assert_eq!(before_the_chain.response_code, ResponseCode::ServFail, "nobody knows yet who is registered");
	let by_key = agent.json_of("resolve", &[&lab::name_of_key(&agent.node())])["name"].as_str().unwrap().to_owned();
	assert_eq!(ask(port, &format!("{by_key}."), RecordType::AAAA).answers.len(), 1);
	let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
	for junk in [&b""[..], b"x", b"junk that is no message at all", &[0xff; 300]] {
		socket.send_to(junk, ("127.0.0.1", port)).unwrap();
	}
	assert_eq!(ask(port, "localhost.", RecordType::A).answers.len(), 1);
}
