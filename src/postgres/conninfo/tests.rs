//! Connection strings, services, files and variables, decided as libpq decides them.

use super::keywords::parse_key_values;
use super::password_file::{Wanted, find_password};
use super::service_file::parse_service;
use super::uri::parse_uri;
use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A password that no error may show.
const PASSWORD: &str = "hunter2secret";

fn env(vars: &[(&str, &str)]) -> Environment {
    Environment {
        vars: vars.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        os_user: Some("alice".to_owned()),
        ..Environment::default()
    }
}

fn resolve_d(dbname: &str, vars: &[(&str, &str)]) -> Result<ConnectOptions> {
    ConnectOptions::resolve(&Flags { dbname: Some(dbname.to_owned()), ..Flags::default() }, &env(vars))
}

/// Everything an error says, the way `cli` prints it.
fn words(error: &Error) -> String {
    format!("{error}: {}; {}", error.causes().join(": "), error.advice().unwrap_or(""))
}

#[test]
fn connection_strings_and_urls_lead_where_libpq_goes() {
    for (text, expected) in [
        ("shop", "shop on localhost:5432 as alice"),
        ("dbname=shop host=db port=6000 user=bob", "shop on db:6000 as bob"),
        ("host = db  dbname = 'my shop'", "my shop on db:5432 as alice"),
        (r"host=db dbname='it\'s \\ x' user=a\ b", r"it's \ x on db:5432 as a b"),
        ("postgres://", "alice on localhost:5432 as alice"),
        ("postgresql://db", "alice on db:5432 as alice"),
        ("postgres://bob@db:6000/shop", "shop on db:6000 as bob"),
        ("postgres://bob%40corp@db/my%20shop", "my shop on db:5432 as bob@corp"),
        ("postgres://[2001:db8::1]:6000/shop", "shop on [2001:db8::1]:6000 as alice"),
        ("postgres://[::1]/shop", "shop on [::1]:5432 as alice"),
        ("postgres://a:1,b:2,c/shop", "shop on a:1 or b:2 or c:5432 as alice"),
        ("host=a,b port=7 dbname=x", "x on a:7 or b:7 as alice"),
        ("host=a,b port=7,8 dbname=x", "x on a:7 or b:8 as alice"),
        ("postgres://%2Fvar%2Frun%2Fpg/shop", "shop on socket /var/run/pg/.s.PGSQL.5432 as alice"),
        ("postgres:///shop?host=/sock&port=7", "shop on socket /sock/.s.PGSQL.7 as alice"),
        ("postgres://db/shop?user=carol&host=other", "shop on other:5432 as carol"),
        ("hostaddr=10.0.0.1 dbname=x", "x on 10.0.0.1:5432 as alice"),
        ("host=db hostaddr=10.0.0.1 dbname=x", "x on db:5432 as alice"),
    ] {
        let options = resolve_d(text, &[]).unwrap_or_else(|error| panic!("{text}: {}", words(&error)));
        assert_eq!(options.describe(), expected, "{text}");
    }
}

