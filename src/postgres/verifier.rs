//! What a server certificate must prove under each `sslmode`.
//!
//! Refuses home-made verification: it is webpki's, or none where libpq asks for none.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;

/// How much of a certificate is believed.
#[derive(Debug)]
enum Trust {
    /// Any certificate, `sslmode=require` and weaker. The flag refuses one whose key we cannot read.
    Anyone { key_must_prove_itself: bool },
    /// The chain, not the name: `sslmode=verify-ca`.
    Chain(Arc<WebPkiServerVerifier>),
}

/// libpq's verification between "everything" and "nothing".
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// Accepts any certificate. With `channel_binding=require` the handshake's signature must be checkable,
    /// since it is what ties the certificate to this connection.
    pub(super) fn anyone(provider: Arc<CryptoProvider>, key_must_prove_itself: bool) -> Self {
        Verifier { trust: Trust::Anyone { key_must_prove_itself }, provider }
    }

    /// Accepts a certificate with a trusted issuer, whatever host it names.
    pub(super) fn chain(provider: Arc<CryptoProvider>, webpki: Arc<WebPkiServerVerifier>) -> Self {
        Verifier { trust: Trust::Chain(webpki), provider }
    }

    /// A wrong signature is an attack in every mode; a certificate that webpki cannot parse (X.509 v1, an odd
    /// extension) has a key that we cannot read, and libpq's weaker modes promise no identity anyway.
    fn judge(
        &self,
        checked: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match (&self.trust, checked) {
            (Trust::Anyone { key_must_prove_itself: false }, Err(Error::InvalidCertificate(why)))
                if why != CertificateError::BadSignature =>
            {
                Ok(HandshakeSignatureValid::assertion())
            }
            (_, checked) => checked,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Chain(webpki) = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        // webpki checks the name last, so this one error means that everything else is right.
        match webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.judge(verify_tls12_signature(message, cert, dss, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.judge(verify_tls13_signature(message, cert, dss, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
