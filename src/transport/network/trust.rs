//! Which certificates are trusted: those of the machine, and `SSL_CERT_FILE`.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::internal;
use crate::failure::Failure;

/// The authorities that may sign a certificate.
pub(super) struct Trust {
    roots: RootCertStore,
    /// Those beside the machine's.
    pub(super) extra: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Reads them. A machine without any trusts nobody: plain HTTP goes on, TLS fails.
    pub(super) fn load(authorities: &[u8]) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        // Single certificates that can't be read are no reason to do without the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let extra: Vec<_> = CertificateDer::pem_slice_iter(authorities)
            .collect::<Result<_, _>>()
            .map_err(|error| {
                internal("the certificates of the authorities are no PEM").caused_by(&error)
            })?;
        roots.add_parsable_certificates(extra.iter().cloned());
        Ok(Self { roots, extra })
    }

    /// What a connection needs to know.
    pub(super) fn config(&self) -> Result<ClientConfig, Failure> {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| internal("TLS can't be set up").caused_by(&error))?;
        Ok(builder
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth())
    }
}
