//! The vectors of RFC 7677 and RFC 7914, whole exchanges, and everything a peer can get wrong.
//! (The vectors of RFC 5802 itself are for SHA-1, which PostgreSQL never had.)

use super::grammar::{ClientFirst, ServerFirst};
use super::keys::salted_password;
use super::*;

const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_LAST: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn nonce(text: &str) -> Nonce {
    Nonce::new(text).expect("a nonce")
}

fn pencil() -> Verifier {
    let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
    Verifier::new("pencil", &salt, 4096).expect("in bounds")
}

fn client(secret: Secret) -> Client {
    Client::with_user("user", secret, nonce(CLIENT_NONCE), Mechanism::Sha256, Channel::Unbound)
}

fn server(verifier: Verifier) -> Server {
    Server::new(verifier, nonce(SERVER_NONCE), Channel::Unbound)
}

fn challenge(verifier: Verifier) -> Challenge {
    server(verifier).challenge(Mechanism::Sha256, CLIENT_FIRST.as_bytes()).expect("a challenge")
}

/// A whole login; what the client keeps and what the server learns.
fn login(client: Client, server: Server, mechanism: Mechanism) -> Result<(SaltedKeys, Accepted), Error> {
    let challenge = server.challenge(mechanism, client.message().as_bytes())?;
    let last = client.answer(challenge.message().as_bytes())?;
    let accepted = challenge.finish(last.message().as_bytes())?;
    Ok((last.verify(accepted.message().as_bytes())?, accepted))
}

#[test]
fn the_salted_password_is_pbkdf2_as_in_rfc_7914() {
    let hex = |key: [u8; 32]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(
        hex(salted_password(b"passwd", b"salt", 1)),
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    );
    assert_eq!(
        hex(salted_password(b"Password", b"NaCl", 80_000)),
        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
    );
}

#[test]
fn the_server_follows_the_exchange_of_rfc_7677() {
    let challenge = challenge(pencil());
    assert_eq!(challenge.message(), SERVER_FIRST);
    let accepted = challenge.finish(CLIENT_LAST.as_bytes()).expect("the right proof");
    assert_eq!(accepted.message(), SERVER_LAST);
}

#[test]
fn the_client_follows_the_exchange_of_rfc_7677() {
    let client = client(Secret::password("pencil"));
    assert_eq!(client.message(), CLIENT_FIRST);
    let last = client.answer(SERVER_FIRST.as_bytes()).expect("a good challenge");
    assert_eq!(last.message(), CLIENT_LAST);
    last.verify(SERVER_LAST.as_bytes()).expect("the server's proof");
}

#[test]
fn a_verifier_has_the_text_form_of_postgres() {
    let text = pencil().to_string();
    assert_eq!(
        text,
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
         WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    );
    assert_eq!(text.parse(), Ok(pencil()));
}

#[test]
fn a_damaged_verifier_is_refused_with_its_damage() {
    let good = pencil().to_string();
    let long_salt = BASE64_STANDARD.encode([1; 65]);
    let cases = [
        ("".to_owned(), "it must begin with SCRAM-SHA-256$"),
        ("md5abc".to_owned(), "it must begin with SCRAM-SHA-256$"),
        ("SCRAM-SHA-256$4096:AA==".to_owned(), "keys are missing"),
        (good.replacen(':', "", 1), "salt is missing"),
        (good.replace(":wf", "wf"), "server key is missing"),
        (good.replace("4096", "four"), "iterations are not a number"),
        (good.replace("4096", "0"), "iterations must be 1 to 1,000,000"),
        (good.replace("4096", "1000001"), "iterations must be 1 to 1,000,000"),
        (good.replace("4096", "99999999999"), "iterations are not a number"),
        (good.replace("W22ZaJ0SNY7soEsUEjb6gQ==", "*"), "salt is not base64"),
        (good.replace("W22ZaJ0SNY7soEsUEjb6gQ==", ""), "salt must have 1 to 64 bytes"),
        (good.replace("W22ZaJ0SNY7soEsUEjb6gQ==", &long_salt), "salt must have 1 to 64 bytes"),
        (good.replace("$WG5d", "$"), "stored key is not 32 bytes of base64"),
        (format!("{good}AAAA"), "server key is not 32 bytes of base64"),
    ];
    for (text, what) in cases {
        assert_eq!(text.parse::<Verifier>(), Err(Error::BadVerifier { what }), "{text}");
    }
}

