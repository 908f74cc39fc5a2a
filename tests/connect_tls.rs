//! TLS on real servers: every sslmode, the fallbacks, client certificates, and what webpki refuses.

// Tests write files and watch the clock.
#![allow(clippy::disallowed_methods)]

mod connect_support;

use connect_support::{Certificates, PASSWORD, Postgres, connect, connect_in, refused, words};
use pgproof::error::Kind;
use pgproof::postgres::{ConnectOptions, Environment, Flags, Guards, Interrupt, Server};
use std::time::Duration;

const TRUST: &str = "host all all 127.0.0.1/32 trust";
const V3: &str = "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n";

fn with_names(names: &str) -> String {
    format!("{V3}subjectAltName={names}\n")
}

/// Whether the connection is encrypted.
async fn encrypted(server: &Server) -> bool {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let rows = server.session("").await.expect("a session").rows("ask", sql).await.expect("answers");
    rows[0][0].as_deref() == Some("t")
}

/// Connects and says whether it is encrypted, or why it failed.
async fn outcome(text: &str) -> Result<bool, String> {
    match connect(text).await {
        Ok(server) => Ok(encrypted(&server).await),
        Err(error) => Err(words(&error)),
    }
}

/// `host=name` with the address of this machine, so that no name is looked up.
fn by_name(server: &Postgres, name: &str, rest: &str) -> String {
    format!("host={name} hostaddr=127.0.0.1 port={} user=postgres {rest}", server.port)
}

#[tokio::test]
async fn each_sslmode_asks_of_a_good_certificate_what_libpq_asks() {
    let made = Certificates::new();
    made.issue("server", "db.example.test", &with_names("DNS:db.example.test"));
    let server = made.server("server", TRUST, "");
    let (ca, other) = (made.path("ca.crt"), made.path("other.crt"));
    let roots = |path: &std::path::Path| format!("sslrootcert={}", path.display());
    for (host, mode, root, expected) in [
        ("db.example.test", "disable", String::new(), Ok(false)),
        ("db.example.test", "allow", String::new(), Ok(false)),
        ("db.example.test", "prefer", String::new(), Ok(true)),
        ("db.example.test", "require", String::new(), Ok(true)),
        ("127.0.0.1", "require", String::new(), Ok(true)),
        ("db.example.test", "require", roots(&ca), Ok(true)),
        ("db.example.test", "require", roots(&other), Err("not signed by an authority that is trusted here")),
        ("db.example.test", "verify-ca", roots(&ca), Ok(true)),
        ("elsewhere.test", "verify-ca", roots(&ca), Ok(true)),
        ("db.example.test", "verify-ca", roots(&other), Err("not signed by an authority")),
        ("db.example.test", "verify-full", roots(&ca), Ok(true)),
        (
            "elsewhere.test",
            "verify-full",
            roots(&ca),
            Err("does not name elsewhere.test, but db.example.test"),
        ),
        ("db.example.test", "verify-full", String::new(), Err("no root certificate was named")),
        (
            "db.example.test",
            "verify-ca",
            "sslrootcert=/nonexistent".to_owned(),
            Err("/nonexistent does not exist"),
        ),
        (
            "db.example.test",
            "verify-full",
            "sslrootcert=system".to_owned(),
            Err("not signed by an authority"),
        ),
    ] {
        let text = by_name(&server, host, &format!("sslmode={mode} {root}"));
        match (outcome(&text).await, expected) {
            (Ok(is), Ok(wanted)) => assert_eq!(is, wanted, "{host} {mode} {root}"),
            (Err(words), Err(part)) => assert!(words.contains(part), "{host} {mode} {root}: {words}"),
            (other, wanted) => panic!("{host} {mode} {root}: {other:?}, not {wanted:?}"),
        }
    }
}

#[tokio::test]
async fn a_root_certificate_in_the_home_folder_makes_require_verify() {
    let made = Certificates::new();
    made.issue("server", "db.example.test", &with_names("DNS:db.example.test"));
    let server = made.server("server", TRUST, "");
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join(".postgresql")).expect("made");
    let surroundings = || Environment { home: Some(home.path().to_owned()), ..Environment::default() };
    let text = by_name(&server, "elsewhere.test", "sslmode=require");
    connect_in(&text, surroundings()).await.expect("no root certificate, nothing to verify");
    let root = home.path().join(".postgresql/root.crt");
    std::fs::copy(made.path("other.crt"), &root).expect("copied");
    let error = connect_in(&text, surroundings()).await.err().expect("a stranger signed it");
    assert!(words(&error).contains("not signed by an authority"), "{}", words(&error));
    std::fs::copy(made.path("ca.crt"), &root).expect("copied");
    connect_in(&text, surroundings()).await.expect("as verify-ca, whatever the name");
}