#[test]
fn damaged_settings_are_refused_by_name_and_without_the_password() {
    for (text, expected) in [
        ("hots=db", "did you mean `host`?"),
        ("postgres://db/shop?sslmod=require", "did you mean `sslmode`?"),
        ("postgres://db/shop?schema=public", "`schema` is not a connection keyword"),
        ("sslmode=verify", "`sslmode` cannot be `verify`"),
        ("host=a port=x", "`port` is not a number"),
        ("host=a port=0", "`port` is not a number"),
        ("host=a,b,c port=1,2", "2 ports for 3 hosts"),
        ("host=a,b hostaddr=10.0.0.1", "2 hosts but 1 in `hostaddr`"),
        ("hostaddr=db", "`hostaddr` is not an IP address"),
        ("connect_timeout=soon", "`connect_timeout` is not a whole number"),
        ("password='hunter2secret", "the quoted value of `password` in the connection string does not end"),
        ("password=a hunter2secret", "a word in the connection string has no `=`"),
        ("password=a hunter2secret=b", "the word after the password is not a connection keyword"),
        ("postgres://u:hunter2secret@x@db/shop", "more than one `@`"),
        ("postgres://u:x@hunter2secret@db/shop", "more than one `@`"),
        ("postgres://u:x/hunter2secret@db/shop", "`@` after its first `/`"),
        ("postgres://u:hunter2secret/x@db/shop", "`@` after its first `/`"),
        ("postgres://u:hunter2secret?x@db/shop", "`?` before its `@`"),
        ("postgres://u:hunter2secret%zz@db/shop", "the password in the URL is not valid percent-encoding"),
        ("postgres://u:hunter2secret%00@db/shop", "the password in the URL is not valid percent-encoding"),
        ("postgres://u:hunter2secret@db:port/shop", "the port in the URL is not a number"),
        ("postgres://[::1/shop", "no closing `]`"),
        ("postgres://[::1]x/shop", "something other than a port follows"),
        ("postgres://u:hunter2secret@db/shop?sslmode", "has no `=`"),
        ("postgres://u:hunter2secret@db/shop?sslmode=on", "`sslmode` cannot be `on`"),
        ("sslpassword=hunter2secret", "`sslpassword` is set: pgproof cannot read encrypted keys"),
        ("require_auth=scram-sha-256", "`require_auth` is set"),
        ("gssencmode=require", "`gssencmode` is set: pgproof does not speak GSSAPI"),
        ("sslrootcert=system sslmode=require", "use sslmode=verify-full"),
        ("sslnegotiation=direct sslmode=prefer", "cannot fall back"),
        ("host=@abstract", "abstract namespace"),
        ("ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", "leave out both"),
    ] {
        let error = resolve_d(text, &[]).expect_err(text);
        assert_eq!(error.kind(), Kind::Usage, "{text}");
        let words = words(&error);
        assert!(words.contains(expected), "{text}: {words}");
        assert!(!words.contains(PASSWORD), "{text} shows the password: {words}");
    }
}

#[test]
fn damaged_surroundings_are_a_matter_of_configuration() {
    for (vars, expected) in [
        (&[("PGPORT", "x")][..], "`port` is not a number"),
        (&[("PGSSLMODE", "on")], "`sslmode` cannot be `on`"),
        (&[("PGREQUIREAUTH", "md5")], "`require_auth` is set"),
        (&[("DATABASE_URL", "mysql://u:hunter2secret@db/shop")], "`mysql://` is not a PostgreSQL URL"),
        (&[("DATABASE_URL", "postgres://u:hunter2secret@db:x/shop")], "the port in the URL"),
        (&[("PGSERVICE", "shop")], "no definition of service `shop`"),
        (&[("PGSERVICE", "shop"), ("PGSERVICEFILE", "/nonexistent/file")], "/nonexistent/file"),
    ] {
        let error = ConnectOptions::resolve(&Flags::default(), &env(vars)).expect_err(expected);
        assert_eq!(error.kind(), Kind::Config, "{expected}");
        let words = words(&error);
        assert!(words.contains(expected), "{expected}: {words}");
        assert!(!words.contains(PASSWORD), "{words}");
    }
}

#[test]
fn the_connection_string_wins_over_flags_and_flags_over_the_environment() {
    let flags = Flags {
        host: Some("flag".to_owned()),
        port: Some("1".to_owned()),
        user: Some("flaguser".to_owned()),
        dbname: Some("host=string dbname=x".to_owned()),
    };
    let vars = [("PGHOST", "variable"), ("PGUSER", "variable"), ("PGDATABASE", "variable")];
    let describe =
        |flags: &Flags| ConnectOptions::resolve(flags, &env(&vars)).map(|options| options.describe());
    assert_eq!(describe(&flags).ok().as_deref(), Some("x on string:1 as flaguser"));
    let flags = Flags { dbname: Some("plain".to_owned()), ..flags };
    assert_eq!(describe(&flags).ok().as_deref(), Some("plain on flag:1 as flaguser"));
    assert_eq!(describe(&Flags::default()).ok().as_deref(), Some("variable on variable:5432 as variable"));
}