#[test]
fn nothing_secret_is_in_a_debug_text() {
    let (verifier, decoy) = (pencil(), Verifier::decoy("user", &[7; 32]));
    let keys = Keys::derive("pencil", b"salt", 1);
    let texts = [
        format!("{verifier:?} {decoy:?} {keys:?}"),
        format!("{:?}", server(pencil())),
        format!("{:?}", challenge(pencil())),
        format!("{:?}", challenge(pencil()).finish(CLIENT_LAST.as_bytes())),
        format!("{:?}", client(Secret::password("pencil"))),
        format!("{:?}", client(Secret::password("pencil")).answer(SERVER_FIRST.as_bytes())),
        format!("{:?}", Channel::TlsServerEndPoint(vec![1])),
    ];
    for text in texts {
        let bytes = text.split('[').skip(1).any(|list| list.starts_with(|c: char| c.is_ascii_digit()));
        assert!(!text.contains("pencil") && !bytes, "{text}");
    }
}

#[test]
fn cached_keys_replace_the_derivation_while_salt_and_iterations_stay() {
    let (keys, _) =
        login(client(Secret::password("pencil")), server(pencil()), Mechanism::Sha256).expect("first login");
    // A wrong password shows that the cached keys are what is used.
    let cached = |cached| Secret::Password { password: "forgotten".to_owned(), cached: Some(cached) };
    login(client(cached(keys.clone())), server(pencil()), Mechanism::Sha256).expect("login from the cache");

    let salted_anew = Verifier::new("forgotten", b"another salt", 2).expect("in bounds");
    let (anew, _) =
        login(client(cached(keys.clone())), server(salted_anew), Mechanism::Sha256).expect("derived anew");
    assert_eq!((anew.salt.as_slice(), anew.iterations), (b"another salt".as_slice(), 2));
    assert_ne!(anew.keys, keys.keys);
}

#[test]
fn a_proxy_logs_in_further_with_the_keys_it_saw_in_a_login() {
    let (_, accepted) =
        login(client(Secret::password("pencil")), server(pencil()), Mechanism::Sha256).expect("at the proxy");
    let keys = Keys::from_parts(accepted.client_key(), pencil().server_key());
    assert_eq!(keys, Keys::derive("pencil", &pencil().salt, 4096));
    login(client(Secret::Keys(keys)), server(pencil()), Mechanism::Sha256).expect("behind it");
}

#[test]
fn a_wrong_password_and_an_unknown_user_fail_alike_and_at_the_same_message() {
    let decoy = Verifier::decoy("nobody", &[7; 32]);
    let refused = [("wrong", pencil()), ("pencil", decoy)].map(|(password, verifier)| {
        let (challenge, client) = (challenge(verifier), client(Secret::password(password)));
        let last = client.answer(challenge.message().as_bytes()).expect("a challenge like any other");
        let lengths = (challenge.message().len(), last.message().len());
        (lengths, challenge.finish(last.message().as_bytes()))
    });
    assert_eq!(refused[0], refused[1]);
    assert_eq!(refused[0].1, Err(Error::AuthenticationFailed));
    assert_eq!(Error::AuthenticationFailed.sqlstate().as_str(), "28P01");
}

#[test]
fn a_decoy_is_stable_for_a_user_and_accepts_nobody() {
    let decoy = |user, secret| Verifier::decoy(user, &[secret; 32]);
    assert_eq!(decoy("a", 1), decoy("a", 1));
    assert_ne!(decoy("a", 1).salt, decoy("b", 1).salt);
    assert_ne!(decoy("a", 1).salt, decoy("a", 2).salt);
    assert_eq!((decoy("a", 1).salt.len(), decoy("a", 1).iterations), (SALT_LEN, ITERATIONS));

    let fitting = Verifier { decoy: true, ..pencil() };
    let refused = challenge(fitting).finish(CLIENT_LAST.as_bytes());
    assert_eq!(refused, Err(Error::AuthenticationFailed));
}

