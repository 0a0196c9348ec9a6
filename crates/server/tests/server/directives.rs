//! What clients are told while something is wrong (R45, R47-R49), and that nobody else is told anything (S9).

use std::time::Duration;

use bytes::BytesMut;
use conditions::Rules;
use directive::{Action, Directive, Kind, postgres};
use rpc::ByteStream;
use tokio::{io::AsyncWriteExt, time::timeout};
use wire::{Frame, backend::Message, frontend};

use crate::support::{
    client::{Asking, Login, frame, log_in},
    eventually,
    fleet::{Fleet, Running},
    machine::Machine,
};

const OPTIONS: &str = "-c stationmaster.directives=1;session=0123456789abcdef;driver=test-1";

const RULES: &str = "every_ms = 20\n[rule.memory]\nif = [{ source = \"memory_used_ratio\", above = 0.9 }]\n\
                     [[rule.memory.tell]]\ndirective = \"rate\"\nper_second = 7\n";

/// A client's end of the wire.
struct Client {
    stream: Box<dyn ByteStream>,
    input: BytesMut,
}

/// A message, as far as it matters here.
#[derive(Debug, PartialEq)]
enum Got {
    Told(Box<Directive>),
    Notice(String),
    Ready,
    Ended(String),
    Other(u8),
}

impl Client {
    async fn open(server: &Running, options: Option<&str>) -> Self {
        let mut asking = Asking::new(&server.secret, model::DatabaseId(1), model::Epoch(1));
        asking.parameters.extend(options.map(|options| ("options", options.to_owned())));
        let mut stream = server.dial().await;
        match log_in(&mut stream, &asking).await {
            Login::Welcome(input) => {
                let mut client = Self { stream, input };
                client.until_ready().await;
                client
            }
            refused => panic!("{refused:?}"),
        }
    }

    async fn query(&mut self, sql: &str) {
        let mut out = BytesMut::new();
        frontend::query(&mut out, sql).expect("fits");
        self.stream.write_all(&out).await.expect("sent");
    }

    async fn next(&mut self) -> Got {
        let reading = timeout(Duration::from_secs(60), frame(&mut self.stream, &mut self.input));
        let Some((tag, body)) = reading.await.expect("in time") else { return Got::Ended("closed".into()) };
        match Message::decode(Frame { tag, body: &body }).expect("a message") {
            Message::NoticeResponse(fields) => {
                let detail = fields.detail.unwrap_or_default();
                match postgres::read_notice(&fields.code.to_string(), detail) {
                    Some(directive) => Got::Told(Box::new(directive.expect("readable"))),
                    None => Got::Notice(fields.message.into()),
                }
            }
            Message::ReadyForQuery(_) => Got::Ready,
            Message::ErrorResponse(fields) => Got::Ended(fields.code.to_string()),
            _ => Got::Other(tag),
        }
    }

    /// Everything up to the next ReadyForQuery, without it.
    async fn until_ready(&mut self) -> Vec<Got> {
        let mut got = Vec::new();
        loop {
            match self.next().await {
                Got::Ready => return got,
                other => got.push(other),
            }
        }
    }

    async fn directive(&mut self) -> Directive {
        match self.next().await {
            Got::Told(directive) => *directive,
            other => panic!("no directive: {other:?}"),
        }
    }
}