#[test]
fn database_url_counts_only_when_nothing_else_names_a_database() {
    let url = ("DATABASE_URL", "postgres://bob:hunter2secret@url:9/shop?sslmode=require");
    let resolve =
        |flags: &Flags, vars: &[(&str, &str)]| ConnectOptions::resolve(flags, &env(vars)).expect("resolves");
    let alone = resolve(&Flags::default(), &[url, ("PGHOST", "variable")]);
    assert_eq!(alone.describe(), "shop on url:9 as bob");
    assert_eq!(alone.hosts[0].password, Some(Secret::new(PASSWORD)));
    assert_eq!(alone.hosts[0].password_from.as_deref(), Some("DATABASE_URL"));
    assert_eq!(alone.tls.mode, SslMode::Require);
    let named = resolve(&Flags::default(), &[url, ("PGDATABASE", "mine")]);
    assert_eq!(named.describe(), "mine on localhost:5432 as alice");
    let flags = Flags { host: Some("other".to_owned()), ..Flags::default() };
    let elsewhere = resolve(&flags, &[url]);
    assert_eq!(
        (elsewhere.describe().as_str(), &elsewhere.hosts[0].password),
        ("alice on other:5432 as alice", &None)
    );
    let flags = Flags { user: Some("carol".to_owned()), ..Flags::default() };
    let other_role = resolve(&flags, &[url]);
    assert_eq!(
        (other_role.describe().as_str(), &other_role.hosts[0].password),
        ("shop on url:9 as carol", &None)
    );
}

#[test]
fn a_service_stands_between_the_connection_string_and_the_environment() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("services.conf");
    fs::write(
        &file,
        "# mine\n[other]\nhost=no\n[shop]\nhost=service\nport=7\nhost=second\nuser = bob \n\n[last]\nbad\n",
    )
    .expect("written");
    let path = file.display().to_string();
    let vars =
        [("PGSERVICEFILE", path.as_str()), ("PGPORT", "9"), ("PGUSER", "variable"), ("PGDATABASE", "db")];
    let options = resolve_d("service=shop", &vars).expect("resolves");
    assert_eq!(options.describe(), "db on service:7 as bob");
    let options = resolve_d("service=shop port=8", &vars).expect("resolves");
    assert_eq!(options.describe(), "db on service:8 as bob");
    let error = resolve_d("service=last", &vars).expect_err("damaged");
    assert_eq!(error.kind(), Kind::Config);
    assert!(words(&error).contains("services.conf, line 11: expected `key=value`"), "{}", words(&error));
    let error = resolve_d("service=missing", &vars).expect_err("not defined");
    assert!(words(&error).contains("no definition of service `missing`: looked in"), "{}", words(&error));
}

#[test]
fn service_files_say_which_line_is_wrong() {
    let path = Path::new("f");
    for (text, expected) in [
        ("[s]\nhots=x", "f, line 2: `hots` is not a connection keyword"),
        ("[s]\nservice=t", "f, line 2: a service cannot name another service"),
        ("[s]\nldap://x/y", "f, line 2: pgproof does not look services up in LDAP"),
    ] {
        assert_eq!(parse_service(text, "s", path).err().map(|bad| bad.what).as_deref(), Some(expected));
    }
    assert_eq!(parse_service("[t]\nrubbish", "s", path).map(|found| found.is_some()), Ok(false));
}

#[test]
fn password_files_match_as_libpq_matches() {
    let text = "# comment:*:*:*:no\n\
                short:line\n\
                db:5432:shop:bob:plain\r\n\
                db:*:*:bob:wild\n\
                we\\:ird:5432:b\\\\s:bob:p\\:a\\\\ss\n\
                \\*:5432:shop:dan:literal star\n\
                localhost:5432:*:eve:local:trailing\n\
                *:*:*:empty:\n\
                *:*:*:*:last";
    for (host, port, dbname, user, expected) in [
        ("db", 5432, "shop", "bob", Some("plain")),
        ("db", 1, "shop", "bob", Some("wild")),
        ("we:ird", 5432, "b\\s", "bob", Some("p:a\\ss")),
        ("*", 5432, "shop", "dan", Some("literal star")),
        ("any", 5432, "shop", "dan", Some("last")),
        ("localhost", 5432, "x", "eve", Some("local")),
    ] {
        let found = find_password(text, Wanted { host, port, dbname, user });
        assert_eq!(found, expected.map(Secret::new), "{host}:{port}:{dbname}:{user}");
    }
    let nobody = Wanted { host: "db", port: 1, dbname: "x", user: "nobody" };
    assert_eq!(find_password("db:5432:x:nobody:p", nobody), None);
}