#[test]
fn channel_binding_is_agreed_on_or_refused() {
    use Mechanism::{Sha256, Sha256Plus};
    let bound = |hash: u8| Channel::TlsServerEndPoint(vec![hash; 32]);
    let try_login = |mechanism, ours: Channel, theirs: Channel| {
        let client = Client::new(Secret::password("pencil"), nonce("c"), mechanism, theirs);
        login(client, Server::new(pencil(), nonce("s"), ours), mechanism).map(|_| ())
    };
    assert_eq!(try_login(Sha256, Channel::Unbound, Channel::Unbound), Ok(()));
    assert_eq!(try_login(Sha256Plus, bound(1), bound(1)), Ok(()));
    // A client without channel binding is let in over TLS; a server without it is used by a client with it.
    assert_eq!(try_login(Sha256, bound(1), Channel::Unbound), Ok(()));
    assert_eq!(try_login(Sha256, Channel::Unbound, bound(1)), Ok(()));

    let relayed = try_login(Sha256Plus, bound(1), bound(2));
    assert_eq!(relayed, Err(Error::ChannelBinding { what: "the data does not match" }));
    let downgraded = try_login(Sha256, bound(1), bound(1));
    assert!(matches!(downgraded, Err(Error::ChannelBinding { .. })), "{downgraded:?}");
    for (ours, theirs) in [(Channel::Unbound, bound(1)), (bound(1), Channel::Unbound)] {
        assert!(try_login(Sha256Plus, ours, theirs).is_err());
    }
}