async fn started(rules: &str) -> (Fleet, Machine, Running) {
    let machine = Machine::default();
    let fleet = Fleet::new().watching(Rules::parse("test.toml", rules).expect("sound"), machine.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    (fleet, machine, server)
}

async fn raised(server: &Running, count: usize) {
    eventually("conditions", async || match server.watching().await.conditions.len() {
        now if now == count => Ok(()),
        now => Err(now),
    })
    .await;
}

#[tokio::test]
async fn r47_an_idle_client_is_told_and_told_when_it_is_over() {
    let (_fleet, machine, server) = started(RULES).await;
    let mut client = Client::open(&server, Some(OPTIONS)).await;
    machine.set("memory_used_ratio", 0.95);
    let told = client.directive().await;
    assert_eq!(told.session.as_deref(), Some("0123456789abcdef"), "it is for this session alone");
    assert_eq!((told.scope.database.as_deref(), told.kind()), (Some("shop"), Kind::Rate));
    assert_eq!(told.reason, "memory_used_ratio 0.950 above 0.900");
    machine.set("memory_used_ratio", 0.5);
    let over = client.directive().await;
    assert!(over.order > told.order, "{over:?}");
    assert!(matches!(&over.action, Action::Revoke(revoke) if revoke.directive == told.id), "{over:?}");
    client.query("get a").await;
    assert!(client.until_ready().await.iter().all(|got| matches!(got, Got::Other(_))), "told once");
}

#[tokio::test]
async fn r48_r49_a_busy_client_is_told_within_the_response_before_its_end() {
    let (_fleet, machine, server) = started(RULES).await;
    let mut client = Client::open(&server, Some(OPTIONS)).await;
    client.query("begin").await;
    client.until_ready().await;
    // It holds the right to write, so the other's answer waits while the condition is raised.
    client.query("put a 1").await;
    client.until_ready().await;
    let mut busy = Client::open(&server, Some(OPTIONS)).await;
    busy.query("put b 2").await;
    machine.set("memory_used_ratio", 0.95);
    raised(&server, 1).await;
    assert_eq!(client.directive().await.kind(), Kind::Rate, "who is idle hears of it at once");
    client.query("commit").await;
    client.until_ready().await;
    let answer = busy.until_ready().await;
    let (last, before) = answer.split_last().expect("an answer");
    assert!(matches!(last, Got::Told(_)), "{answer:?}");
    assert!(!before.is_empty() && before.iter().all(|got| matches!(got, Got::Other(_))), "{answer:?}");
}

#[tokio::test]
async fn s9_who_did_not_announce_itself_is_told_nothing() {
    let (_fleet, machine, server) = started(RULES).await;
    let told = ["-c stationmaster.directives=0", "-c stationmaster.directives=x", "-c geqo=off"];
    let mut clients = vec![Client::open(&server, None).await];
    for options in told {
        clients.push(Client::open(&server, Some(options)).await);
    }
    let mut announced = Client::open(&server, Some(OPTIONS)).await;
    machine.set("memory_used_ratio", 0.95);
    announced.directive().await;
    clients.push(Client::open(&server, None).await);
    for client in &mut clients {
        client.query("get a").await;
        let answer = client.until_ready().await;
        assert!(answer.iter().all(|got| matches!(got, Got::Other(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn r47_who_comes_while_it_lasts_is_told_too_also_when_it_announces_itself_late() {
    let (_fleet, machine, server) = started(RULES).await;
    machine.set("memory_used_ratio", 0.95);
    raised(&server, 1).await;
    let mut client = Client::open(&server, Some(OPTIONS)).await;
    assert_eq!(client.directive().await.kind(), Kind::Rate);
    let mut late = Client::open(&server, None).await;
    late.query("SET stationmaster.directives = '1'").await;
    eventually("told", async || match late.next().await {
        Got::Told(directive) if directive.kind() == Kind::Rate => Ok(()),
        other => Err(other),
    })
    .await;
}

#[tokio::test]
async fn r45_a_client_is_told_of_a_move_before_its_session_ends() {
    let rules = "[rule.failover]\nper = \"database\"\nif = [{ source = \"leaving\", above = 0 }]\n\
                 [[rule.failover.tell]]\ndirective = \"retry\"\n";
    let (_fleet, _machine, server) = started(rules).await;
    let mut client = Client::open(&server, Some(OPTIONS)).await;
    server.release(1, 1, 10_000).await.expect("released");
    assert_eq!(client.directive().await.kind(), Kind::Retry);
    let mut ended = client.next().await;
    while let Got::Told(_) = ended {
        ended = client.next().await;
    }
    assert_eq!(ended, Got::Ended("SM001".into()));
}

#[tokio::test]
async fn r53_a_server_that_no_controller_answers_tells_its_clients_all_the_same() {
    let (fleet, machine, server) = started(RULES).await;
    fleet.controllers.silence(true);
    let mut client = Client::open(&server, Some(OPTIONS)).await;
    machine.set("memory_used_ratio", 0.95);
    assert_eq!(client.directive().await.kind(), Kind::Rate);
    machine.set("memory_used_ratio", 0.5);
    assert_eq!(client.directive().await.kind(), Kind::Revoke);
}
