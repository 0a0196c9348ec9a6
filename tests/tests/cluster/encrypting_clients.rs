//! TLS between clients and handlers (R52): psql and our own driver.

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use driver::Driver;
use rpc::directives::Wish;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tests::{Cluster, PASSWORD, Ran, Role, USER, program, until};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Runs openssl in a directory.
fn openssl(directory: &Path, arguments: &str) {
    let mut command = program("openssl");
    let ran = Ran::of(
        command.current_dir(directory).args(arguments.split_whitespace()),
        format!("openssl {arguments}"),
        "",
    );
    ran.ok();
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// Somebody who signs certificates.
fn authority(directory: &Path, name: &str) {
    openssl(
        directory,
        &format!("req -x509 {KEY} -keyout {name}.key -out {name}.crt -days 2 -subj /CN={name}"),
    );
}

/// A certificate that is signed by that one.
fn certificate(directory: &Path, name: &str, by: &str) {
    std::fs::write(directory.join("extensions"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        .expect("room");
    openssl(directory, &format!("req {KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
    let signed = format!("-CA {by}.crt -CAkey {by}.key -CAcreateserial -days 2 -extfile extensions");
    openssl(directory, &format!("x509 -req -in {name}.csr -out {name}.crt {signed}"));
    // libpq wants keys to be private.
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(directory.join(format!("{name}.key")), private).expect("our own file");
}

/// What psql gives with this way of connecting.
fn psql(cluster: &Cluster, directory: &Path, password: &str, way: &[(&str, &str)]) -> Ran {
    let mut command = program("psql");
    cluster.env(0, "d_secret").apply(&mut command).current_dir(directory).env("PGPASSWORD", password);
    command.env("PGSSLROOTCERT", "ours.crt").envs(way.iter().copied());
    Ran::of(command.args(["-X", "-A", "-t", "-c", "SELECT count(*) FROM t"]), format!("psql {way:?}"), "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_come_by_tls_and_a_wrong_certificate_and_a_wrong_password_are_each_refused_r52() {
    let files = tempfile::tempdir().expect("a directory");
    let directory = files.path();
    authority(directory, "ours");
    authority(directory, "theirs");
    certificate(directory, "handler", "ours");
    certificate(directory, "client", "ours");
    certificate(directory, "stranger", "theirs");
    let quoted = |name: &str| format!("{:?}", directory.join(name).display().to_string());
    let cluster = Cluster::builder()
        .controllers(1)
        .handlers(1)
        .servers(1)
        .set(Role::Handler, "tls_certificate_file", quoted("handler.crt"))
        .set(Role::Handler, "tls_key_file", quoted("handler.key"))
        .start()
        .await;
    let table = "CREATE TABLE t (n int)";
    cluster.create("d_secret").await;
    cluster.session(0, "d_secret").await.batch_execute(table).await.expect("a table");
    assert_eq!(psql(&cluster, directory, PASSWORD, &[("PGSSLMODE", "verify-full")]).ok().trim(), "0");

    // From now on only with a certificate.
    let config = cluster.handlers[0].config();
    let text = std::fs::read_to_string(config).expect("its configuration");
    let more = format!("[handler]\ntls_required = true\ntls_client_ca_file = {}\n", quoted("ours.crt"));
    std::fs::write(config, text.replace("[handler]\n", &more)).expect("room");
    cluster.handlers[0].terminate().await;
    cluster.handlers[0].start();
    cluster.handlers[0].ready().await;
    let full = ("PGSSLMODE", "verify-full");
    let client = [full, ("PGSSLCERT", "client.crt"), ("PGSSLKEY", "client.key")];
    until("who has all of it is let in", async || {
        let ran = psql(&cluster, directory, PASSWORD, &client);
        if ran.code == Some(0) { Ok(()) } else { Err(ran.stderr) }
    })
    .await;
    let refused = |password: &str, way: &[(&str, &str)], why: &str| {
        let ran = psql(&cluster, directory, password, way);
        assert!(ran.code == Some(2) && ran.stderr.contains(why), "{way:?}: {}", ran.stderr);
    };
    refused("guess", &client, "password authentication failed");
    refused(PASSWORD, &[full], "certificate required");
    let stranger = [full, ("PGSSLCERT", "stranger.crt"), ("PGSSLKEY", "stranger.key")];
    refused(PASSWORD, &stranger, "alert");
    refused(PASSWORD, &[("PGSSLMODE", "disable")], "connections without TLS are refused here");
    refused(
        PASSWORD,
        &[client[0], client[1], client[2], ("PGSSLROOTCERT", "theirs.crt")],
        "certificate verify failed",
    );

    // Our driver: its requests, more than a socket takes at a time, and what it is told.
    cluster.let_send().await;
    let read = |name: &str| directory.join(name);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(read("ours.crt")).expect("PEM")).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_file(read("client.crt")).expect("PEM")],
            PrivateKeyDer::from_pem_file(read("client.key")).expect("PEM"),
        )
        .expect("a key that fits");
    let address = cluster.handler_address(0);
    let mut postgres = tokio_postgres::Config::new();
    postgres.host(address.ip().to_string()).port(address.port()).user(USER).password(PASSWORD);
    postgres.dbname("d_secret").ssl_mode(tokio_postgres::config::SslMode::Require);
    let driver = Driver::with_tls(postgres.into(), MakeRustlsConnect::new(config)).expect("a driver");
    let client = driver.connect().await.expect("connected");
    let long = "x".repeat(3_000_000);
    let row = client.query_one("SELECT $1::text", &[&long]).await.expect("answered");
    assert!(row.get::<_, String>(0) == long, "all of it comes back");
    let text = r#"{"v":1,"id":"hush","epoch":0,"sequence":0,"lifetime_ms":60000,"action":"information","with":{"topic":"t","text":"by TLS"}}"#;
    cluster
        .administer(Wish::Send { id: "hush".into(), text: text.into(), targets: model::Targets::default() })
        .await;
    until("it is told", async || {
        let told = driver.information();
        if told.iter().any(|one| one.text == "by TLS") { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await;
}