#[test]
fn a_client_takes_the_best_mechanism_of_both() {
    let bound = Channel::TlsServerEndPoint(vec![1]);
    let both = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
    let choose = |channel: &Channel, offered: &[&'static str]| channel.choose(offered.iter().copied());
    assert_eq!(choose(&bound, &both), Ok(Mechanism::Sha256Plus));
    assert_eq!(choose(&Channel::Unbound, &both), Ok(Mechanism::Sha256));
    assert_eq!(choose(&bound, &both[..1]), Ok(Mechanism::Sha256));
    assert!(choose(&bound, &["OAUTHBEARER"]).is_err());
    assert_eq!(Mechanism::parse("SCRAM-SHA-256-PLUS"), Ok(Mechanism::Sha256Plus));
    assert!(Mechanism::parse("scram-sha-256").is_err());
}

#[test]
fn first_messages_that_break_the_grammar_are_refused() {
    let malformed = |what| Error::Scram { what };
    let unsupported = |what| Error::ScramUnsupported { what };
    let cases: [(&[u8], Error); 15] = [
        (b"", malformed("no channel binding flag")),
        (b"n", malformed("no channel binding flag")),
        (b"x,,n=,r=a", malformed("invalid channel binding flag")),
        (b"N,,n=,r=a", malformed("invalid channel binding flag")),
        (b"n,", malformed("no authorization identity")),
        (b"n,a=root,n=,r=a", unsupported("an authorization identity")),
        (b"n,b=root,n=,r=a", malformed("invalid authorization identity")),
        (b"n,,m=x,n=,r=a", unsupported("a mandatory SCRAM extension")),
        (b"n,,r=a", malformed("no user name")),
        (b"n,,n=", malformed("no nonce")),
        (b"n,,n=,r=", malformed("invalid nonce")),
        (b"n,,n=,r=a b", malformed("invalid nonce")),
        (b"n,,n=,r=a\0", malformed("invalid nonce")),
        ("n,,n=,r=ä".as_bytes(), malformed("invalid nonce")),
        (b"n,,n=\xff,r=a", malformed("not UTF-8")),
    ];
    for (message, error) in cases {
        let refused = server(pencil()).challenge(Mechanism::Sha256, message).err();
        assert_eq!(refused, Some(error), "{}", message.escape_ascii());
    }
    assert!(ClientFirst::parse(b"n,,n=,r=a,ext=1").is_ok());
}

#[test]
fn last_messages_that_break_the_grammar_or_the_exchange_are_refused() {
    let proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let nonce = format!("{CLIENT_NONCE}{SERVER_NONCE}");
    let cases = [
        ("".to_owned(), Error::Scram { what: "no proof" }),
        (format!("c=biws,r={nonce}"), Error::Scram { what: "no proof" }),
        (format!("r={nonce},{proof}"), Error::Scram { what: "no channel binding" }),
        (format!("c=biws,{proof}"), Error::Scram { what: "no nonce" }),
        (format!("c=biws,r={nonce},p="), Error::Scram { what: "invalid proof" }),
        (format!("c=biws,r={nonce},p=AAAA"), Error::Scram { what: "invalid proof" }),
        (format!("c=biws,r={nonce},{proof},x=1"), Error::Scram { what: "invalid proof" }),
        (format!("c=biws,r={nonce}x,{proof}"), Error::Scram { what: "nonce does not match" }),
        (format!("c=biws,r={CLIENT_NONCE},{proof}"), Error::Scram { what: "nonce does not match" }),
        (format!("c=eSws,r={nonce},{proof}"), Error::ChannelBinding { what: "the data does not match" }),
        (format!("c=biws,r={nonce},x=1,{proof}"), Error::AuthenticationFailed),
    ];
    for (message, error) in cases {
        assert_eq!(challenge(pencil()).finish(message.as_bytes()), Err(error), "{message}");
    }
}

#[test]
fn a_client_refuses_a_server_that_breaks_the_exchange() {
    let answer = |message: &str| client(Secret::password("pencil")).answer(message.as_bytes()).err();
    for (message, what) in [
        ("", "no nonce"),
        ("r=other,s=AAAA,i=4096", "the server's nonce does not extend the client's"),
        ("r=rOprNGfwEbeRWgbNEkqO,s=AAAA,i=4096", "the server's nonce does not extend the client's"),
        ("r=rOprNGfwEbeRWgbNEkqOx,i=4096", "no salt"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=*,i=4096", "invalid salt"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA", "no iteration count"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=-1", "invalid iteration count"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=0", "iteration count out of bounds"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=1000001", "iteration count out of bounds"),
    ] {
        assert_eq!(answer(message), Some(Error::Scram { what }), "{message}");
    }
    let verify = |message: &str| {
        let last =
            client(Secret::password("pencil")).answer(SERVER_FIRST.as_bytes()).expect("a good challenge");
        last.verify(message.as_bytes()).err()
    };
    assert_eq!(verify("e=invalid-proof"), Some(Error::AuthenticationFailed));
    assert_eq!(verify("v=AAAA"), Some(Error::Scram { what: "invalid signature" }));
    assert_eq!(verify(""), Some(Error::Scram { what: "no signature" }));
    let forged = format!("v={}", BASE64_STANDARD.encode([0; 32]));
    assert!(matches!(verify(&forged), Some(Error::ServerNotProven { .. })));
}

#[test]
fn a_user_name_in_the_first_message_is_escaped() {
    let client =
        Client::with_user("a=b,c", Secret::password(""), nonce("n"), Mechanism::Sha256, Channel::Unbound);
    assert_eq!(client.message(), "n,,n=a=3Db=2Cc,r=n");
}

#[test]
fn passwords_are_prepared_where_they_can_be() {
    // A soft hyphen disappears, a non-breaking space becomes a space.
    assert_eq!(Keys::derive("I\u{ad}X\u{a0}", b"s", 1), Keys::derive("IX ", b"s", 1));
    // A control character cannot be prepared and is taken as it is.
    assert_ne!(Keys::derive("I\u{ad}X\u{7}", b"s", 1), Keys::derive("IX\u{7}", b"s", 1));
}

#[test]
fn random_nonces_and_salts_come_from_the_given_source() {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    let mut random = StdRng::seed_from_u64(1);
    let (first, second) = (Nonce::random(&mut random), Nonce::random(&mut random));
    assert_ne!(first, second);
    assert_eq!(first, Nonce::random(&mut StdRng::seed_from_u64(1)));
    assert_eq!(Nonce::new(&first.0), Ok(first));
    let verifier = Verifier::random("pencil", &mut random);
    assert_ne!(verifier.salt, Verifier::random("pencil", &mut random).salt);
    login(client(Secret::password("pencil")), server(verifier), Mechanism::Sha256).expect("a login");
}

#[test]
fn iterations_may_be_followed_by_extensions() {
    let first = ServerFirst::parse("r=a,s=AAAA,i=1,x=2").expect("extensions are skipped");
    assert_eq!((first.nonce, first.iterations), ("a", 1));
}