#[tokio::test]
async fn certificates_that_only_libpq_accepts_work_unverified_and_are_explained_when_verified() {
    let made = Certificates::new();
    made.issue("version1", "db.example.test", "");
    assert!(made.text("version1.crt").contains("Version: 1 "), "{}", made.text("version1.crt"));
    made.issue("cnonly", "db.example.test", V3);
    made.self_signed("selfsigned", "db.example.test");
    for (name, root, ca_words, full_words) in [
        ("version1", "ca.crt", Some("X.509 version 1"), Some("X.509 version 1")),
        ("cnonly", "ca.crt", None, Some("no subjectAltName")),
        (
            "selfsigned",
            "selfsigned.crt",
            Some("marked as an authority (CA:TRUE)"),
            Some("marked as an authority"),
        ),
    ] {
        let server = made.server(name, TRUST, "");
        for mode in ["prefer", "require"] {
            let text = by_name(&server, "db.example.test", &format!("sslmode={mode}"));
            assert_eq!(outcome(&text).await, Ok(true), "{name} {mode}");
        }
        for (mode, expected) in [("verify-ca", ca_words), ("verify-full", full_words)] {
            let root = made.path(root).display().to_string();
            let text = by_name(&server, "db.example.test", &format!("sslmode={mode} sslrootcert={root}"));
            match (outcome(&text).await, expected) {
                (Ok(true), None) => {}
                (Err(words), Some(part)) => {
                    assert!(
                        words.contains(part) && words.contains("or use sslmode="),
                        "{name} {mode}: {words}"
                    );
                }
                (other, _) => panic!("{name} {mode}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn prefer_and_allow_take_the_second_way_when_the_first_is_closed() {
    let made = Certificates::new();
    made.issue("server", "db.example.test", &with_names("DNS:db.example.test"));
    let old = made.server(
        "server",
        TRUST,
        "ssl_min_protocol_version = 'TLSv1'\nssl_max_protocol_version = 'TLSv1.1'",
    );
    assert_eq!(outcome(&by_name(&old, "localhost", "sslmode=prefer")).await, Ok(false), "a failed handshake");
    let (error, words) = refused(&by_name(&old, "localhost", "sslmode=require")).await;
    assert_eq!(error.kind(), Kind::Connect);
    assert!(words.contains("TLS 1.2 and 1.3"), "{words}");
    let only_tls = made.server("server", "hostssl all all 127.0.0.1/32 trust", "");
    assert_eq!(
        outcome(&by_name(&only_tls, "localhost", "sslmode=allow")).await,
        Ok(true),
        "plain is refused"
    );
    let (_, words) = refused(&by_name(&only_tls, "localhost", "sslmode=disable")).await;
    assert!(words.contains("no encryption") && words.contains("sslmode=require"), "{words}");
    let only_plain = made.server("server", "hostnossl all all 127.0.0.1/32 trust", "");
    assert_eq!(
        outcome(&by_name(&only_plain, "localhost", "sslmode=prefer")).await,
        Ok(false),
        "TLS is refused"
    );
    let without = Postgres::start(TRUST, "");
    assert_eq!(outcome(&by_name(&without, "localhost", "sslmode=prefer")).await, Ok(false));
    let (_, words) = refused(&by_name(&without, "localhost", "sslmode=require")).await;
    assert!(words.contains("the server does not offer TLS"), "{words}");
    let socket = format!("host={} port={} sslmode=require", without.socket_dir().display(), without.port);
    assert_eq!(outcome(&socket).await, Ok(false), "sockets are never encrypted");
}

#[tokio::test]
async fn a_client_certificate_stands_for_a_password_in_every_key_format() {
    let made = Certificates::new();
    made.issue("server", "db.example.test", &with_names("DNS:db.example.test"));
    made.issue("client", "postgres", V3);
    made.openssl("ec -in client.key -out sec1.key", &[]);
    made.openssl("genrsa -traditional -out pkcs1.key 2048", &[]);
    made.openssl("req -new -key pkcs1.key -out rsa.csr -subj /CN=postgres", &[]);
    made.openssl("x509 -req -in rsa.csr -CA ca.crt -CAkey ca.key -set_serial 9 -days 2 -out rsa.crt -extfile client.ext", &[]);
    made.openssl("pkcs8 -topk8 -in client.key -out locked.key -passout", &[&format!("pass:{PASSWORD}")]);
    let ca = made.path("ca.crt").display().to_string();
    let server = made.server("server", "hostssl all all 127.0.0.1/32 cert", &format!("ssl_ca_file = '{ca}'"));
    let text = |cert: &str, key: &str| {
        let (cert, key) = (made.path(cert).display().to_string(), made.path(key).display().to_string());
        by_name(&server, "db.example.test", &format!("sslmode=require sslcert={cert} sslkey={key}"))
    };
    for (cert, key, kind) in [
        ("client.crt", "client.key", "BEGIN PRIVATE KEY"),
        ("client.crt", "sec1.key", "BEGIN EC PRIVATE KEY"),
        ("rsa.crt", "pkcs1.key", "BEGIN RSA PRIVATE KEY"),
    ] {
        let pem = std::fs::read_to_string(made.path(key)).expect("a key");
        assert!(pem.contains(kind), "{key} is not {kind}");
        std::fs::set_permissions(made.path(key), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("closed");
        assert_eq!(outcome(&text(cert, key)).await, Ok(true), "{key}");
    }
    std::fs::set_permissions(made.path("locked.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("closed");
    for (cert, key, expected) in [
        ("client.crt", "missing.key", "has no key file"),
        ("client.crt", "locked.key", "is encrypted"),
        ("client.crt", "pkcs1.key", "do not fit"),
        ("client.crt", "client.csr", "holds no PKCS#8, PKCS#1 or SEC1 key"),
    ] {
        std::fs::set_permissions(
            made.path("client.csr"),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .expect("closed");
        let (error, words) = refused(&text(cert, key)).await;
        assert_eq!(error.kind(), Kind::Config, "{key}");
        assert!(words.contains(expected), "{key}: {words}");
    }
    std::fs::set_permissions(made.path("sec1.key"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("open");
    let (_, words) = refused(&text("client.crt", "sec1.key")).await;
    assert!(words.contains("can be read by group or others; run chmod 0600"), "{words}");
    let none = by_name(&server, "db.example.test", "sslmode=require sslcert=/nonexistent");
    let (error, words) = refused(&none).await;
    assert_eq!(error.code(), Some("28000"), "{words}");
}

#[tokio::test]
async fn scram_is_bound_to_the_channel() {
    let made = Certificates::new();
    made.issue("server", "db.example.test", &with_names("DNS:db.example.test"));
    let server = made.server("server", "host all all 127.0.0.1/32 scram-sha-256", "");
    server.sql(&format!("ALTER ROLE postgres PASSWORD '{PASSWORD}'")).await;
    let text = |rest: &str| by_name(&server, "db.example.test", &format!("password={PASSWORD} {rest}"));
    assert_eq!(outcome(&text("sslmode=require channel_binding=require")).await, Ok(true));
    assert_eq!(outcome(&text("sslmode=require channel_binding=disable")).await, Ok(true));
    let (_, words) = refused(&text("sslmode=disable channel_binding=require")).await;
    assert!(words.contains("channel_binding=require needs TLS and SCRAM"), "{words}");
    // A key that we cannot read cannot prove itself, so nothing is bound to it.
    made.issue("version1", "db.example.test", "");
    let old = made.server("version1", TRUST, "");
    let (_, words) = refused(&by_name(&old, "localhost", "sslmode=require channel_binding=require")).await;
    assert!(words.contains("X.509 version 1"), "{words}");
}

#[tokio::test]
async fn revoked_certificates_are_refused() {
    let made = Certificates::new();
    made.issue("server", "db.example.test", &with_names("DNS:db.example.test"));
    let config = "[ca]\ndefault_ca=x\n[x]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=2\ncrlnumber=number\n\
                  crl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n";
    std::fs::write(made.path("ca.conf"), config).expect("written");
    std::fs::write(made.path("index"), "").expect("written");
    std::fs::write(made.path("number"), "01").expect("written");
    made.openssl("ca -config ca.conf -keyfile ca.key -cert ca.crt -gencrl -out empty.crl", &[]);
    made.openssl("ca -config ca.conf -keyfile ca.key -cert ca.crt -revoke server.crt", &[]);
    made.openssl("ca -config ca.conf -keyfile ca.key -cert ca.crt -gencrl -out full.crl", &[]);
    let server = made.server("server", TRUST, "");
    let ca = made.path("ca.crt").display().to_string();
    let text = |crl: &str| {
        let crl = made.path(crl).display().to_string();
        by_name(&server, "db.example.test", &format!("sslmode=verify-full sslrootcert={ca} sslcrl={crl}"))
    };
    assert_eq!(outcome(&text("empty.crl")).await, Ok(true));
    let (_, words) = refused(&text("full.crl")).await;
    assert!(words.contains("in the revocation list"), "{words}");
}

#[tokio::test]
async fn an_interrupt_reaches_the_server_over_tls() {
    let made = Certificates::new();
    made.issue("server", "db.example.test", &with_names("DNS:db.example.test"));
    let server = made.server("server", "hostssl all all 127.0.0.1/32 trust", "");
    let ca = made.path("ca.crt").display().to_string();
    let text = by_name(&server, "db.example.test", &format!("sslmode=verify-full sslrootcert={ca}"));
    let flags = Flags { dbname: Some(text), ..Flags::default() };
    let options = ConnectOptions::resolve(&flags, &Environment::default()).expect("resolves");
    let interrupt = Interrupt::new();
    let pool = Server::connect(options, 1, interrupt.clone()).await.expect("connects");
    let mut session = pool.session("test").await.expect("a session");
    session.begin(&Guards::default(), &[]).await.expect("begins");
    let observer_pool = server.superuser().await;
    let observer = observer_pool.session("").await.expect("a session");
    let sleepers = || async {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        observer.rows("ask", sql).await.expect("answers")[0][0].clone()
    };
    let (ended, ()) = tokio::join!(session.batch("sleep", "SELECT pg_sleep(25)"), async {
        while sleepers().await.as_deref() != Some("1") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        interrupt.raise();
    });
    assert_eq!(ended.expect_err("interrupted").kind(), Kind::Interrupted);
    assert_eq!(sleepers().await.as_deref(), Some("0"), "the statement ended before we were told");
    session.rollback().await.expect("rolls back");
}
