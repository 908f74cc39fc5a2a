//! TLS settings from `sslmode` and its companions, built once and only when a connection needs them.
//!
//! Refuses to encrypt Unix sockets, and to load the system's certificates unless asked.

use super::conninfo::{ChannelBinding, ConnectOptions, Roots, SslMode, TlsOptions};
use super::verifier::Verifier;
use crate::error::{Error, Kind, Result};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The TLS connector of one set of options, made at first use.
#[derive(Default)]
pub(super) struct Tls {
    made: OnceLock<MakeRustlsConnect>,
}

impl Tls {
    /// The connector; reads certificate files the first time.
    pub(super) fn connector(&self, options: &ConnectOptions) -> Result<MakeRustlsConnect> {
        if let Some(made) = self.made.get() {
            return Ok(made.clone());
        }
        let made = MakeRustlsConnect::new(client_config(&options.tls, options.channel_binding)?);
        Ok(self.made.get_or_init(|| made).clone())
    }

    /// The connector, if a connection needed one so far.
    pub(super) fn made(&self) -> Option<MakeRustlsConnect> {
        self.made.get().cloned()
    }
}

fn refuse(what: impl Into<String>) -> Error {
    Error::new(Kind::Config, "set up TLS").because(what.into())
}

fn client_config(options: &TlsOptions, binding: ChannelBinding) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut versions = Vec::new();
    versions.extend(options.tls13.then_some(&rustls::version::TLS13));
    versions.extend(options.tls12.then_some(&rustls::version::TLS12));
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .map_err(|error| refuse(error.to_string()))?;
    let builder = match verification(options) {
        SslMode::VerifyFull => builder.with_webpki_verifier(webpki(options, &provider)?),
        SslMode::VerifyCa => {
            let chain = Verifier::chain(provider.clone(), webpki(options, &provider)?);
            builder.dangerous().with_custom_certificate_verifier(Arc::new(chain))
        }
        _ => {
            let anyone = Verifier::anyone(provider.clone(), binding == ChannelBinding::Require);
            builder.dangerous().with_custom_certificate_verifier(Arc::new(anyone))
        }
    };
    let mut config = match client_certificate(options)? {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| refuse(format!("the client certificate and its key do not fit: {error}")))?,
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = options.sni;
    // PostgreSQL 17 insists on this name for direct TLS; older servers ignore it.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

/// `require` with a root certificate at hand verifies the chain, as libpq has always done.
fn verification(options: &TlsOptions) -> SslMode {
    match (&options.roots, options.mode) {
        (Roots::File(path), SslMode::Require) if path.exists() => SslMode::VerifyCa,
        (_, mode) => mode,
    }
}

fn webpki(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    let from = match &options.roots {
        Roots::System => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            "the system's certificate store".to_owned()
        }
        Roots::File(path) if path.exists() => {
            for certificate in certificates(path, "root certificate")? {
                roots.add(certificate).map_err(|error| {
                    refuse(format!("root certificate file {}: {}", path.display(), certificate_words(&error)))
                })?;
            }
            format!("root certificate file {}", path.display())
        }
        Roots::File(path) => {
            return Err(refuse(format!("root certificate file {} does not exist", path.display())).help(
                "name it with sslrootcert, trust the system's authorities with sslrootcert=system, \
                 or use sslmode=require to skip verification",
            ));
        }
        Roots::None => {
            return Err(
                refuse("no root certificate was named").help("name it with sslrootcert or PGSSLROOTCERT")
            );
        }
    };
    if roots.is_empty() {
        return Err(refuse(format!("{from} holds no certificate")));
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = match options.crl.as_deref().filter(|path| path.exists()) {
        Some(path) => {
            let bytes = read(path, "revocation list")?;
            let lists: std::result::Result<Vec<_>, _> =
                CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
            builder.with_crls(
                lists.map_err(|error| refuse(format!("revocation list {}: {error}", path.display())))?,
            )
        }
        None => builder,
    };
    builder.build().map_err(|error| match (error, options.crl.as_deref()) {
        (VerifierBuilderError::InvalidCrl(why), Some(path)) => {
            refuse(format!("revocation list {}: {}", path.display(), rustls::Error::from(why)))
                .help("it must be a version 2 list (openssl ca needs crl_extensions and crlnumber for that)")
        }
        (error, _) => refuse(format!("{from}: {error}")),
    })
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The client certificate and key. As in libpq, a certificate file that does not exist means none.
fn client_certificate(options: &TlsOptions) -> Result<Option<Identity>> {
    let Some(cert) = options.cert.as_deref().filter(|path| path.exists()) else { return Ok(None) };
    let chain = certificates(cert, "client certificate")?;
    let Some(key) = options.key.as_deref().filter(|path| path.exists()) else {
        return Err(refuse(format!("client certificate {} has no key file", cert.display()))
            .help("name the key with sslkey or PGSSLKEY"));
    };
    check_key_access(key)?;
    let bytes = read(key, "private key")?;
    if String::from_utf8_lossy(&bytes).contains("ENCRYPTED") {
        return Err(refuse(format!("private key {} is encrypted, which pgproof cannot read", key.display()))
            .help("write a decrypted copy: openssl pkey -in KEY -out PLAIN_KEY, then chmod 0600 PLAIN_KEY"));
    }
    let parsed = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        refuse(format!("private key {} holds no PKCS#8, PKCS#1 or SEC1 key in PEM", key.display()))
    })?;
    Ok(Some((chain, parsed)))
}

