//! TLS towards a source: whom we trust, and who we are.

use std::path::Path;
use std::sync::Arc;

use cutover_core::spec::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::files;
use super::unread::{Unread, chain};

/// For `https://`: with the machine's authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR` say others)
/// unless the spec names its own.
pub(super) async fn config(tls: Option<&Tls>, base: &Path) -> Result<ClientConfig, Unread> {
    let roots = match tls.and_then(|tls| tls.ca.as_deref()) {
        Some(file) => own(base, file).await?,
        None => machine().await?,
    };
    let builder = builder()?.with_root_certificates(roots);
    let pair = tls.and_then(|tls| Some((tls.cert.as_deref()?, tls.key.as_deref()?)));
    let Some((cert, key)) = pair else { return Ok(builder.with_no_client_auth()) };
    let certificates = certificates(base, cert, "the client certificate").await?;
    let bytes = files::read(base, key, "the client key").await?;
    let private = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| Unread::new(format!("{} holds no private key in PEM", key.display())))?;
    builder.with_client_auth_cert(certificates, private).map_err(|error| {
        let (cert, key) = (cert.display(), key.display());
        Unread::new(format!("{cert} and {key} cannot be used together: {error}"))
    })
}

/// For `http://`, where nobody is asked.
pub(super) fn none() -> Result<ClientConfig, Unread> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<Builder, Unread> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
    builder.map_err(|error| Unread::new(format!("TLS cannot be used: {error}")))
}

async fn own(base: &Path, file: &Path) -> Result<RootCertStore, Unread> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(base, file, "the authority's certificate").await? {
        roots.add(certificate).map_err(|error| {
            Unread::new(format!("{} is no authority: {}", file.display(), chain(&error)))
        })?;
    }
    Ok(roots)
}

async fn machine() -> Result<RootCertStore, Unread> {
    let load = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
    let loaded = load.await.map_err(|error| Unread::new(chain(&error)))?;
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(loaded.certs);
    if usable == 0 {
        let why = loaded.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        let help = "install ca-certificates, or name the authority: `tls: { ca: ca.pem }`";
        return Err(Unread::new(format!("this machine trusts no authority{why}")).help(help));
    }
    Ok(roots)
}

async fn certificates(
    base: &Path,
    file: &Path,
    what: &str,
) -> Result<Vec<CertificateDer<'static>>, Unread> {
    let bytes = files::read(base, file, what).await?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) | Err(_) => {
            Err(Unread::new(format!("{} holds no certificate in PEM", file.display())))
        }
    }
}
