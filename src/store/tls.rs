//! How connections to PostgreSQL are encrypted, and whose certificate is believed.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::SetupError;
use crate::settings::DatabaseTls;

/// What the client asks the server for, and what it does with the certificate that it is shown.
pub(super) fn connector(tls: DatabaseTls, ca_file: Option<&Path>) -> Result<(SslMode, MakeRustlsConnect), SetupError> {
    // Said here, so that it does not matter which providers other crates bring along.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let (mode, config) = match tls {
        DatabaseTls::Off | DatabaseTls::IfOffered => {
            let verifier = Arc::new(Leniency { authority: None, provider });
            let mode = if tls == DatabaseTls::Off { SslMode::Disable } else { SslMode::Prefer };
            (mode, versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
        }
        DatabaseTls::SignedByAuthority => {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca_file)?), provider.clone());
            let authority = verifier.build().map_err(|error| Error::General(error.to_string()))?;
            let verifier = Arc::new(Leniency { authority: Some(authority), provider });
            (SslMode::Require, versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
        }
        DatabaseTls::SignedForHost => (SslMode::Require, versions.with_root_certificates(roots(ca_file)?).with_no_client_auth()),
    };
    Ok((mode, MakeRustlsConnect::new(config)))
}

/// The authorities of the file, else the system's.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if added > 0 { Ok(roots) } else { Err(SetupError::NoRoots) };
    };
    let pem = std::fs::read(path).map_err(|error| SetupError::CaFile(path.into(), error))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| SetupError::NoCertificate(path.into()))?;
        roots.add(certificate).map_err(|_| SetupError::NoCertificate(path.into()))?;
    }
    if roots.is_empty() { Err(SetupError::NoCertificate(path.into())) } else { Ok(roots) }
}

/// Checks less than rustls does by itself: not the name in the certificate, and without an authority not its signature.
/// The server still proves that it holds the certificate's key.
#[derive(Debug)]
struct Leniency {
    authority: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Leniency {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        // The name is checked last: a certificate that gets there is signed by the authority, and within its time.
        match authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