#[test]
fn a_password_file_that_others_may_read_is_not_read_and_said_so() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join(".pgpass");
    fs::write(&file, "db:5432:*:*:hunter2secret\nlocalhost:5432:*:*:socket\n").expect("written");
    let sockets = home.path().join("sockets");
    let surroundings =
        Environment { home: Some(home.path().to_owned()), socket_dirs: vec![sockets.clone()], ..env(&[]) };
    let resolve = |dbname: String| {
        ConnectOptions::resolve(&Flags { dbname: Some(dbname), ..Flags::default() }, &surroundings)
            .expect("resolves")
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("chmod");
    let open = resolve("host=db".to_owned());
    assert_eq!(open.hosts[0].password, None);
    assert!(open.warnings[0].contains("run chmod 0600"), "{:?}", open.warnings);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    let closed = resolve("host=db,other".to_owned());
    assert_eq!(closed.warnings, Vec::<String>::new());
    assert_eq!(closed.hosts[0].password, Some(Secret::new(PASSWORD)));
    assert_eq!(closed.hosts[1].password, None);
    assert!(!format!("{closed:?}").contains(PASSWORD));
    let socket = resolve(format!("host={}", sockets.display()));
    assert_eq!(socket.hosts[0].password, Some(Secret::new("socket")));
}

#[test]
fn without_a_host_a_local_socket_is_used_if_there_is_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let surroundings = Environment { socket_dirs: vec![dir.path().to_owned()], ..env(&[]) };
    let address = || {
        let options = ConnectOptions::resolve(&Flags::default(), &surroundings).expect("resolves");
        options.hosts[0].address.clone()
    };
    assert_eq!(address(), Address::Tcp { name: "localhost".to_owned(), addr: None });
    fs::write(dir.path().join(".s.PGSQL.5432"), "").expect("written");
    assert_eq!(address(), Address::Socket(dir.path().to_owned()));
}

#[test]
fn defaults_are_libpqs_but_for_our_name() {
    let options = resolve_d("postgres://db", &[("PGAPPNAME", "psql")]).expect("resolves");
    assert_eq!(options.application_name, "pgproof");
    assert_eq!((options.tls.mode, options.options, options.connect_timeout), (SslMode::Prefer, None, None));
    assert!(options.dbname_is_default);
    let options =
        resolve_d("application_name=mine connect_timeout=-1 sslrootcert=system", &[]).expect("resolves");
    assert_eq!(options.application_name, "mine");
    assert_eq!(options.connect_timeout, Some(Duration::ZERO));
    assert_eq!((options.tls.mode, options.tls.roots), (SslMode::VerifyFull, Roots::System));
    let nobody = Environment { os_user: None, ..env(&[]) };
    let error = ConnectOptions::resolve(&Flags::default(), &nobody).expect_err("no role");
    assert!(words(&error).contains("name the role with -U"));
}

#[test]
fn passwords_never_print() {
    let secret = Secret::new(PASSWORD);
    assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    let options = resolve_d("postgres://u:hunter2secret@db/shop", &[]).expect("resolves");
    assert!(!format!("{options:?} {}", options.describe()).contains(PASSWORD));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,60}") {
        let _ = parse_key_values(&text);
        let _ = parse_uri(&format!("postgres://{text}"));
        let _ = parse_service(&format!("[s]\n{text}"), "s", Path::new("f"));
        let _ = find_password(&text, Wanted { host: "h", port: 1, dbname: "d", user: "u" });
    }
}