/// libpq's rule: nobody else may read the key, except root's group where root owns it.
fn check_key_access(key: &Path) -> Result<()> {
    let metadata =
        fs::metadata(key).map_err(|error| refuse(format!("private key {}: {error}", key.display())))?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden == 0 {
        return Ok(());
    }
    let shown = key.display();
    Err(refuse(format!("private key {shown} can be read by group or others"))
        .help(format!("run chmod 0600 {shown}")))
}

fn certificates(path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(path, what)?;
    let parsed: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match parsed {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(refuse(format!("{what} file {} holds no PEM certificate", path.display()))),
        Err(error) => Err(refuse(format!("{what} file {}: {error}", path.display()))),
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| refuse(format!("{what} file {}: {error}", path.display())))
}

/// What is wrong with a certificate, in words for its owner.
pub(super) fn certificate_words(error: &rustls::Error) -> String {
    match trouble(error) {
        Some((what, _)) => what,
        None => error.to_string(),
    }
}

/// webpki lists names as `DnsName("db")` and `IpAddress(10.0.0.1)`: what stands inside.
fn plain_names(presented: &[String]) -> String {
    let plain = presented.iter().map(|name| {
        let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inside.unwrap_or(name).trim_matches('"')
    });
    plain.collect::<Vec<_>>().join(", ")
}

/// Where rustls refuses what libpq accepts, or for a common mistake: what is true, and what to do.
pub(super) fn trouble(error: &rustls::Error) -> Option<(String, &'static str)> {
    let rustls::Error::InvalidCertificate(why) = error else { return None };
    let other = match why {
        CertificateError::Other(other) => other.0.to_string(),
        _ => String::new(),
    };
    Some(match why {
        CertificateError::Other(_) if other.contains("UnsupportedCertVersion") => (
            "the certificate is X.509 version 1, which libpq accepts and pgproof's TLS library does not".to_owned(),
            "issue it as version 3, with a subjectAltName (openssl x509 -req … -extfile FILE), or use sslmode=require",
        ),
        CertificateError::Other(_) if other.contains("CaUsedAsEndEntity") => (
            "the server's own certificate is marked as an authority (CA:TRUE), which libpq accepts and pgproof's \
             TLS library does not"
                .to_owned(),
            "issue a server certificate with CA:FALSE, signed by that authority (openssl req -x509 marks its own \
             as CA:TRUE), or use sslmode=require",
        ),
        CertificateError::NotValidForNameContext { expected, presented } if presented.is_empty() => (
            format!(
                "the certificate has no subjectAltName, so it does not name {}: libpq would read its common name, \
                 pgproof's TLS library does not",
                expected.to_str()
            ),
            "issue it with subjectAltName=DNS:<host>, or use sslmode=verify-ca, which does not check the name",
        ),
        CertificateError::NotValidForNameContext { expected, presented } => (
            format!("the certificate does not name {}, but {}", expected.to_str(), plain_names(presented)),
            "connect by a name in the certificate (with hostaddr for its address), or use sslmode=verify-ca",
        ),
        CertificateError::UnknownIssuer => (
            "the certificate is not signed by an authority that is trusted here".to_owned(),
            "name the authority's certificate with sslrootcert=FILE; sslmode=require without one skips verification",
        ),
        CertificateError::Revoked => {
            ("the certificate is in the revocation list".to_owned(), "renew it, or correct the list named by sslcrl")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("the certificate has expired".to_owned(), "renew it, or use sslmode=require to skip verification")
        }
        _ => return None,
    })
}
